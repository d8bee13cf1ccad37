"""Tell listeners and the log what becomes of leases."""

import logging
from collections.abc import Container

from anyworker.errors import ConductorError
from anyworker.events import LeaseExtended, LeaseFailed, LeaseLost, Publisher
from anyworker.events.kinds import identity_of
from anyworker.logs import fields_of
from anyworker.runner.in_hand import Execution

logger = logging.getLogger(__name__)


class LeaseReporter:
    """Report on the leases of one worker.

    Args:
        publisher: Brings events to their listeners.
        task_type: The worker's task type.
        worker_id: The id it polls under.
    """

    def __init__(self, publisher: Publisher, task_type: str, worker_id: str) -> None:
        self._publish = publisher.publish
        self._task_type = task_type
        self._worker_id = worker_id
        self._failing: set[Execution] = set()
        """Whose last heartbeat failed."""
        self._failures = 0
        """Heartbeats that have failed since there was no such task."""
        self._told: set[object] = set()
        """The kinds of failures that were logged since."""
        self._hears_extended = publisher.hears(LeaseExtended)
        self._hears_failed = publisher.hears(LeaseFailed)
        self._hears_lost = publisher.hears(LeaseLost)

    def extended(self, execution: Execution, duration: float) -> None:
        """A heartbeat was answered after so many seconds."""
        if self._failing:
            self._failing.discard(execution)
            self._end_streak("Heartbeats of %s are accepted again after %d failed ones")
        if self._hears_extended:
            task = execution.draft.task
            self._publish(
                LeaseExtended(
                    **identity_of(task, self._task_type, self._worker_id),
                    duration_ms=duration * 1000,
                )
            )

    def failed(self, execution: Execution, error: ConductorError, *, failures: int, left: float) -> None:
        """The so manieth heartbeat in a row of a task failed; log the first of a streak of all tasks."""
        task = execution.draft.task
        self._failing.add(execution)
        self._failures += 1
        kind = (type(error), error.status)
        if kind not in self._told:
            self._told.add(kind)
            logger.warning(
                "Heartbeats of %s fail, the first for task %s, whose lease ends in %.1f s: %s",
                self._task_type,
                task.task_id,
                max(left, 0.0),
                error,
                extra=fields_of(task),
            )
        if self._hears_failed:
            self._publish(
                LeaseFailed(
                    **identity_of(task, self._task_type, self._worker_id),
                    cause=error,
                    attempts=failures,
                    remaining_ms=max(left, 0.0) * 1000,
                )
            )

    def look_through(self, leased: Container[Execution]) -> None:
        """Only these are in hand; the others wait for no heartbeat any more."""
        if self._failing:
            self._failing = {execution for execution in self._failing if execution in leased}
            self._end_streak("No task of %s in hand is short of a heartbeat any more, %d have failed")

    def _end_streak(self, text: str) -> None:
        if not self._failing:
            logger.info(text, self._task_type, self._failures)
            self._failures = 0
            self._told.clear()

    def lost(self, execution: Execution, response_timeout: float) -> None:
        """A lease ran out."""
        task = execution.draft.task
        logger.error(
            "The lease of task %s (type %s) is lost: no heartbeat was accepted for %g s, its response "
            "timeout. Another worker may have the task by now; %s",
            task.task_id,
            self._task_type,
            response_timeout,
            "its result comes late" if execution.has_outcome else "its function is cancelled",
            extra=fields_of(task),
        )
        if self._hears_lost:
            self._publish(
                LeaseLost(
                    **identity_of(task, self._task_type, self._worker_id),
                    response_timeout_seconds=response_timeout,
                )
            )
