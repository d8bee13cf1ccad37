"""A function while it runs for a task, as a worker would run it, without any server."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, Unpack

import anyio
import anyio.abc
import anyio.from_thread
import anyio.lowlevel
import attrs

from anyworker.conductor.models import Task
from anyworker.context import now_ms
from anyworker.events import Listener, Publisher, TaskRunnerEvent
from anyworker.options import resolve_all
from anyworker.policy.cancellation import CancelReason, Draining, LeaseLost, Terminated
from anyworker.policy.outcome import Abandoned, Draft, Dropped, Outcome, to_result
from anyworker.runner.assembly import executor_of
from anyworker.runner.calling.blocking import LoopWatch
from anyworker.runner.calling.execution import Executor
from anyworker.runner.calling.wrapping import Middleware, checked_middleware
from anyworker.runner.in_hand import Execution
from anyworker.runner.log_forwarding import forwarding
from anyworker.runner.reporting import Reporter
from anyworker.runner.threads import run_inline, thread_runner
from anyworker.testing.outcome import TaskOutcome, reported, unsaid
from anyworker.testing.takeover import is_time_virtual
from anyworker.testing.tasks import TaskFields, task_for, worker_of

WORKER_ID = "test-worker"


class TaskRun:
    """A function while it runs for a task, with levers to pull: ``async with TaskRun(work, {...}) as run:``.

    When the block is entered, the function has begun; leaving it waits for the end. Then `outcome` tells
    what came of it. Under virtual time the waits cost nothing.

    A thread cannot be interrupted: a plain function that is cancelled in one is left behind, as in
    production, unless it has just ended. Where the worker drains, it has a second to end.

    Args:
        source: A function, decorated or not, a `Worker`, or an object with ``execute(task)``.
        input: The task's input, or a whole task.
        poll_count: How often the task was handed out in this attempt, from 1.
        retry_count: The attempt, from 0.
        in_thread: Whether a plain function runs in a thread, as in production, or right in the event loop;
            by default in a thread, unless time is virtual: it would run away from a thread.
        event_listeners: Hear the events as well.
        resources: What the lifespan would yield, by name.
        middleware: What stands around the execution, the outermost first; see `anyworker.middleware`.
        **fields: More of the task.

    Raises:
        DeclarationError: ``source`` cannot be a worker.
        SerializationError: A value of the task has no place in JSON.
    """

    def __init__(
        self,
        source: object,
        input: Mapping[str, Any] | Task | None = None,
        *,
        poll_count: int = 1,
        retry_count: int = 0,
        in_thread: bool | None = None,
        event_listeners: Iterable[Listener] = (),
        resources: Mapping[str, Any] | None = None,
        middleware: Sequence[Middleware] = (),
        **fields: Unpack[TaskFields],
    ) -> None:
        self._resolved = resolve_all([worker_of(source)], {}).workers[0]
        worker = self._resolved.worker
        self.task = task_for(worker, input, poll_count=poll_count, retry_count=retry_count, **fields)
        self._in_thread = in_thread
        self._resources = resources or {}
        self._middleware = checked_middleware(middleware)
        self._events: list[TaskRunnerEvent] = []
        publisher = Publisher([_Recorder(self._events), *event_listeners])
        worker_id = self._resolved.options.worker_id or WORKER_ID
        self._watch = LoopWatch(publisher)
        self._reporter = Reporter(publisher, worker.task_definition_name, worker_id)
        # The draft splits its bookkeeping off from the task it is given.
        polled = task_for(worker, self.task, poll_count=1, retry_count=0)
        self._execution = Execution(Draft.of(polled, worker_id), polled.poll_count)
        self._outcome: TaskOutcome | None = None

    @property
    def outcome(self) -> TaskOutcome:
        """What came of it.

        Raises:
            RuntimeError: The function has not ended.
        """
        if self._outcome is None:
            message = "the function has not ended: leave the block first, or `await run.wait()` in it"
            raise RuntimeError(message)
        return self._outcome

    def cancel(self, reason: CancelReason | None = None) -> None:
        """Cancel the function, as when the server says that the task has ended.

        Args:
            reason: What the function reads as ``get_task_context().cancel_reason``; by default `Terminated`.
        """
        self._execution.cancel(Terminated() if reason is None else reason)

    def lose_lease(self) -> None:
        """Cancel the function because another worker may have the task by now."""
        self.cancel(LeaseLost())

    def drain(self) -> None:
        """Cancel the function as a worker does whose grace is over; the task is handed back if it may be."""
        self.cancel(Draining())

    async def let_pass(self, seconds: float) -> None:
        """Let time pass; at once where it is virtual."""
        await anyio.sleep(seconds)

    async def wait(self) -> TaskOutcome:
        """Wait for the function's end and return the outcome."""
        await self._ended.wait()
        return self.outcome

    async def __aenter__(self) -> Self:
        self._begun, self._ended = anyio.Event(), anyio.Event()
        self._execution.taken = anyio.current_time()
        in_thread = not is_time_virtual() if self._in_thread is None else self._in_thread
        run_sync = thread_runner() if in_thread else run_inline
        executor = executor_of(self._resolved, run_sync, self._resources, self._middleware, self._watch)
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._group.start_soon(self._run, executor, in_thread)
        await self._begun.wait()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        if isinstance(error, anyio.get_cancelled_exc_class()):
            return await self._group.__aexit__(kind, error, trace)
        if error is not None:
            # A failed assertion is to come out as it is, not in a group.
            self._group.cancel_scope.cancel()
        await self._group.__aexit__(None, None, None)
        return None

    async def _run(self, executor: Executor, in_thread: bool) -> None:
        if executor.is_async or not in_thread:
            self._begun.set()
        else:
            executor = attrs.evolve(executor, function=self._announced(executor.function))
        self._reporter.execution_started(self._execution)
        try:
            outcome: Outcome | None = None
            async with forwarding([self._resolved]):
                with anyio.CancelScope() as scope:
                    outcome = await executor.execute(self._execution, scope)
            if outcome is None or scope.cancel_called:
                outcome = executor.ended(self._execution, outcome)
            self._outcome = await self._told(executor, outcome)
        finally:
            self._begun.set()
            self._ended.set()

    def _announced(self, function: Callable[..., object]) -> Callable[..., object]:
        """Return a function that tells when it is called in its thread: a lever must not come before that."""
        loop = anyio.lowlevel.current_token()

        def begin(*args: object, **kwargs: object) -> object:
            anyio.from_thread.run_sync(self._begun.set, token=loop)
            return function(*args, **kwargs)

        return begin

    async def _told(self, executor: Executor, outcome: Outcome) -> TaskOutcome:
        execution = self._execution
        if isinstance(outcome, Dropped | Abandoned):
            return unsaid(execution, outcome, self._events, self.task)
        result = to_result(outcome, execution.draft, now_ms=now_ms)
        parcel = await executor.packed(result, execution)
        self._reporter.executed(execution, outcome, parcel)
        return reported(execution, outcome, parcel, self._events, self.task)


class _Recorder:
    """Keep the events of an execution, in order."""

    def __init__(self, events: list[TaskRunnerEvent]) -> None:
        self.on_task_execution_started = events.append
        self.on_task_execution_completed = events.append
        self.on_task_execution_failure = events.append
