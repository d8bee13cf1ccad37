"""Find workers by importing whole packages and directories."""

import importlib
import logging
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import attrs

from anyworker.errors import WorkerImportError
from anyworker.fleet.discovery.loader import (
    is_found_as,
    is_path,
    load,
    load_named,
    load_script,
    merged,
    put_first,
    refusal,
)
from anyworker.fleet.discovery.mounting import mount
from anyworker.fleet.discovery.summary import summary
from anyworker.fleet.discovery.walking import directories, files, submodules
from anyworker.registry import registered_workers, unregister
from anyworker.worker import Worker

logger = logging.getLogger(__name__)


class WorkerLoader:
    """Import modules, and return the workers that they declare.

    Each ``scan_*`` imports all that it can and then reports everything that could not be imported. Modules
    that were imported before count as well. Passed over in packages and directories are ``__main__``,
    ``conftest``, ``tests``, what is hidden, caches and virtual environments. The program that runs counts as
    it is, and is not imported once more.

    Args:
        ignore_errors: Log what cannot be imported, as warnings, instead of raising it. Each scan may say
            otherwise for itself.
    """

    def __init__(self, *, ignore_errors: bool = False) -> None:
        self._ignores_errors = ignore_errors
        self._modules: dict[str, ModuleType] = {}
        self._problems: dict[str, None] = {}

    @property
    def problems(self) -> tuple[str, ...]:
        """What could not be imported so far, and why, a sentence each."""
        return tuple(self._problems)

    def scan(
        self,
        *,
        packages: Iterable[str] = (),
        paths: Iterable[str | os.PathLike[str]] = (),
        recursive: bool = True,
        ignore_errors: bool | None = None,
    ) -> None:
        """Import packages and directories in one go, so that all that is wrong is reported together.

        Args:
            packages: As for `scan_packages`.
            paths: As for `scan_path`; a lone one is taken as it is.
            recursive: As for `scan_packages`.
            ignore_errors: The same.

        Raises:
            WorkerImportError: As for `scan_packages`.
        """
        with self._scan(ignore_errors) as scan:
            for name in [packages] if isinstance(packages, str) else packages:
                scan.package(name, recursive=recursive)
            for path in [paths] if isinstance(paths, str | os.PathLike) else paths:
                scan.path(os.fspath(path), "")

    def scan_packages(
        self,
        package_names: Iterable[str],
        *,
        recursive: bool = True,
        ignore_errors: bool | None = None,
    ) -> None:
        """Import packages and the modules in them.

        Args:
            package_names: Dotted names, of packages with ``__init__.py`` or without; a module or a file is
                taken as it is. A lone string is one name.
            recursive: Also import the packages in them; otherwise those are not imported at all.
            ignore_errors: As for the loader, in this scan; None for what that was made with.

        Raises:
            WorkerImportError: With one problem for each module that cannot be imported, after all others
                were imported; not where errors are ignored.
        """
        self.scan(packages=package_names, recursive=recursive, ignore_errors=ignore_errors)

    def scan_module(self, module_name: str, *, ignore_errors: bool | None = None) -> None:
        """Import one module.

        Args:
            module_name: Its dotted name, or a file.
            ignore_errors: As for `scan_packages`.

        Raises:
            WorkerImportError: It cannot be imported; not where errors are ignored.
        """
        with self._scan(ignore_errors) as scan:
            scan.take(lambda: load(module_name))

    def scan_path(
        self, path: str | os.PathLike[str], package_prefix: str = "", *, ignore_errors: bool | None = None
    ) -> None:
        """Import a file, or all modules in and below a directory.

        A directory that is a package is imported as such. Any other one goes on ``sys.path`` itself, so that
        its modules see each other; directories below it are packages, with ``__init__.py`` or without.

        Args:
            path: A ``.py`` file or a directory.
            package_prefix: The package that the directory is to be, such as ``my_app.workers``.
            ignore_errors: As for `scan_packages`.

        Raises:
            WorkerImportError: As for `scan_packages`.
        """
        with self._scan(ignore_errors) as scan:
            scan.path(os.fspath(path), package_prefix)

    def get_workers(self) -> list[Worker]:
        """Return the workers that the scanned modules declare, in the order of their declaration."""
        return [worker for worker in registered_workers() if worker.origin.declaring_module in self._modules]

    def get_worker_count(self) -> int:
        """Return how many workers there are."""
        return len(self.get_workers())

    def get_worker_names(self) -> list[str]:
        """Return the workers' task types."""
        return [worker.task_definition_name for worker in self.get_workers()]

    def print_summary(self) -> None:
        """Print a table of the workers, and what could not be imported, to standard output."""
        sys.stdout.write(summary(self.get_workers(), len(self._modules), self.problems))

    @contextmanager
    def _scan(self, ignore_errors: bool | None) -> Iterator["_Scan"]:
        importlib.invalidate_caches()
        scan = _Scan(self._modules)
        yield scan
        self._problems |= dict.fromkeys(problem for failure in scan.failures for problem in failure.problems)
        if self._ignores_errors if ignore_errors is None else ignore_errors:
            for failure in scan.failures:
                logger.warning("Passed over: %s", failure)
        elif scan.failures:
            raise merged(scan.failures)


