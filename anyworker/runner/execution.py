"""Call a worker's function for a task and make of whatever happens an outcome. Nothing it raises gets out."""

import contextvars
import inspect
import logging
import math
import threading
import traceback
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

import anyio
import anyio.lowlevel
import attrs

from anyworker import context as task_context
from anyworker.conductor.models import Task, TaskResult
from anyworker.context import TaskContext, TaskInProgress, TimeLimit
from anyworker.errors import ConversionError, ExecutionTimeout, ShutDown, StrayCancellation
from anyworker.policy.cancellation import (
    CancelReason,
    Draining,
    LeaseLost,
    Terminated,
    TimedOut,
    TimeoutExceeded,
)
from anyworker.policy.outcome import (
    Abandoned,
    Completed,
    Draft,
    Dropped,
    Failed,
    HandedBack,
    InProgress,
    Outcome,
    Returned,
    Terminal,
    checked,
    failure,
)
from anyworker.runner.isolation import in_context
from anyworker.runner.threads import RunSync
from anyworker.values.payload import to_output

logger = logging.getLogger(__name__)

_OWN_CODE = str(Path(__file__).parents[1])

TRACEBACK_LIMIT = 20_000
"""Characters of a traceback that go to a task's log."""

T = TypeVar("T")


class Call(Protocol):
    """A function whose parameters are resolved: see `values.resolve.resolve_call`."""

    def arguments(self, task: Task) -> tuple[tuple[object, ...], dict[str, object]]:
        """Return the positional and keyword arguments for a task, or raise ConversionError."""
        ...


@attrs.define(eq=False)
class Execution:
    """One task in hand, from its arrival to the acceptance of its result."""

    draft: Draft
    wire_poll_count: int
    """The server's own count, hand-backs included."""
    scope: anyio.CancelScope | None = None
    """What cancels the call of the function, while it goes on."""
    progress_scope: anyio.CancelScope | None = None
    """Around the delivery of a result that does not end the task, while it goes on."""
    started: float = 0.0
    """Loop time at which the function was called, where somebody wants to know."""
    thread_id: int | None = None
    """The thread in which a plain function runs, while it does."""
    is_left: bool = False
    """Whether nobody waits for the call any more."""
    is_abandoned: bool = False
    """Whether it was left while a thread ran the function."""

    def cancel(self, reason: CancelReason) -> None:
        """Cancel the call, if it is still going on; the first reason counts."""
        self.draft.cancel_reason = self.draft.cancel_reason or reason
        if self.scope is not None:
            self.scope.cancel()

    def leave(self) -> None:
        """Wait for the call no longer. A thread that is in it goes on."""
        self.is_left = True
        self.is_abandoned = self.thread_id is not None


