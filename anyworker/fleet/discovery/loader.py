"""Import the modules and files that hold workers, and say exactly what is wrong with those that fail."""

import importlib
import importlib.util
import os
import pkgutil
import sys
import sysconfig
import traceback
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import FrameType, ModuleType

from anyworker.errors import WorkerImportError
from anyworker.fleet.discovery.finder import note
from anyworker.spelling import nearest

_INSTALLED = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})
_MACHINERY = {__file__, importlib.__file__}


def load_all(targets: Iterable[str]) -> list[ModuleType]:
    """Import every target, in order.

    Args:
        targets: What `load` takes; a lone string is one target.

    Raises:
        WorkerImportError: With one problem for each target that failed; the others are imported all the same.
    """
    modules: list[ModuleType] = []
    failures: list[WorkerImportError] = []
    for target in [targets] if isinstance(targets, str) else targets:
        try:
            modules.append(load(target))
        except WorkerImportError as failure:
            failures.append(failure)
    if failures:
        raise merged(failures)
    return modules


def merged(failures: Sequence[WorkerImportError]) -> WorkerImportError:
    """Return one error for several, of which each is a cause."""
    if len(failures) == 1:
        return failures[0]
    problems = dict.fromkeys(problem for failure in failures for problem in failure.problems)
    error = WorkerImportError(list(problems))
    error.__cause__ = ExceptionGroup("imports that failed", failures)
    return error


def load(target: str) -> ModuleType:
    """Import a module by its dotted name, or a ``.py`` file by its path.

    A dotted name is looked up as by ``python -m``: the working directory counts. A file that lies in a
    package (``__init__.py`` beside it) is imported by its dotted name, from the package's root. Any other
    file is imported as by ``python FILE``, its directory first on ``sys.path``, and named as it is without
    the suffix; where another module has that name, one is made from its path, the same in every process.
    Either way the module is in ``sys.modules`` under its ``__name__``, and loading it again gives the same.

    Args:
        target: ``my_app.workers`` or ``workers/orders.py``.

    Raises:
        WorkerImportError: It is missing, is no module, or broke while being imported; what it raised is the
            cause.
        KeyboardInterrupt: It came while the module was being imported.
    """
    importlib.invalidate_caches()
    if is_path(target):
        return _load_file(target)
    loaded = load_named(target)
    if is_namespace(loaded):
        raise refusal(target, "it is a directory without __init__.py; name a module in it, or a .py file")
    return loaded


def is_path(target: str) -> bool:
    """Tell whether a target is meant as a file, not as a module's name."""
    return target.endswith(".py") or os.sep in target


def is_namespace(module: ModuleType) -> bool:
    """Tell whether a module is a directory without ``__init__.py``."""
    return getattr(module, "__file__", None) is None and hasattr(module, "__path__")


def load_named(target: str) -> ModuleType:
    """Import a module by its dotted name, also a directory without ``__init__.py``.

    Raises:
        WorkerImportError: As for `load`.
    """
    module, colon, attribute = target.partition(":")
    if colon:
        raise refusal(target, f"leave out ':{attribute}'; importing {module!r} is what declares its workers")
    if not all(target.split(".")) or target.split() != [target]:
        raise refusal(target, "it is neither a module's name like my_app.workers nor the path of a .py file")
    see_working_directory()
    return _import(target, target)


def see_working_directory() -> None:
    """Have modules looked for in the working directory, as by ``python -m``."""
    directory = str(Path.cwd())
    if directory not in sys.path:
        sys.path.insert(0, directory)


def _load_file(target: str) -> ModuleType:
    path = Path(target).resolve()
    if not path.is_file() or path.suffix != ".py":
        raise refusal(target, _why_no_file(target, path))
    root = path.parent
    while (root / "__init__.py").is_file():
        root = root.parent
    put_first(root)
    if root == path.parent:
        return load_script(target, path, path.stem)
    return _load_from_package(target, path, root)


def put_first(root: Path) -> None:
    """Have modules looked for in a directory before all others."""
    if str(root) in sys.path:
        sys.path.remove(str(root))
    sys.path.insert(0, str(root))


def _load_from_package(target: str, path: Path, root: Path) -> ModuleType:
    parts = path.relative_to(root).with_suffix("").parts
    name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
    if is_found_as(parts[0], root / parts[0] / "__init__.py"):
        return _import(target, name)
    other = getattr(sys.modules.get(parts[0]), "__file__", None) or "built into Python"
    raise refusal(target, f"it is {name} in {root}, but another {parts[0]} is in use already: {other}")


def load_script(target: str, path: Path, name: str) -> ModuleType:
    """Import a file that is in no package.

    Args:
        target: What the user calls it.
        path: The file, resolved.
        name: What to call it, if importing that gives this file; otherwise a name is made from its path.

    Raises:
        WorkerImportError: As for `load`.
    """
    if "." not in path.stem and is_found_as(name, path):
        module = _import(target, name)
    else:
        made = f"{path.stem.replace('.', '_')}_{zlib.crc32(os.fsencode(path)):08x}"
        module = sys.modules.get(made) or _executed(target, path, made)
    note(module.__name__, path)
    return module


