"""Which file or directory a module's name means, where the import path alone does not settle it."""

import importlib.abc
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import attrs

_noted: dict[str, Path] = {}


def note(name: str, place: Path) -> None:
    """Remember which file a name meant here: in another process the path may give another one."""
    _noted[name] = place


def stand_in(name: str, place: Path) -> None:
    """Have a name mean a directory that is a package, where nothing else is found for it.

    Args:
        name: Dotted; packages that it lies in and that do not exist are made up.
        place: The directory.
    """
    finder = next((each for each in sys.meta_path if isinstance(each, _Finder)), None)
    if finder is None:
        finder = _Finder({})
        sys.meta_path.append(finder)
    finder.places[name] = place
    note(name, place)


def noted() -> dict[str, Path]:
    """Return what names have meant in this process."""
    return dict(_noted)


def settle(places: Mapping[str, Path]) -> None:
    """Have names mean, before all else, what they meant in another process."""
    if places:
        sys.meta_path.insert(0, _Finder(dict(places)))


def is_found(name: str, path: Sequence[str] | None) -> bool:
    """Tell whether there is a module of a name without anything that stands in.

    Args:
        name: Dotted.
        path: The ``__path__`` of the package that it lies in, None for a top-level one.
    """
    finders = [finder for finder in sys.meta_path if not isinstance(finder, _Finder)]
    return any(finder.find_spec(name, path) is not None for finder in finders)


@attrs.frozen(eq=False)
class _Finder(importlib.abc.MetaPathFinder):
    places: dict[str, Path]

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = self.places.get(fullname)
        if place is not None:
            return _spec(fullname, place)
        is_above = any(name.startswith(f"{fullname}.") for name in self.places)
        return _namespace(fullname, []) if is_above and not is_found(fullname, path) else None


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
