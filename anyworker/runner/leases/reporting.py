"""Tell listeners and the log what becomes of leases."""

import logging

from anyworker.errors import ConductorError
from anyworker.events import LeaseExtended, LeaseFailed, LeaseLost, Publisher
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
        self._hears_extended = publisher.hears(LeaseExtended)
        self._hears_failed = publisher.hears(LeaseFailed)
        self._hears_lost = publisher.hears(LeaseLost)

    def extended(self, execution: Execution, duration: float, *, failures: int) -> None:
        """A heartbeat was answered after so many seconds, and after so many failed ones."""
        task = execution.draft.task
        if failures:
            text = "The lease of task %s holds again, %d heartbeats failed"
            logger.info(text, task.task_id, failures, extra=fields_of(task))
        if self._hears_extended:
            self._publish(
                LeaseExtended(
                    task_type=self._task_type,
                    task_id=task.task_id,
                    worker_id=self._worker_id,
                    workflow_instance_id=task.workflow_instance_id,
                    duration_ms=duration * 1000,
                )
            )

    def failed(self, execution: Execution, error: ConductorError, *, failures: int, left: float) -> None:
        """The so manieth heartbeat in a row failed; a streak is logged at its start only."""
        task = execution.draft.task
        if failures == 1:
            logger.warning(
                "A heartbeat for task %s (type %s) failed, trying on for %.1f s: %s",
                task.task_id,
                self._task_type,
                max(left, 0.0),
                error,
                extra=fields_of(task),
            )
        if self._hears_failed:
            self._publish(
                LeaseFailed(
                    task_type=self._task_type,
                    task_id=task.task_id,
                    worker_id=self._worker_id,
                    workflow_instance_id=task.workflow_instance_id,
                    cause=error,
                    attempts=failures,
                    remaining_ms=max(left, 0.0) * 1000,
                )
            )

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
                    task_type=self._task_type,
                    task_id=task.task_id,
                    worker_id=self._worker_id,
                    workflow_instance_id=task.workflow_instance_id,
                    response_timeout_seconds=response_timeout,
                )
            )
