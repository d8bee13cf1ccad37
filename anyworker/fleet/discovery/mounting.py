"""Directories that are imported as packages under names which the import path does not give them."""

import os
import sys
from pathlib import Path
from types import ModuleType

from anyworker.fleet.discovery.finder import is_found, stand_in
from anyworker.fleet.discovery.loader import load_named, put_first, refusal, see_working_directory


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
    if _is_missing(package):
        stand_in(package, place)
    found = load_named(package)
    locations = [Path(each).resolve() for each in getattr(found, "__path__", ())]
    if place not in locations:
        where = ", ".join(map(str, locations)) or getattr(found, "__file__", None) or "built into Python"
        raise refusal(target, f"package_prefix={package!r} is taken already by {where}")
    return found


def _is_missing(package: str) -> bool:
    parent, _, _ = package.rpartition(".")
    if package in sys.modules:
        return False
    if not parent:
        see_working_directory()
        return not is_found(package, None)
    if _is_missing(parent):
        return True
    search = getattr(load_named(parent), "__path__", None)
    return search is None or not is_found(package, search)
