"""Names of a package that are loaded when they are first used."""

from collections.abc import Callable, Iterable, Mapping
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
        value: object = getattr(import_module(home_of[name]), name)
        namespace[name] = value
        return value

    return load
