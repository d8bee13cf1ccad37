"""Directories that are imported as packages under names which the import path does not give them."""

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import attrs

from anyworker.fleet.loader import load_named, put_first, refusal


def mount(package: str, directory: str | os.PathLike[str]) -> ModuleType:
    """Have a directory be a package, and import that.

    Where the directory's path ends like the package's name, what is above goes on ``sys.path``. Where the
    package can be found then, it is imported as usual; otherwise the directory stands in for it.

    Args:
        package: Its dotted name.
        directory: With ``__init__.py`` or without.

    Raises:
        WorkerImportError: The name is taken by something else, or the package broke while being imported.
    """
    place, target = Path(directory).resolve(), os.fspath(directory)
    parts = package.split(".")
    if not all(part.isidentifier() for part in parts):
        raise refusal(target, f"package_prefix={package!r} is no package's name, like my_app.workers")
    if place.parts[-len(parts) :] == tuple(parts):
        put_first(place.parents[len(parts) - 1])
    mounts = _mounts()
    if mounts is None:
        mounts = _Mounts()
        sys.meta_path.append(mounts)
    mounts.places.setdefault(package, place)
    found = load_named(package)
    locations = [Path(each).resolve() for each in getattr(found, "__path__", ())]
    if place not in locations:
        where = ", ".join(map(str, locations)) or getattr(found, "__file__", None) or "built into Python"
        raise refusal(target, f"package_prefix={package!r} is taken already by {where}")
    return found


def mounted() -> dict[str, Path]:
    """Return what was mounted in this process, by package; another one needs it to import the same."""
    mounts = _mounts()
    return {} if mounts is None else dict(mounts.places)


def _mounts() -> "_Mounts | None":
    return next((finder for finder in sys.meta_path if isinstance(finder, _Mounts)), None)


@attrs.frozen(eq=False)
class _Mounts(importlib.abc.MetaPathFinder):
    """Finds what was mounted, and what that lies in, where nothing else finds it."""

    places: dict[str, Path] = attrs.field(factory=dict)

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = self.places.get(fullname)
        if place is not None and (place / "__init__.py").is_file():
            return importlib.util.spec_from_file_location(
                fullname, place / "__init__.py", submodule_search_locations=[str(place)]
            )
        if place is None and not any(package.startswith(f"{fullname}.") for package in self.places):
            return None
        # A package without a file of its own, as a directory without __init__.py is one.
        spec = ModuleSpec(fullname, None, is_package=True)
        spec.submodule_search_locations = [str(place)] if place is not None else []
        return spec
