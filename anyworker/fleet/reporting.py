"""Tell listeners how far a fleet is, and its workers."""

import logging
from typing import Literal

from anyworker.events import (
    Publisher,
    ShutdownStageEntered,
    WorkerPaused,
    WorkerResumed,
    WorkerStarted,
    WorkerStopped,
)
from anyworker.runner.runner import Runner

logger = logging.getLogger(__name__)


class FleetReporter:
    """Report on the workers of one process.

    Args:
        publisher: Brings events to their listeners.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._running: set[Runner] = set()

    def started(self, runner: Runner, *, is_hushed: bool) -> None:
        """A worker begins, which may be paused from the outset.

        Args:
            runner: The worker's.
            is_hushed: Whether that is for the fleet's quiet.
        """
        self._running.add(runner)
        identity = runner.identity
        if self._publisher.hears(WorkerStarted):
            self._publisher.publish(
                WorkerStarted(
                    task_type=identity.task_type,
                    worker_id=identity.worker_id,
                    domain=identity.domain,
                    slots=runner.slots,
                )
            )
        if runner.is_paused:
            self.paused(runner, "quiet" if is_hushed else "option")

    def paused(self, runner: Runner, reason: Literal["option", "quiet"]) -> None:
        """A worker polls no more; one that has not begun yet is told of by `started`."""
        if runner in self._running and self._publisher.hears(WorkerPaused):
            identity = runner.identity
            self._publisher.publish(
                WorkerPaused(
                    task_type=identity.task_type,
                    worker_id=identity.worker_id,
                    domain=identity.domain,
                    reason=reason,
                    in_hand=runner.in_hand,
                )
            )

    def resumed(self, runner: Runner) -> None:
        """A worker polls again."""
        if runner in self._running and self._publisher.hears(WorkerResumed):
            identity = runner.identity
            self._publisher.publish(
                WorkerResumed(
                    task_type=identity.task_type, worker_id=identity.worker_id, domain=identity.domain
                )
            )

    def stopped(self, runner: Runner) -> None:
        """A worker has ended, and with it what failed until then."""
        self._running.discard(runner)
        task_type = runner.identity.task_type
        if failed := runner.polls.failures.ended():
            logger.info("Polling %s ended without an answer to its last %d polls", task_type, failed)
        if failed := runner.delivery.failures.ended():
            logger.info("Results of %s were not accepted to the end, %d attempts failed", task_type, failed)
        if self._publisher.hears(WorkerStopped):
            identity = runner.identity
            self._publisher.publish(
                WorkerStopped(
                    task_type=identity.task_type,
                    worker_id=identity.worker_id,
                    domain=identity.domain,
                    finished=runner.finished,
                    undelivered=runner.delivery.undelivered,
                    abandoned=runner.abandoned,
                )
            )


def tell_stage(
    publisher: Publisher,
    stage: Literal["quiet", "draining", "cancelling", "abandoning", "ended"],
    in_hand: int,
) -> None:
    """Tell that a fleet has entered a stage of its end."""
    if publisher.hears(ShutdownStageEntered):
        publisher.publish(ShutdownStageEntered(task_type="", stage=stage, in_hand=in_hand))
