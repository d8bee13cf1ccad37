"""All workers of one process: started together, stopped in stages."""

import enum
import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any

import anyio
import attrs

from anyworker.runner.in_hand import Execution
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.runner import Runner

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 10.0
"""How long cancelled functions may take to end and their tasks to be handed back."""


class FleetStage(enum.Enum):
    """How far a fleet is on its way out."""

    RUNNING = "running"
    QUIET = "quiet"
    """Nothing is polled; what is in hand goes on. The one stage from which there is a way back."""
    DRAINING = "draining"
    CANCELLING = "cancelling"
    ENDED = "ended"


TASKS_SHOWN = 20
"""Tasks in hand that a status tells of, for each worker."""


@attrs.frozen
class TaskStatus:
    """A task in hand."""

    task_id: str
    workflow_id: str
    retry_count: int
    since: float
    """Epoch seconds."""


@attrs.frozen
class WorkerStatus:
    """One worker at a moment."""

    task_type: str
    domain: str | None
    worker_id: str
    slots: int
    """How many tasks it may have in hand at once."""
    in_hand: int
    """Tasks polled whose results the server has not accepted yet."""
    undelivered: int
    """Results that nobody will send any more; each was published by a TaskUpdateFailure."""
    abandoned: int
    """Tasks whose threads could not be stopped."""
    finished: int
    """Tasks that have left its hands."""
    threads: int
    """Threads in which the worker's function runs, abandoned ones included."""
    leaked: int
    """Those of them whose calls were given up, by `timeout` or because the task was lost. As many as there
    are slots go on beside them; beyond that their slots stay taken until one ends."""
    is_paused: bool
    """Whether it does not poll, by its options or because the fleet is quiet."""
    last_poll: float | None
    """Epoch seconds of the last poll that was answered; None before the first."""
    failing_since: float | None
    """Epoch seconds since which its polls fail; None while they do not."""
    failure: str | None
    """Why the last one failed."""
    is_unique: bool = False
    """Whether no other process polls under the worker id."""
    restartable: bool | None = None
    """Whether tasks whose function has begun may be given back; None leaves it to their definitions."""
    tasks: tuple[TaskStatus, ...] = ()
    """The oldest tasks in hand."""


@attrs.frozen
class ProcessStatus:
    """One place for a process at a moment."""

    name: str
    task_types: str
    pid: int | None
    """Of the process that holds it, or held it last."""
    is_alive: bool
    is_serving: bool
    is_given_up: bool
    """Whether it stays empty, its processes having died too often."""
    exit_status: int | None
    """Of the process that ended last; -n for signal n."""
    restarts: int
    """Processes that took the place of one that died."""
    down_since: float | None
    """Epoch seconds since which no process of it polls, the last one having died."""
    rss_mb: float


@attrs.frozen
class FleetStatus:
    """A fleet at a moment."""

    stage: FleetStage
    workers: tuple[WorkerStatus, ...]
    processes: tuple[ProcessStatus, ...] = ()
    """Its processes' places, none where it runs in this one."""
    was_cut_short: bool = False
    """Whether a process was ended while it still imported its workers."""

    @property
    def is_everything_handed_over(self) -> bool:
        """Whether no result was given up and no task abandoned."""
        return not any(worker.undelivered or worker.abandoned for worker in self.workers)


@attrs.frozen(eq=False)
class Ended(Awaitable[None]):
    """Something begun already that may be awaited, or not."""

    wait: Callable[[], Awaitable[None]]

    def __await__(self) -> Generator[object, None, None]:
        return self.wait().__await__()