def _executed(target: str, path: Path, name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise refusal(target, "Python has no loader for it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException as error:
        del sys.modules[name]
        if isinstance(error, Exception | SystemExit):
            raise WorkerImportError(_describe(target, name, error)) from error
        raise
    return module


def _import(target: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as error:
        if isinstance(error, ModuleNotFoundError) and error.name and not list(_user_frames(error)):
            raise refusal(target, _why_missing(error.name)) from error
        raise WorkerImportError(_describe(target, name, error)) from error


def is_found_as(name: str, path: Path) -> bool:
    """Return whether importing this name gives, or gave, this very file."""
    if name in sys.modules:
        origin = getattr(sys.modules[name], "__file__", None)
    else:
        try:
            spec = importlib.util.find_spec(name)
        except ModuleNotFoundError:
            # A directory on the way to it has a name that no package can have.
            return False
        origin = spec.origin if spec is not None else None
    return origin is not None and Path(origin).resolve() == path


def refusal(target: str, reason: str) -> WorkerImportError:
    """Return the error that says why a target cannot be imported."""
    return WorkerImportError(f"cannot import {target!r}: {reason}")


def _why_no_file(target: str, path: Path) -> str:
    dotted = target.removesuffix(".py").strip(os.sep).replace(os.sep, ".")
    if path.is_dir():
        example = path / "__init__.py"
        return f"it is a directory; name a .py file in it{f', like {example}' if example.is_file() else ''}"
    if path.exists():
        return "it is not a .py file"
    if path.with_name(path.name + ".py").is_file():
        return f"there is no file {path}; did you mean '{target}.py'?"
    if _exists(dotted):
        return f"there is no file {path}; did you mean the module {dotted!r}?"
    near = nearest(path.name, (each.name for each in path.parent.glob("*.py")))
    hint = f"; did you mean {str(Path(target).with_name(near))!r}?" if near else ""
    return f"there is no file {path}{hint}"


def _exists(dotted: str) -> bool:
    """Return whether a dotted name is a module below the working directory, importing nothing."""
    path = Path.cwd().joinpath(*dotted.split("."))
    return path.with_name(path.name + ".py").is_file() or (path / "__init__.py").is_file()


def _why_missing(name: str) -> str:
    """Explain that a module, or a package on the way to it, does not exist."""
    package, _, last = name.rpartition(".")
    search = getattr(sys.modules.get(package), "__path__", None) if package else None
    if package and search is None:
        return f"{package} is a module, not a package: there is no {last!r} to import from it"
    near = nearest(last, (module.name for module in pkgutil.iter_modules(search)), cutoff=0.7)
    if near:
        return f"there is no module {name!r}; did you mean {f'{package}.{near}' if package else near!r}?"
    if not package and _exists(f"src.{name}"):
        return f"there is no module {name!r} on sys.path, but src holds one; install it or set PYTHONPATH=src"
    place = (
        f"in {', '.join(dict.fromkeys(search))}" if search else f"in {Path.cwd()} or elsewhere on sys.path"
    )
    return f"there is no module {name!r} {place}"


def _describe(target: str, name: str, error: BaseException) -> str:
    """Say what a module raised on import, where in the user's own code, and over which imports."""
    frames = list(_user_frames(error))
    top = name.partition(".")[0]
    own = [(frame, line) for frame, line in frames if _is_own(frame, top)]
    place = ""
    if isinstance(error, SyntaxError) and error.filename and Path(error.filename).is_file():
        place = f" at {error.filename}:{error.lineno}"
    elif frames:
        frame, line = (own or frames)[-1]
        place = f" at {frame.f_code.co_filename}:{line}"
    chain: list[str] = []
    for frame, _ in frames:
        if frame.f_code.co_name == "<module>":
            chain.append(str(frame.f_globals.get("__name__")))
            if not _is_own(frame, top):
                break
    route = f"{' -> '.join(chain)}: " if chain not in ([], [name]) else ""
    return f"importing {target!r} failed{place}: {route}{_what(error)}"


def _what(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return f"it called sys.exit({'' if error.code is None else repr(error.code)})"
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg}"
    said = traceback.format_exception_only(error)[0].rstrip("\n")
    return f"{said}; install it, or correct the import" if isinstance(error, ModuleNotFoundError) else said


def _user_frames(error: BaseException) -> Iterator[tuple[FrameType, int]]:
    """Yield the frames an exception passed, from the outermost, without those of the import system."""
    for frame, line in traceback.walk_tb(error.__traceback__):
        file = frame.f_code.co_filename
        if file not in _MACHINERY and not file.startswith("<frozen importlib"):
            yield frame, line


def _is_own(frame: FrameType, top: str) -> bool:
    """Return whether a frame runs the user's code: of the target's package, or not of an installed one."""
    file = frame.f_code.co_filename
    if file.startswith("<"):
        return False
    return str(frame.f_globals.get("__name__")).partition(".")[0] == top or not file.startswith(_INSTALLED)
