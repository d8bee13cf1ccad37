"""Call a worker's function for a task and make of whatever happens an outcome. Nothing it raises gets out."""

import contextvars
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import anyio
import anyio.lowlevel
import attrs

from anyworker import context as task_context
from anyworker.conductor.models import Task, TaskResult
from anyworker.context import TimeLimit
from anyworker.errors import ConversionError, ExecutionTimeout, ShutDown
from anyworker.logs import fields_of
from anyworker.policy.again import why_not_again
from anyworker.policy.cancellation import (
    Draining,
    LeaseLost,
    Terminated,
    TimedOut,
    TimeoutExceeded,
)
from anyworker.policy.outcome import (
    Abandoned,
    Dropped,
    Failed,
    HandedBack,
    Outcome,
    Sent,
    Terminal,
    failure,
)
from anyworker.runner.calling.blocking import Blocking
from anyworker.runner.calling.isolation import in_context
from anyworker.runner.calling.leaks import Leaks
from anyworker.runner.calling.packing import Packer
from anyworker.runner.calling.raising import outcome_of_raised
from anyworker.runner.calling.returning import outcome_of
from anyworker.runner.calling.threaded import called_in_thread
from anyworker.runner.calling.tracebacks import traceback_of
from anyworker.runner.calling.wrapping import Middleware, wrapped
from anyworker.runner.in_hand import Execution
from anyworker.runner.parcel import Parcel
from anyworker.runner.threads import RunSync
from anyworker.values.collector import without_collections
from anyworker.values.payload import is_opened_by_its_class
from anyworker.values.weight import is_heavy

logger = logging.getLogger(__name__)

T = TypeVar("T")
Arguments = tuple[tuple[object, ...], dict[str, object]]
"""Of a call: positional, by name."""


class Call(Protocol):
    """A function whose parameters are resolved: see `values.resolve.resolve_call`."""

    def arguments(self, task: Task) -> Arguments:
        """Return the positional and keyword arguments for a task, or raise ConversionError."""
        ...


