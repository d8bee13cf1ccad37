"""The program's main module, and running it once more in a child process."""

import os
import sys
import traceback
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

import msgspec

from anyworker.errors import WorkerImportError

NAME_IN_CHILD = "__anyworker_main__"
"""Its ``__name__`` in a child, so that ``if __name__ == "__main__":`` holds in the parent only."""

_is_imported_again: ContextVar[bool] = ContextVar("_is_imported_again", default=False)


class ImportEnds(BaseException):
    """The main module has come to where the parent began to run workers: a child has all it needs."""


class MainModule(msgspec.Struct, frozen=True):
    """Where the main module comes from."""

    path: str
    """Its file."""
    name: str | None
    """Its name where it was run by ``python -m``."""


def main_module() -> MainModule | None:
    """Return this program's main module, None where it has no file: at a prompt, or by ``python -c``."""
    module = sys.modules["__main__"]
    path = getattr(module, "__file__", None)
    if path is None or hasattr(sys, "ps1") or not os.path.isfile(path):
        return None
    spec = getattr(module, "__spec__", None)
    name = spec.name if spec is not None and spec.name != "__main__" else None
    return MainModule(os.path.abspath(path), name)


def as_in_parent(text: str) -> str:
    """Return a message of a child process in which the main module has the name that its user knows."""
    return text.replace(NAME_IN_CHILD, "__main__")


def is_imported_again() -> bool:
    """Return whether the main module is being imported in a child process."""
    return _is_imported_again.get()


def end_import() -> None:
    """End the import of the main module, if that is what is under way; called where workers are about to run.

    Raises:
        ImportEnds: It is.
    """
    if is_imported_again():
        raise ImportEnds


def import_main(main: MainModule) -> None:
    """Run the parent's main module under another name, up to where it begins to run workers.

    What stands in it is found under ``__main__``, too, as pickles from the parent name it.

    Raises:
        WorkerImportError: It broke.
    """
    module = ModuleType(NAME_IN_CHILD)
    module.__file__ = main.path
    module.__package__ = main.name.rpartition(".")[0] if main.name else ""
    sys.modules[NAME_IN_CHILD] = sys.modules["__main__"] = module
    token = _is_imported_again.set(True)
    try:
        code = compile(Path(main.path).read_bytes(), main.path, "exec", dont_inherit=True)
        exec(code, vars(module))  # noqa: S102 - the user's own program
    except ImportEnds:
        return
    except (Exception, SystemExit) as error:
        problem = f"importing {_place(main, error)} again, in a child process, failed: {error!r}"
        raise WorkerImportError(problem) from error
    finally:
        _is_imported_again.reset(token)


def _place(main: MainModule, error: BaseException) -> str:
    lines = [
        line
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_code.co_filename == main.path
    ]
    return f"{main.path}:{lines[-1]}" if lines else main.path
