"""Names of a package that are loaded when they are first used."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from importlib import import_module
from typing import Any

NameLoader = Callable[[str], object]


def loader(namespace: dict[str, Any], homes: Mapping[str, Iterable[str]]) -> NameLoader:
    """Return a package's ``__getattr__``.

    Args:
        namespace: The package's globals, where a name stands once it is loaded.
        homes: The names by the module that defines them.
    """
    home_of = {name: home for home, names in homes.items() for name in names}

    def load(name: str) -> object:
        if name not in home_of:
            message = f"module {namespace['__name__']!r} has no attribute {name!r}"
            raise AttributeError(message)
        with leanly():
            value: object = getattr(import_module(home_of[name]), name)
        namespace[name] = value
        return value

    return load


@contextlib.contextmanager
def leanly() -> Iterator[None]:
    """Import httpx in the block, if that is to be, without its command line.

    That would bring click, pygments and rich along where they are installed: a quarter of what starting a
    process of workers costs. ``httpx.main`` says then that it is not there; nothing else is left behind.
    """
    name = "httpx._main"
    if "httpx" in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # what the import system takes for "not there"
    try:
        yield
    finally:
        if sys.modules.get(name, name) is None:
            del sys.modules[name]