@attrs.frozen(eq=False)
class Executor:
    """How one worker's function is called."""

    function: Callable[..., object]
    call: Call
    is_async: bool
    timeout: float | None
    """Seconds a call may take, None for any time."""
    run_sync: RunSync
    packer: Packer
    """Makes the results ready for the wire."""
    blocking: Blocking
    """Hears when the function keeps the event loop."""
    restartable: bool | None = None
    """Whether tasks whose function has begun may be given back; None leaves it to their definitions."""
    resources: Mapping[str, Any] = attrs.field(factory=dict)
    """What the process's lifespan yielded, for the functions' context."""
    log_level: int | None = None
    """From which level on what the function logs goes to the task's log."""
    middleware: Sequence[Middleware] = ()
    """What stands around each call, the outermost first."""
    threads: set[int] = attrs.field(factory=set)
    """Threads that are in the function, also those that nobody waits for any more."""
    leaks: Leaks = attrs.field(factory=Leaks)
    """The latter."""

    def execute(self, execution: Execution, scope: anyio.CancelScope) -> Awaitable[Outcome]:
        """Call the function for a task and return, when awaited, the outcome.

        Only a cancellation that a scope of ours asked for gets out. Where that was ``scope``, `cut` tells
        the outcome.

        Args:
            execution: The task.
            scope: What `Execution.cancel` cancels while the call goes on.
        """
        if (reason := execution.draft.cancel_reason) is not None:
            is_lost = isinstance(reason, Terminated | TimedOut | LeaseLost)
            return known(Dropped(reason) if is_lost else HandedBack("shutdown"))
        return wrapped(self, execution, scope) if self.middleware else self.execute_bare(execution, scope)

    def execute_bare(self, execution: Execution, scope: anyio.CancelScope) -> Awaitable[Outcome]:
        """Do as `execute` does, without middleware."""
        task = execution.draft.task
        if task.external_input_payload_storage_path and not task.input_data:
            return known(_unreadable_input(task))
        if is_heavy(task.input_data):
            return self._converted_aside(execution, scope)
        return self._called(execution, scope, self._arguments(task))

    def packed(self, result: TaskResult, execution: Execution) -> Awaitable[Parcel]:
        """Make the result of a task ready for the wire."""
        return self.packer.pack(result, execution.wire_poll_count, execution.draft)

    def cut(self, execution: Execution) -> Outcome:
        """Return the outcome of a call that was cancelled, by its reason."""
        self.leaks.leave(execution)
        match execution.draft.cancel_reason:
            case Terminated() | TimedOut() | LeaseLost() as reason:
                return Dropped(reason)
            case TimeoutExceeded(seconds):
                overdue = ExecutionTimeout(seconds)
                return Failed(str(overdue), overdue)
            case Draining() | None if execution.is_abandoned:
                return Abandoned()
            case Draining() | None:
                return self._drained(execution)

    def _drained(self, execution: Execution) -> HandedBack | Failed:
        """Return the outcome of a call that was cancelled because the worker ends."""
        if not execution.has_begun:
            return HandedBack("shutdown")
        held = anyio.current_time() - execution.taken
        if (why := why_not_again(execution.draft.task, self.restartable, held=held)) is None:
            return HandedBack("shutdown")
        ended = ShutDown(why)
        return Failed(str(ended), ended)

    def ended(self, execution: Execution, outcome: Outcome | None) -> Outcome:
        """Return the outcome of a call that was cancelled, whatever it came to: None if to nothing."""
        if outcome is None:
            return self.cut(execution)
        reason = execution.draft.cancel_reason
        logger.warning(
            "The function of task %s ended as if it had not been cancelled: %s",
            execution.draft.task.task_id,
            reason,
            extra=fields_of(execution.draft.task),
        )
        if isinstance(reason, Terminated | TimedOut | LeaseLost) and isinstance(outcome, Sent):
            return Dropped(reason, outcome)
        return outcome

    async def _converted_aside(self, execution: Execution, scope: anyio.CancelScope) -> Outcome:
        """Convert an input where the loop need not stand still for it, then call."""
        execution.scope = scope
        try:
            convert = partial(self._arguments, execution.draft.task)
            arguments = await self.run_sync(partial(without_collections, convert))
        finally:
            execution.scope = None
        return await self._called(execution, scope, arguments)

    def _arguments(self, task: Task) -> Arguments | Outcome:
        """Return the arguments for a task, or the outcome where there are none."""
        try:
            return self.call.arguments(task)
        except ConversionError as error:
            return Terminal(str(error), error)
        except BaseException as error:  # noqa: BLE001 - constructors of the user's run here
            return failure(error, traceback_of(error))

    def _called(
        self,
        execution: Execution,
        scope: anyio.CancelScope,
        arguments: Arguments | Outcome,
    ) -> Awaitable[Outcome]:
        if not isinstance(arguments, tuple):
            return known(arguments)
        positional, named = arguments
        execution.scope = scope
        if self.timeout is None:
            return self._guarded(execution, positional, named)
        return self._timed(execution, self.timeout, positional, named)

    async def _timed(
        self,
        execution: Execution,
        seconds: float,
        positional: tuple[object, ...],
        named: dict[str, object],
    ) -> Outcome:
        with anyio.move_on_after(seconds) as scope:
            outcome = await self._guarded(execution, positional, named, TimeLimit(seconds, scope))
            if not scope.cancel_called:
                return outcome
            task = execution.draft.task
            execution.late = partial(_sent, outcome)
            text = "The function of task %s went on to its end after its timeout"
            logger.warning(text, task.task_id, extra=fields_of(task))
        execution.is_interrupted = True
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
        context = surroundings.run(task_context.enter, execution.draft, limit, self.resources, self.log_level)
        try:
            if self.is_async:
                execution.has_begun = True
                coroutine: Any = surroundings.run(self.function, *positional, **named)
                value = await in_context(surroundings, coroutine, partial(self.blocking.noticed, execution))
            else:
                returned = await called_in_thread(
                    execution,
                    partial(surroundings.run, self.function, *positional, **named),
                    context,
                    run_sync=self.run_sync,
                    threads=self.threads,
                    leaks=self.leaks,
                )
                if returned.error is not None:
                    raise returned.error
                value = returned.value
                if inspect.isawaitable(value):
                    blocked = partial(self.blocking.noticed, execution)
                    value = await in_context(surroundings, _awaited(value), blocked)
            if is_opened_by_its_class(value) and is_heavy(value):
                # The function has ended: what it came to is not given up for a shutdown.
                execution.scope = None
                open_up = partial(outcome_of, value, context, execution.draft.task)
                return await self.run_sync(partial(without_collections, open_up))
            return outcome_of(value, context, execution.draft.task)
        except BaseException as error:  # noqa: BLE001 - the boundary to user functions
            if (outcome := outcome_of_raised(error, execution.draft.task.task_id)) is not None:
                return outcome
        finally:
            execution.scope = None
        # Whatever it raised on its way out, it was cancelled: the scopes that asked for it take it from here.
        await anyio.lowlevel.checkpoint()
        raise AssertionError


def _sent(outcome: Outcome) -> Sent | None:
    return outcome if isinstance(outcome, Sent) else None


async def known(outcome: Outcome) -> Outcome:
    """Return an outcome for which nothing was called."""
    return outcome


async def _awaited(value: Awaitable[T]) -> T:
    return await value


def _unreadable_input(task: Task) -> Terminal:
    problem = (
        f"$: the server stored the input outside, at {task.external_input_payload_storage_path}, "
        "where a worker cannot read it; keep the input below the server's payload threshold"
    )
    error = ConversionError([problem])
    return Terminal(str(error), error)