def scan_for_workers(
    *package_names: str, recursive: bool = True, ignore_errors: bool = False
) -> WorkerLoader:
    """Import packages and return what holds their workers.

    Args:
        *package_names: As for `WorkerLoader.scan_packages`.
        recursive: The same.
        ignore_errors: As for `WorkerLoader`.

    Raises:
        WorkerImportError: With one problem for each module that cannot be imported.
    """
    loader = WorkerLoader(ignore_errors=ignore_errors)
    loader.scan_packages(package_names, recursive=recursive)
    return loader


def auto_discover_workers(
    packages: Iterable[str] | None = None,
    paths: Iterable[str | os.PathLike[str]] | None = None,
    *,
    print_summary: bool = True,
    ignore_errors: bool = False,
) -> WorkerLoader:
    """Import packages and directories and return what holds their workers.

    Args:
        packages: As for `WorkerLoader.scan_packages`.
        paths: Files and directories, as for `WorkerLoader.scan_path`; a lone one is taken as it is.
        print_summary: Print the workers, and what could not be imported, to standard output.
        ignore_errors: As for `WorkerLoader`.

    Raises:
        WorkerImportError: With one problem for each module that cannot be imported.
    """
    loader = WorkerLoader(ignore_errors=ignore_errors)
    loader.scan(packages=packages or (), paths=paths or ())
    if print_summary:
        loader.print_summary()
    return loader


@attrs.frozen(eq=False)
class _Scan:
    """One search: what it imports and what it cannot."""

    modules: dict[str, ModuleType]
    failures: list[WorkerImportError] = attrs.field(factory=list)
    _seen: set[Path] = attrs.field(factory=set)
    """Directories searched already: a link may lead back to one."""

    def take(self, load: Callable[[], ModuleType]) -> ModuleType | None:
        """Import something and return it; None if that fails: what it had declared by then is forgotten."""
        try:
            module = load()
        except WorkerImportError as failure:
            self.failures.append(failure)
            for worker in registered_workers():
                if worker.origin.declaring_module not in sys.modules:
                    unregister(worker)
            return None
        self.modules[module.__name__] = module
        return module

    def package(self, target: str, *, recursive: bool = True) -> None:
        """Import a package, by name or by its file, and what is in it."""
        self._below(
            self.take(lambda: load(target) if is_path(target) else load_named(target)), recursive=recursive
        )

    def path(self, target: str, prefix: str) -> None:
        """Import a file, or what is in a directory."""
        place = Path(target).resolve()
        if not place.exists():
            self.failures.append(refusal(target, f"there is no file or directory {place}"))
        elif prefix and not place.is_dir():
            self.failures.append(refusal(target, f"package_prefix={prefix!r} needs a directory"))
        elif prefix:
            self._below(self.take(lambda: mount(prefix, place)))
        elif not place.is_dir():
            self.take(lambda: load(str(place)))
        elif (place / "__init__.py").is_file():
            self.package(str(place / "__init__.py"))
        else:
            put_first(place)
            self._directory(place, place)

    def _below(self, package: ModuleType | None, *, recursive: bool = True) -> None:
        search = list(getattr(package, "__path__", ()))
        if package is None or (recursive and not self._is_new(search)):
            return
        for below in submodules(search):
            if any(_is_program(Path(place, f"{below.name}.py")) for place in search):
                self._program()
            elif recursive or not below.is_package:
                self.package(f"{package.__name__}.{below.name}", recursive=recursive)

    def _directory(self, place: Path, root: Path) -> None:
        """Import what is in a directory that is no package, named as it is found from the root."""
        if not self._is_new([str(place)]):
            return
        above = place.relative_to(root).parts
        for file in files(place):
            if _is_program(file):
                self._program()
                continue
            name = ".".join((*above, file.stem))
            self.take(partial(load_script, str(file), file.resolve(), name))
        for directory in directories(place):
            start, name = directory / "__init__.py", ".".join((*above, directory.name))
            if start.is_file():
                self.package(name if is_found_as(name, start.resolve()) else str(start))
            else:
                self._directory(directory, root)

    def _program(self) -> None:
        """Take the main module, whose workers are declared under its name by ``python -m``, if it has one."""
        module = sys.modules["__main__"]
        spec = getattr(module, "__spec__", None)
        self.modules[spec.name if spec is not None else module.__name__] = module

    def _is_new(self, search: Iterable[str]) -> bool:
        places = {Path(place).resolve() for place in search}
        is_new = not places <= self._seen
        self._seen.update(places)
        return is_new


def _is_program(file: Path) -> bool:
    """Return whether a file is the main module, which would run a second time by being imported."""
    program = getattr(sys.modules.get("__main__"), "__file__", None)
    return program is not None and file.resolve() == Path(program).resolve()
