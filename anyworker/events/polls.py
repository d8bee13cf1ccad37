"""Events of polls."""

from dataclasses import dataclass

from anyworker.events.kinds import TaskRunnerEvent


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
