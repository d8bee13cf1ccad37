"""Which files and packages hold the code of the workers, so that only their changes count."""

import os
import sys
import sysconfig
import traceback
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import ModuleType

from anyworker.dev.messages import Sources

_INSTALLED = frozenset(
    Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "platstdlib", "purelib", "platlib")
)
_OURS = Path(__file__).resolve().parents[1]


def sources_of(modules: Mapping[str, ModuleType]) -> Sources:
    """Return where modules come from, without those that are installed or anyworker's own.

    Args:
        modules: As in ``sys.modules``.
    """
    files: set[str] = set()
    packages: set[str] = set()
    for name, module in list(modules.items()):
        file = getattr(module, "__file__", None)
        if not isinstance(file, str) or not file.endswith(".py") or not _is_own(path := Path(file).resolve()):
            continue
        if (package := _package_of(path, name)) is not None:
            packages.add(str(package))
        else:
            files.add(str(path))
    return Sources(frozenset(files), frozenset(packages))


def sources_of_failure(targets: Iterable[str], error: BaseException | None) -> Sources:
    """Return where the code may lie that could not be imported.

    Args:
        targets: What was to be imported.
        error: What was raised, by the import or by what it caused.
    """
    paths = [path for target in targets if (path := _target_path(target)) is not None]
    found = sources_of(sys.modules)
    for path in (*paths, *_frames(error)):
        if not _is_own(path):
            continue
        if (path.parent / "__init__.py").is_file():
            found |= Sources(packages=frozenset({str(_root_package(path.parent))}))
        else:
            found |= Sources(files=frozenset({str(path)}))
    return found


def _frames(error: BaseException | None) -> Iterator[Path]:
    while error is not None:
        if isinstance(error, BaseExceptionGroup):
            for inner in error.exceptions:
                yield from _frames(inner)
        files = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)]
        if isinstance(error, SyntaxError) and error.filename:
            files.append(error.filename)
        yield from (Path(file).resolve() for file in files if file.endswith(".py"))
        error = error.__cause__ or error.__context__


def _target_path(target: str) -> Path | None:
    if target.endswith(".py") or os.sep in target:
        return Path(target).resolve()
    place = Path.cwd().joinpath(*target.split("."))
    found = (place.with_name(f"{place.name}.py"), place / "__init__.py")
    return next((path.resolve() for path in found if path.is_file()), None)


def _is_own(path: Path) -> bool:
    return (
        "site-packages" not in path.parts
        and not path.is_relative_to(_OURS)
        and not any(path.is_relative_to(installed) for installed in _INSTALLED)
    )


def _package_of(path: Path, name: str) -> Path | None:
    """Return the directory of a module's outermost package, None for a module without one."""
    depth = name.count(".") + (path.name == "__init__.py")
    if depth == 0:
        return None
    # parents[0] is the directory of the module's own package.
    return path.parents[depth - 1] if depth <= len(path.parents) else None


def _root_package(directory: Path) -> Path:
    while (directory.parent / "__init__.py").is_file():
        directory = directory.parent
    return directory
