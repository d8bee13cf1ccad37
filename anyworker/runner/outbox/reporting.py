"""Tell listeners and the log what happens in an outbox."""

import logging

from anyworker.errors import OutboxError
from anyworker.events import OutboxFailure, Publisher, ResultRefused, ResultReplayed, ResultStored
from anyworker.runner.outbox.storage import StoredResult

logger = logging.getLogger(__name__)


class OutboxReporter:
    """Report on one outbox.

    Args:
        publisher: Brings events to their listeners.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher

    def stored(self, stored: StoredResult, cause: Exception, *, is_persistent: bool) -> None:
        """A result was taken over."""
        text = "Result of task %s is in the outbox, where it waits for the server: %s"
        logger.warning(text, stored.task_id, cause, extra=_fields(stored))
        if self._publisher.hears(ResultStored):
            self._publisher.publish(
                ResultStored(
                    task_type=stored.task_type,
                    task_id=stored.task_id,
                    worker_id=stored.worker_id,
                    workflow_instance_id=stored.workflow_id,
                    cause=cause,
                    is_persistent=is_persistent,
                )
            )

    def full(self, stored: StoredResult, results: int, size: int) -> None:
        """There was no room for a result."""
        logger.error(
            "The outbox is full: %d results, %d bytes; that of task %s (%d bytes) is not taken",
            results,
            size,
            stored.task_id,
            len(stored.body),
            extra=_fields(stored),
        )

    def replayed(self, stored: StoredResult, waited: float) -> None:
        """The server has taken a result that waited for so many seconds."""
        text = "Result of task %s, from the outbox, is with the server, after %d failed attempts"
        logger.info(text, stored.task_id, stored.attempts, extra=_fields(stored))
        if self._publisher.hears(ResultReplayed):
            self._publisher.publish(
                ResultReplayed(
                    task_type=stored.task_type,
                    task_id=stored.task_id,
                    worker_id=stored.worker_id,
                    workflow_instance_id=stored.workflow_id,
                    waited_ms=waited * 1000,
                )
            )

    def refused(self, stored: StoredResult, reason: str, *, is_persistent: bool) -> None:
        """The server will never take a result."""
        logger.warning(
            "Result of task %s (workflow %s, type %s, status %s) is refused%s: %s",
            stored.task_id,
            stored.workflow_id,
            stored.task_type,
            stored.status,
            " and kept in the outbox" if is_persistent else "",
            reason,
            extra=_fields(stored),
        )
        if self._publisher.hears(ResultRefused):
            self._publisher.publish(
                ResultRefused(
                    task_type=stored.task_type,
                    task_id=stored.task_id,
                    worker_id=stored.worker_id,
                    workflow_instance_id=stored.workflow_id,
                    reason=reason,
                    task_result=stored.result,
                    is_persistent=is_persistent,
                )
            )

    def trouble(self, error: OutboxError | None) -> None:
        """The file cannot be used, or can again."""
        if error is None:
            logger.info("The file of the outbox is in use again")
            return
        logger.error("Going on with an outbox in memory, which does not survive the process: %s", error)
        if self._publisher.hears(OutboxFailure):
            self._publisher.publish(OutboxFailure(task_type="", cause=error))


def _fields(stored: StoredResult) -> dict[str, object]:
    return {
        "task_id": stored.task_id,
        "workflow_id": stored.workflow_id,
        "task_type": stored.task_type,
        "attempt": stored.task_attempt,
    }
