"""Which file or directory a module's name means, for names that the import path alone does not settle."""

import importlib.abc
import importlib.util
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType

import attrs


def settle(name: str, place: Path) -> None:
    """Have a name mean a file, or a directory that is a package, from now on.

    Args:
        name: Dotted; packages that it lies in and that do not exist are made up.
        place: The file or directory.
    """
    finder = _finder()
    if finder is None:
        finder = _Finder()
        sys.meta_path.insert(0, finder)
    finder.places[name] = place


def settled() -> dict[str, Path]:
    """Return what was settled in this process; another one needs it to import the same by the same names."""
    finder = _finder()
    return {} if finder is None else dict(finder.places)


def _finder() -> "_Finder | None":
    return next((finder for finder in sys.meta_path if isinstance(finder, _Finder)), None)


@attrs.frozen(eq=False)
class _Finder(importlib.abc.MetaPathFinder):
    places: dict[str, Path] = attrs.field(factory=dict)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = self.places.get(fullname)
        if place is not None:
            return _spec(fullname, place)
        is_above = any(name.startswith(f"{fullname}.") for name in self.places)
        if is_above and PathFinder.find_spec(fullname, path) is None:
            return _namespace(fullname, [])
        return None


def _spec(name: str, place: Path) -> ModuleSpec | None:
    start = place / "__init__.py"
    if place.is_file():
        return importlib.util.spec_from_file_location(name, place)
    if start.is_file():
        return importlib.util.spec_from_file_location(name, start, submodule_search_locations=[str(place)])
    return _namespace(name, [str(place)]) if place.is_dir() else None


def _namespace(name: str, search: list[str]) -> ModuleSpec:
    """Return a package without a file of its own, as a directory without ``__init__.py`` is one."""
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = search
    return spec
