"""All workers of one process: started together, stopped in stages."""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from typing import Any

import anyio
import attrs

from anyworker.events import Publisher
from anyworker.fleet.reporting import FleetReporter, tell_stage
from anyworker.fleet.status import FleetStage, FleetStatus, OutboxStatus, TaskStatus, WorkerStatus
from anyworker.runner.in_hand import Execution
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.runner import Runner

logger = logging.getLogger(__name__)

CANCEL_SECONDS = 10.0
"""How long cancelled functions may take to end and their tasks to be handed back."""
TASKS_SHOWN = 20
"""Tasks in hand that a status tells of, for each worker."""


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
        publisher: Hears of the workers and of the stages.
    """

    def __init__(
        self,
        runners: Sequence[Runner],
        grace: float,
        beside: Sequence[Callable[[], Coroutine[Any, Any, None]]],
        outbox: Outbox,
        publisher: Publisher,
    ) -> None:
        self._runners = tuple(runners)
        self._beside = (*beside, outbox.run)
        self.outbox = outbox
        """Where results are that could not be delivered."""
        self._grace = grace
        self._publisher = publisher
        self._reporter = FleetReporter(publisher)
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
        workers = tuple(_status(runner) for runner in self._runners)
        return FleetStatus(self._stage, workers, outbox=_outbox_status(self.outbox))

    def quiet(self) -> None:
        """Stop polling; what is in hand goes on, and the fleet stays until it is resumed or drained."""
        if self._stage is FleetStage.RUNNING:
            self._stage = FleetStage.QUIET
            logger.info("Quiet: polling no more, %d tasks in hand", self._in_hand)
            self._hushed = [runner for runner in self._runners if not runner.is_paused]
            tell_stage(self._publisher, "quiet", self._in_hand)
            for runner in self._hushed:
                runner.pause()
                self._reporter.paused(runner, "quiet")

    def resume(self) -> None:
        """Poll again after `quiet`, all but the workers that are paused by their options."""
        if self._stage is FleetStage.QUIET:
            self._stage = FleetStage.RUNNING
            logger.info("Resumed: polling again")
            for runner in self._hushed:
                runner.resume()
                self._reporter.resumed(runner)

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
            tell_stage(self._publisher, "draining", self._in_hand)
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
            tell_stage(self._publisher, "cancelling", self._in_hand)
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
                            workers.start_soon(self._run, runner)
                    watch.cancel_scope.cancel()
        finally:
            try:
                await self.outbox.finish()
            finally:
                self._stage = FleetStage.ENDED
                tell_stage(self._publisher, "ended", self._in_hand)
                self._ended.set()

    async def _run(self, runner: Runner) -> None:
        self._reporter.started(runner, is_hushed=runner in self._hushed)
        try:
            await runner.run()
        finally:
            self._reporter.stopped(runner)

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
        tell_stage(self._publisher, "abandoning", self._in_hand)
        self.abandoning.set()
        self._scope.cancel()


def _status(runner: Runner) -> WorkerStatus:
    identity = runner.identity
    return WorkerStatus(
        task_type=identity.task_type,
        domain=identity.domain,
        worker_id=identity.worker_id,
        slots=runner.slots,
        slots_in_use=runner.slots_in_use,
        max_tasks=runner.max_tasks,
        rate_limit=None if runner.settings.rate is None else str(runner.settings.rate),
        in_hand=runner.in_hand,
        undelivered=runner.delivery.undelivered,
        abandoned=runner.abandoned,
        finished=runner.finished,
        update_attempts=runner.delivery.attempts,
        failed_updates=runner.delivery.failed_attempts,
        threads=len(runner.executor.threads),
        leaked=len(runner.executor.leaks),
        is_paused=runner.is_paused,
        last_poll=runner.polls.last,
        failing_since=runner.polls.failing_since,
        failure=runner.polls.failure,
        backs_off_until=runner.polls.backs_off_until,
        is_unique=identity.is_unique,
        restartable=runner.restartable,
        tasks=tuple(_task(execution) for execution in runner.oldest(TASKS_SHOWN)),
    )


def _outbox_status(outbox: Outbox) -> OutboxStatus:
    return OutboxStatus(outbox.path, outbox.trouble, outbox.waiting)


def _task(execution: Execution) -> TaskStatus:
    task = execution.draft.task
    return TaskStatus(task.task_id, task.workflow_instance_id, task.retry_count, execution.since)
