"""What a child process is given: workers by where they are declared, all else by its pickle."""

import importlib
import io
import pickle
import sys
from collections.abc import Iterator, Mapping
from types import FunctionType, MethodType
from typing import Any, BinaryIO

import attrs

from anyworker.errors import ConfigurationError, DeclarationError
from anyworker.fleet.main_module import NAME_IN_CHILD, main_module
from anyworker.option_kinds import shown
from anyworker.registry import registered_workers
from anyworker.worker import Worker

_MAIN = "__main__"
_DEEPEST = 8
_IN_ONE_PROCESS = "or run everything in one process, with processes=1"


@attrs.frozen
class Package:
    """What a child will unpack."""

    payload: bytes
    needs_main: bool
    """Whether some of it lives in the main module."""


def pack(parts: Mapping[str, object], workers: tuple[Worker, ...]) -> Package:
    """Return what unpacks to ``(workers, parts)`` in another process.

    Args:
        parts: By what a message calls them.
        workers: Registered ones are named, others pickled.

    Raises:
        ConfigurationError: Something does not exist outside of this process; all of it is named.
    """
    problems = [problem for worker in workers if (problem := _why_not_again(worker)) is not None]
    if problems:
        raise ConfigurationError(problems)
    try:
        return _packed((workers, dict(parts)))
    except Exception as error:
        named = [(f"worker {worker.task_definition_name!r}", worker) for worker in workers]
        for name, part in [*named, *_singly(parts)]:
            problems += _flaws(name, part)
        raise ConfigurationError(problems or [f"{type(error).__name__}: {error}"]) from error


def unpack(payload: bytes) -> tuple[tuple[Worker, ...], dict[str, Any]]:
    """Return what was packed, importing what it names.

    Raises:
        ConfigurationError: A worker is not declared where it was.
        Exception: Whatever the import of a user's module raises, or the code that restores a state.
    """
    workers, parts = _Unpickler(io.BytesIO(payload)).load()
    return workers, parts


def _packed(value: object) -> Package:
    buffer = io.BytesIO()
    pickler = _Pickler(buffer)
    pickler.dump(value)
    package = Package(buffer.getvalue(), pickler.needs_main)
    if package.needs_main and main_module() is None:
        problem = (
            "something that the processes need is defined in an interactive session, by python -c or on "
            f"standard input, which cannot be imported again: move it to a module, {_IN_ONE_PROCESS}"
        )
        raise ConfigurationError(problem)
    return package


class _Pickler(pickle.Pickler):
    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self._registered = {id(worker) for worker in registered_workers()}
        self.needs_main = False

    def persistent_id(self, obj: Any) -> object:
        """Name a registered worker by its module, unless its function can be named by itself."""
        if not isinstance(obj, Worker) or id(obj) not in self._registered or _is_named(obj):
            return None
        module = _declaring_module(obj)
        self._note(module)
        return module, obj.task_definition_name, obj.domain

    def reducer_override(self, obj: Any) -> Any:
        """Notice what lives in the main module."""
        if isinstance(obj, type | FunctionType):
            self._note(obj.__module__)
        return NotImplemented

    def _note(self, module: str) -> None:
        self.needs_main = self.needs_main or module == _MAIN


class _Unpickler(pickle.Unpickler):
    def persistent_load(self, pid: Any) -> Worker:
        """Return the worker that a module declares.

        Raises:
            DeclarationError: It does not.
        """
        module, task_type, domain = pid
        importlib.import_module(NAME_IN_CHILD if module == _MAIN else module)
        for worker in registered_workers():
            if (worker.task_definition_name, worker.domain) == (task_type, domain):
                return worker
        raise _missing(task_type, module)

    def find_class(self, module_name: str, global_name: str, /) -> Any:
        """Return a function or class by its name.

        Raises:
            DeclarationError: Its module does not define it.
        """
        try:
            return super().find_class(module_name, global_name)
        except AttributeError:
            raise _missing(global_name, module_name) from None


def _missing(name: str, module: str) -> DeclarationError:
    problem = (
        f"{name}: importing {module} again, in a child process, does not declare it: declare it at the top "
        f'level, outside of functions and of if __name__ == "__main__", {_IN_ONE_PROCESS}'
    )
    return DeclarationError(problem)