@attrs.frozen(eq=False)
class Executor:
    """How one worker's function is called."""

    function: Callable[..., object]
    call: Call
    is_async: bool
    timeout: float | None
    """Seconds a call may take, None for any time."""
    run_sync: RunSync
    resources: Mapping[str, Any] = attrs.field(factory=dict)
    """What the process's lifespan yielded, for the functions' context."""
    threads: set[int] = attrs.field(factory=set)
    """Threads that are in the function, also those that nobody waits for any more."""

    def execute(self, execution: Execution, scope: anyio.CancelScope) -> Awaitable[Outcome]:
        """Call the function for a task and return, when awaited, the outcome.

        Only a cancellation that a scope of ours asked for gets out. Where that was ``scope``, `cut` tells
        the outcome.

        Args:
            execution: The task.
            scope: What `Execution.cancel` cancels while the call goes on.
        """
        task = execution.draft.task
        if (reason := execution.draft.cancel_reason) is not None:
            is_lost = isinstance(reason, Terminated | TimedOut | LeaseLost)
            return known(Dropped(reason) if is_lost else HandedBack())
        if task.external_input_payload_storage_path and not task.input_data:
            return known(_unreadable_input(task))
        try:
            positional, named = self.call.arguments(task)
        except ConversionError as error:
            return known(Terminal(str(error), error))
        execution.scope = scope
        if self.timeout is None:
            return self._guarded(execution, positional, named)
        return self._timed(execution, self.timeout, positional, named)

    def cut(self, execution: Execution) -> Outcome:
        """Return the outcome of a call that was cancelled, by its reason."""
        execution.leave()
        match execution.draft.cancel_reason:
            case Terminated() | TimedOut() | LeaseLost() as reason:
                return Dropped(reason)
            case TimeoutExceeded(seconds):
                overdue = ExecutionTimeout(seconds)
                return Failed(str(overdue), overdue)
            case Draining() | None if execution.is_abandoned:
                return Abandoned()
            case Draining() | None if _may_run_again(execution.draft.task):
                return HandedBack()
            case Draining() | None:
                ended = ShutDown()
                return Failed(str(ended), ended)

    async def _timed(
        self,
        execution: Execution,
        seconds: float,
        positional: tuple[object, ...],
        named: dict[str, object],
    ) -> Outcome:
        with anyio.move_on_after(seconds) as scope:
            return await self._guarded(execution, positional, named, TimeLimit(seconds, scope))
        execution.cancel(TimeoutExceeded(seconds))
        return self.cut(execution)

    async def _guarded(
        self,
        execution: Execution,
        positional: tuple[object, ...],
        named: dict[str, object],
        limit: TimeLimit | None = None,
    ) -> Outcome:
        surroundings = contextvars.copy_context()
        context = surroundings.run(task_context.enter, execution.draft, limit, self.resources)
        try:
            if self.is_async:
                coroutine: Any = surroundings.run(self.function, *positional, **named)
                value = await in_context(surroundings, coroutine)
            else:
                returned = await self._in_thread(
                    execution, partial(surroundings.run, self.function, *positional, **named)
                )
                if returned.error is not None:
                    raise returned.error
                value = returned.value
                if inspect.isawaitable(value):
                    value = await in_context(surroundings, _awaited(value))
            return _outcome_of(value, context, execution.draft.task)
        except BaseException as error:
            is_cancellation = isinstance(error, anyio.get_cancelled_exc_class())
            if anyio.current_effective_deadline() > -math.inf:
                return _stray(error) if is_cancellation else failure(error, _traceback(error))
            if is_cancellation:
                raise
            logger.debug("Raised while cancelled, task %s", execution.draft.task.task_id, exc_info=error)
        finally:
            execution.scope = None
        # Whatever it raised on its way out, it was cancelled: the scopes that asked for it take it from here.
        await anyio.lowlevel.checkpoint()
        raise AssertionError

    async def _in_thread(self, execution: Execution, function: Callable[[], object]) -> "_Returned":
        returned = _Returned()

        def call() -> None:
            execution.thread_id = thread_id = threading.get_ident()
            self.threads.add(thread_id)
            try:
                # Either this thread sees that it came too late, or `leave` sees this thread.
                if not execution.is_left:
                    returned.value = function()
            except BaseException as error:  # noqa: BLE001 - the boundary to user functions
                returned.error = error
            finally:
                execution.thread_id = None
                self.threads.discard(thread_id)

        await self.run_sync(call)
        return returned


async def known(outcome: Outcome) -> Outcome:
    """Return an outcome for which nothing was called."""
    return outcome


@attrs.define(eq=False)
class _Returned:
    """What a function came back with. Its exception is carried by hand: no future takes a StopIteration."""

    value: Any = None
    error: BaseException | None = None


def _stray(error: BaseException) -> Failed:
    stray = StrayCancellation()
    return Failed(str(stray), stray, _traceback(error))


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def _may_run_again(task: Task) -> bool:
    return task.task_definition is None or task.retry_count < task.task_definition.retry_count


def _traceback(error: BaseException) -> str:
    """Return the traceback from the user's first frame on, cut in the middle where it is very long."""
    frame = error.__traceback__
    while frame is not None and frame.tb_frame.f_code.co_filename.startswith(_OWN_CODE):
        frame = frame.tb_next
    text = "".join(traceback.format_exception(type(error), error, frame))
    if len(text) <= TRACEBACK_LIMIT:
        return text
    half = TRACEBACK_LIMIT // 2
    return f"{text[:half]}\n[...]\n{text[-half:]}"


def _unreadable_input(task: Task) -> Terminal:
    problem = (
        f"$: the server stored the input outside, at {task.external_input_payload_storage_path}, "
        "where a worker cannot read it; keep the input below the server's payload threshold"
    )
    error = ConversionError([problem])
    return Terminal(str(error), error)


def _outcome_of(value: object, context: TaskContext, task: Task) -> Outcome:
    if isinstance(value, TaskInProgress):
        return InProgress(value.output, value.callback_after_seconds)
    if isinstance(value, TaskResult):
        if value.task_id not in {"", task.task_id}:
            error = ValueError(
                f"returned a TaskResult of another task: {value.task_id}, while running {task.task_id}"
            )
            return Terminal(str(error), error)
        result = checked(value)
        result.callback_after_seconds = task_context.callback_seconds(result.callback_after_seconds)
        return Returned(result)
    output = to_output(value)
    if value is None and context.has_output:
        output = {}
    if context.callback_after is not None:
        return InProgress(output, context.callback_after)
    return Completed(output)
