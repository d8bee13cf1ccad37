"""Objects that a command line or a settings file names: ``MODULE:NAME``."""

import inspect
from collections.abc import Callable
from typing import Any

from anyworker.errors import WorkerImportError
from anyworker.fleet.discovery.loader import load, merged, refusal
from anyworker.settings_file import ObjectName
from anyworker.spelling import nearest


def named_parts(lifespan: Any, middleware: Any) -> dict[str, Any]:
    """Return these settings of a run, names in them replaced by what they mean.

    Modules and files are imported for that as `load` does. Where middleware is a class, one is made of it.

    Raises:
        WorkerImportError: Says of each name that means nothing why.
    """
    failures: list[WorkerImportError] = []

    def found(key: str, value: Any, take: Callable[[str], Any]) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return take(value)
        except WorkerImportError as error:
            place = value.place if isinstance(value, ObjectName) else key
            failure = WorkerImportError([f"{place}: {problem}" for problem in error.problems])
            failure.__cause__ = error.__cause__
            failures.append(failure)
            return None

    parts = {"lifespan": found("lifespan", lifespan, named)}
    chosen = [middleware] if isinstance(middleware, str) else middleware
    if isinstance(chosen, list | tuple):
        chosen = [found("middleware", each, _instance) for each in chosen]
    parts["middleware"] = chosen
    if failures:
        raise merged(failures)
    return parts


def named(target: str) -> Any:
    """Return what a module or a file calls by a name.

    Args:
        target: ``my_app.resources:pool`` or ``app/resources.py:pool``.

    Raises:
        WorkerImportError: The module cannot be imported, or has nothing of that name that can be called.
    """
    module, colon, path = target.rpartition(":")
    if not (colon and module and all(part.isidentifier() for part in path.split("."))):
        raise refusal(target, "expected MODULE:NAME or FILE.py:NAME, like my_app.resources:pool")
    value: Any = load(module)
    for part in path.split("."):
        if not hasattr(value, part):
            near = nearest(part, dir(value))
            hint = f"; did you mean {near!r}?" if near else ""
            raise refusal(target, f"there is no {part!r} in {module}{hint}")
        value = getattr(value, part)
    if not callable(value):
        raise refusal(target, f"it is {value!r}, which cannot be called")
    return value


def _instance(target: str) -> Any:
    middleware = named(target)
    if not inspect.isclass(middleware):
        return middleware
    try:
        return middleware()
    except Exception as error:
        reason = f"{middleware.__qualname__}() failed: {type(error).__name__}: {error}"
        raise refusal(target, reason) from error