def _is_named(worker: Worker) -> bool:
    """Return whether a worker's function is what its module has under its name."""
    function = worker.execute_function
    if not isinstance(function, FunctionType) or "." in function.__qualname__:
        return False
    return getattr(sys.modules.get(function.__module__), function.__qualname__, None) is function


def _declaring_module(worker: Worker) -> str:
    """Return the name of the module whose import declares a registered worker."""
    run = worker.origin.declaring_run
    for name, module in list(sys.modules.items()):
        if getattr(module, "__spec__", None) is run or getattr(module, "__dict__", None) is run:
            return name
    return worker.origin.module


def _why_not_again(worker: Worker) -> str | None:
    """Return why another process cannot come by a worker's function; None if it can."""
    origin, name = worker.origin, worker.task_definition_name
    if origin.is_interactive or (_is_in_main(worker) and main_module() is None):
        why = "is declared in an interactive session, by python -c or on standard input: move it to a module"
    elif origin.qualname.rpartition(".")[2] == "<lambda>":
        why = "is a lambda: write it as a function at the top level of a module"
    elif "<locals>" in origin.qualname and not _is_global(worker):
        why = "is defined inside of a function: move it to the top level of a module"
    else:
        return None
    return f"worker {name!r}: {origin} {why}, since each process imports it again, {_IN_ONE_PROCESS}"


def _is_in_main(worker: Worker) -> bool:
    is_registered = any(worker is registered for registered in registered_workers())
    return (_declaring_module(worker) if is_registered else worker.origin.module) == _MAIN


def _is_global(worker: Worker) -> bool:
    """Return whether a module has the function under a name, as where a decorator returned a closure."""
    function = worker.execute_function
    module = sys.modules.get(str(getattr(function, "__module__", None)))
    return any(value is function for value in vars(module).values()) if module is not None else False


def _singly(parts: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Yield the parts, of a part that consists of several each one."""
    for name, part in parts.items():
        if isinstance(part, tuple | list):
            yield from ((f"{name}[{at}] ({type(each).__qualname__})", each) for at, each in enumerate(part))
        else:
            yield name, part


def _flaws(name: str, part: object) -> list[str]:
    """Return what is wrong with a part, by the innermost attribute that cannot be pickled."""
    try:
        _packed(part)
    except ConfigurationError as error:
        return [f"{name}: {problem}" for problem in error.problems]
    except Exception:  # noqa: BLE001 - user code: __reduce__, __getstate__
        path, culprit, refusal = _innermost(part)
        place = f"its attribute {path}, {shown(culprit)}," if path else shown(culprit)
        problem = (
            f"{name}: {place} cannot be sent to another process ({type(refusal).__name__}: {refusal}): "
            "make it there, by a factory, on first use or in lifespan, or leave it out in __getstate__, "
            f"{_IN_ONE_PROCESS}"
        )
        return [problem]
    return []


def _innermost(value: object) -> tuple[str, object, Exception]:
    path, error = "", _refusal(value)
    assert error is not None  # noqa: S101 - the caller has seen it
    for _ in range(_DEEPEST):
        for step, inner in _inside(value):
            if (refusal := _refusal(inner)) is not None:
                path, value, error = (path + step).lstrip("."), inner, refusal
                break
        else:
            break
    return path, value, error


def _refusal(value: object) -> Exception | None:
    try:
        _packed(value)
    except Exception as error:  # noqa: BLE001 - user code: __reduce__, __getstate__
        return error
    return None


def _inside(value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, Mapping):
        yield from ((f"[{key!r}]", inner) for key, inner in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"[{index}]", inner) for index, inner in enumerate(value))
    elif isinstance(value, MethodType):
        yield ".__self__", value.__self__
    elif not isinstance(value, type | FunctionType):
        state = getattr(value, "__dict__", None) or {
            name: getattr(value, name) for name in _slots(value) if hasattr(value, name)
        }
        yield from ((f".{name}", inner) for name, inner in state.items())


def _slots(value: object) -> Iterator[str]:
    for kind in type(value).__mro__:
        slots = vars(kind).get("__slots__", ())
        yield from [slots] if isinstance(slots, str) else slots
