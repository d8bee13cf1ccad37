"""Which modules lie below a package or a directory, found without importing any of them."""

import os
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import attrs

PASSED_OVER = frozenset(["__main__", "conftest", "tests"])
"""Names of modules and directories that hold no workers: importing them would run a program, or need a test
runner."""


@attrs.frozen
class Below:
    """One thing that can be imported."""

    name: str
    """Its last part."""
    is_package: bool


def submodules(search: Iterable[str]) -> list[Below]:
    """Return what can be imported directly below a package, by name.

    Directories without ``__init__.py`` count where modules lie in or below them.

    Args:
        search: The package's ``__path__``.
    """
    places = list(search)
    found = {module.name: module.ispkg for module in pkgutil.iter_modules(places)}
    for place in places:
        for directory in directories(Path(place)):
            if directory.name.isidentifier() and directory.name not in found:
                found[directory.name] = True
    return [Below(name, found[name]) for name in sorted(found.keys() - PASSED_OVER)]


def directories(place: Path) -> list[Path]:
    """Return the directories in a directory in or below which modules lie, by name."""
    if not place.is_dir():
        return []
    return sorted(each for each in place.iterdir() if each.is_dir() and any(_modules_below(each)))


def files(place: Path) -> list[Path]:
    """Return the modules that lie in a directory, by name."""
    found = place.glob("*.py")
    return sorted(each for each in found if each.stem not in PASSED_OVER and not each.name.startswith("."))


def _modules_below(place: Path) -> Iterator[str]:
    """Yield the files of modules in and below a directory; links are not followed, so that it has an end."""
    if _is_foreign(place):
        return
    for directory, below, names in os.walk(place):
        yield from (name for name in names if name.endswith(".py"))
        below[:] = [name for name in below if not _is_foreign(Path(directory, name))]


def _is_foreign(place: Path) -> bool:
    """Tell whether a directory is hidden, a cache, tests, or a virtual environment."""
    return (
        place.name.startswith(".")
        or place.name in {*PASSED_OVER, "__pycache__", "node_modules"}
        or (place / "pyvenv.cfg").is_file()
    )
