"""Middleware: what stands around every execution, and may change what goes in, what comes out, and when."""

import contextvars
import inspect
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio
import anyio.lowlevel

from anyworker import context as task_context
from anyworker.conductor.models import Task, TaskResult
from anyworker.context import TaskInProgress, get_task_context
from anyworker.errors import ConfigurationError
from anyworker.functions import why_unusable
from anyworker.policy.outcome import Completed, InProgress, Outcome, Returned
from anyworker.runner.calling.isolation import in_context
from anyworker.runner.calling.raising import is_stray, outcome_of_raised
from anyworker.runner.calling.returning import outcome_of

if TYPE_CHECKING:
    from anyworker.runner.calling.execution import Executor
    from anyworker.runner.in_hand import Execution

CallNext: TypeAlias = Callable[[Task], Awaitable[Outcome]]
"""Does the rest of an execution: converts the task's input, calls the function, tells what that came to.

It takes the task that the rest is to see. To change the input, change ``task.input_data``, or give a copy
with another one: ``msgspec.structs.replace(task, input_data={...})``. What the function raises comes back as
`Failed` or `Terminal`, with the exception as their ``cause``; only a cancellation is raised. It may be
awaited again, to try again; once the worker's ``timeout`` has passed, that is over at once.
"""
Middleware: TypeAlias = Callable[
    [CallNext, Task], Awaitable[Outcome | TaskResult | TaskInProgress | dict[str, Any]]
]
"""``async def m(call_next, task)``: returns what ``call_next(task)`` did, or an outcome of its own.

Instead of an outcome it may return what a function may, except None: a dict is the output. What it raises
fails the task as what a function raises does; a middleware around it sees that as an outcome.
"""


def checked_middleware(middleware: Iterable[object]) -> tuple[Middleware, ...]:
    """Return middleware that can work, the outermost first.

    Raises:
        ConfigurationError: Names all that cannot.
    """
    if callable(middleware) or not isinstance(middleware, Iterable):
        problem = f"middleware={_name(middleware)}: expected a list of functions, as in middleware=[function]"
        raise ConfigurationError(problem)
    given: tuple[Any, ...] = tuple(middleware)
    problems = [
        f"middleware[{at}] ({_name(each)}) {why}: expected async def m(call_next, task)"
        for at, each in enumerate(given)
        if (why := _why_not(each)) is not None
    ]
    if problems:
        raise ConfigurationError(problems)
    return given


def _why_not(middleware: object) -> str | None:
    if inspect.isclass(middleware):
        return "is a class, not an object of it"
    if not callable(middleware):
        return "cannot be called"
    if (why := why_unusable(middleware)) is not None:
        return why
    try:
        inspect.signature(middleware).bind(None, None)
    except TypeError as error:
        return f"does not take two arguments ({error})"
    except ValueError:  # built-in code that does not tell its parameters
        return None
    return None


def _name(middleware: object) -> str:
    return getattr(middleware, "__qualname__", None) or type(middleware).__qualname__


async def wrapped(executor: "Executor", execution: "Execution", scope: "anyio.CancelScope") -> Outcome:
    """Execute a task through the executor's middleware; see `Executor.execute`.

    Middleware has a context of its own for each task: what it sets there the function sees, and no other
    task.
    """
    draft = execution.draft
    polled = draft.task
    call: CallNext = partial(_innermost, executor, execution, scope)
    for layer in reversed(executor.middleware):
        call = partial(_layer, execution, layer, call)
    surroundings = contextvars.copy_context()
    surroundings.run(task_context.enter, draft, None, executor.resources, executor.log_level)
    execution.scope = scope
    try:
        coroutine: Any = surroundings.run(call, polled)
        outcome: Outcome = await in_context(
            surroundings, coroutine, partial(executor.blocking.noticed, execution)
        )
        return outcome
    finally:
        execution.scope = None
        # A hand-back says again what the server said, not what middleware made of it.
        draft.task = polled


async def _innermost(
    executor: "Executor", execution: "Execution", scope: "anyio.CancelScope", task: Task
) -> Outcome:
    draft = execution.draft
    if task.task_id != draft.task.task_id:
        message = f"call_next was given another task: {task.task_id}, while running {draft.task.task_id}"
        raise ValueError(message)
    if draft.cancel_reason is not None:
        return executor.cut(execution)
    draft.task = task
    try:
        return _marking(execution, await executor.execute_bare(execution, scope))
    finally:
        execution.scope = scope


async def _layer(execution: "Execution", layer: Middleware, call_next: CallNext, task: Task) -> Outcome:
    try:
        returned: object = layer(call_next, task)
        if not inspect.isawaitable(returned):
            message = (
                f"middleware {_name(layer)} returned a {type(returned).__name__} without being awaited: "
                "declare it with async def"
            )
            raise TypeError(message)
        return _as_outcome(layer, await returned, task)
    except BaseException as error:  # noqa: BLE001 - the boundary to user functions
        if (outcome := outcome_of_raised(error, task.task_id)) is not None:
            return _marking(execution, outcome)
    await anyio.lowlevel.checkpoint()
    raise AssertionError


def _marking(execution: "Execution", outcome: Outcome) -> Outcome:
    """Return an outcome; remember a stray cancellation, of which other middleware may make a success."""
    execution.is_marked = execution.is_marked or is_stray(outcome)
    return outcome


def _as_outcome(layer: Middleware, value: object, task: Task) -> Outcome:
    if isinstance(value, Returned):
        value = value.result
    if isinstance(value, Completed | InProgress) and not isinstance(value.output, dict):
        message = f"middleware {_name(layer)} returned {value!r}: expected a dict as output"
        raise TypeError(message)
    if isinstance(value, Outcome):
        return value
    if value is None:
        message = (
            f"middleware {_name(layer)} returned None: return what call_next(task) returned, or an outcome"
        )
        raise TypeError(message)
    return outcome_of(value, get_task_context(), task)
