"""What a worker tells about itself: frozen events, listeners, and the one place that calls them."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from anyworker.conductor.models import TaskResult

logger = logging.getLogger(__name__)


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class TaskRunnerEvent:
    """What all events of a runner carry."""

    task_type: str
    timestamp: datetime = field(default_factory=_utc_now)
    """When it happened, in UTC."""


@dataclass(frozen=True, kw_only=True)
class PollStarted(TaskRunnerEvent):
    """A batch poll is about to be sent."""

    worker_id: str
    poll_count: int
    """How many tasks are asked for."""


@dataclass(frozen=True, kw_only=True)
class PollCompleted(TaskRunnerEvent):
    """A batch poll was answered, with tasks or without."""

    duration_ms: float
    """Includes the time the server waited for a task."""
    tasks_received: int


@dataclass(frozen=True, kw_only=True)
class PollFailure(TaskRunnerEvent):
    """A batch poll failed."""

    duration_ms: float
    cause: Exception


@dataclass(frozen=True, kw_only=True)
class TaskExecutionStarted(TaskRunnerEvent):
    """A function is about to be called for a task."""

    task_id: str
    worker_id: str
    workflow_instance_id: str


@dataclass(frozen=True, kw_only=True)
class TaskExecutionCompleted(TaskRunnerEvent):
    """A function returned, its output converted."""

    task_id: str
    worker_id: str
    workflow_instance_id: str
    duration_ms: float
    output_size_bytes: int
    """Length of the output as JSON."""


@dataclass(frozen=True, kw_only=True)
class TaskExecutionFailure(TaskRunnerEvent):
    """A task failed: the function raised, or its input or output was refused."""

    task_id: str
    worker_id: str
    workflow_instance_id: str
    cause: BaseException
    duration_ms: float


@dataclass(frozen=True, kw_only=True)
class TaskUpdateFailure(TaskRunnerEvent):
    """A result could not be delivered; this event is where it still exists."""

    task_id: str
    worker_id: str
    workflow_instance_id: str
    cause: Exception
    retry_count: int
    """Attempts that were made."""
    task_result: TaskResult


class TaskRunnerEventsListener:
    """Base of listeners: override what you want to hear.

    Listeners are called synchronously on the event loop, so they must be quick. What one raises is logged
    and goes no further. Any object with some of these methods is a listener, too.
    """

    def on_poll_started(self, event: PollStarted) -> None:
        """Hear that a poll is about to be sent."""

    def on_poll_completed(self, event: PollCompleted) -> None:
        """Hear that a poll was answered."""

    def on_poll_failure(self, event: PollFailure) -> None:
        """Hear that a poll failed."""

    def on_task_execution_started(self, event: TaskExecutionStarted) -> None:
        """Hear that a function is about to be called."""

    def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
        """Hear that a function returned."""

    def on_task_execution_failure(self, event: TaskExecutionFailure) -> None:
        """Hear that a task failed."""

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        """Hear that a result could not be delivered."""