class Fleet:
    """Run workers until told to stop.

    Args:
        runners: One for each worker.
        grace: Seconds that tasks in hand may take to finish once the fleet drains.
        beside: Run beside them, until they have ended at the latest.
        outbox: Replays results beside them; when they have ended, however that was, it finishes.
    """

    def __init__(
        self,
        runners: Sequence[Runner],
        grace: float,
        beside: Sequence[Callable[[], Coroutine[Any, Any, None]]],
        outbox: Outbox,
    ) -> None:
        self._runners = tuple(runners)
        self._beside = (*beside, outbox.run)
        self.outbox = outbox
        """Where results are that could not be delivered."""
        self._grace = grace
        self._stage = FleetStage.RUNNING
        self._hushed: list[Runner] = []
        """Those that polled before the fleet became quiet."""
        self._drain = anyio.Event()
        self._cancel = anyio.Event()
        self._ended = anyio.Event()
        self.abandoning = anyio.Event()
        """Set when even cancelled tasks have not ended in time. The fleet ends when they let it."""
        self._scope = anyio.CancelScope(shield=True)

    def status(self) -> FleetStatus:
        """Return the stage and each worker's numbers as of now."""
        return FleetStatus(self._stage, tuple(_status(runner) for runner in self._runners))

    def quiet(self) -> None:
        """Stop polling; what is in hand goes on, and the fleet stays until it is resumed or drained."""
        if self._stage is FleetStage.RUNNING:
            self._stage = FleetStage.QUIET
            logger.info("Quiet: polling no more, %d tasks in hand", self._in_hand)
            self._hushed = [runner for runner in self._runners if not runner.is_paused]
            for runner in self._hushed:
                runner.pause()

    def resume(self) -> None:
        """Poll again after `quiet`, all but the workers that are paused by their options."""
        if self._stage is FleetStage.QUIET:
            self._stage = FleetStage.RUNNING
            logger.info("Resumed: polling again")
            for runner in self._hushed:
                runner.resume()

    def drain(self) -> Awaitable[None]:
        """Stop polling at once, finish what runs within the grace, deliver, end.

        Returns:
            Something that can be awaited, until the fleet has ended.
        """
        if self._stage in {FleetStage.RUNNING, FleetStage.QUIET}:
            self._stage = FleetStage.DRAINING
            logger.info("Draining: %d tasks in hand", self._in_hand)
            for runner in self._runners:
                runner.drain()
            self._drain.set()
        return Ended(self.wait)

    def stop(self) -> Awaitable[None]:
        """Drain without the grace: cancel what runs; what may run again is handed back.

        Returns:
            Something that can be awaited, until the fleet has ended.
        """
        self.drain()
        if self._stage is FleetStage.DRAINING:
            self._stage = FleetStage.CANCELLING
            if self._in_hand:
                logger.warning("Cancelling %d tasks in hand", self._in_hand)
            for runner in self._runners:
                runner.cancel()
            self._cancel.set()
        return Ended(self.wait)

    async def wait(self) -> None:
        """Wait until the fleet has ended."""
        await self._ended.wait()

    async def run(self) -> None:
        """Run all workers until drained. A cancellation from outside does not reach them: use `stop`."""
        try:
            with self._scope:
                async with anyio.create_task_group() as watch:
                    for companion in self._beside:
                        watch.start_soon(companion)
                    watch.start_soon(self._enforce_grace)
                    async with anyio.create_task_group() as workers:
                        for runner in self._runners:
                            workers.start_soon(runner.run)
                    watch.cancel_scope.cancel()
        finally:
            try:
                await self.outbox.finish()
            finally:
                self._stage = FleetStage.ENDED
                self._ended.set()

    @property
    def _in_hand(self) -> int:
        return sum(runner.in_hand for runner in self._runners)

    async def _enforce_grace(self) -> None:
        await self._drain.wait()
        with anyio.move_on_after(self._grace):
            await self._cancel.wait()
        self.stop()
        await anyio.sleep(CANCEL_SECONDS)
        logger.error("Abandoning %d tasks that did not end when cancelled", self._in_hand)
        self.abandoning.set()
        self._scope.cancel()


def _status(runner: Runner) -> WorkerStatus:
    identity = runner.identity
    return WorkerStatus(
        task_type=identity.task_type,
        domain=identity.domain,
        worker_id=identity.worker_id,
        slots=runner.slots,
        in_hand=runner.in_hand,
        undelivered=runner.undelivered,
        abandoned=runner.abandoned,
        finished=runner.finished,
        threads=runner.threads,
        leaked=runner.leaked,
        is_paused=runner.is_paused,
        last_poll=runner.polls.last,
        failing_since=runner.polls.failing_since,
        failure=runner.polls.failure,
        is_unique=identity.is_unique,
        restartable=runner.restartable,
        tasks=tuple(_task(execution) for execution in runner.oldest(TASKS_SHOWN)),
    )


def _task(execution: Execution) -> TaskStatus:
    task = execution.draft.task
    return TaskStatus(task.task_id, task.workflow_instance_id, task.retry_count, execution.since)
