"""What events have in common."""

from dataclasses import dataclass, field
from datetime import UTC, datetime


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class TaskRunnerEvent:
    """What all events of a runner carry."""

    task_type: str
    timestamp: datetime = field(default_factory=_utc_now)
    """When it happened, in UTC."""


@dataclass(frozen=True, kw_only=True)
class TaskEvent(TaskRunnerEvent):
    """What all events about one task carry."""

    task_id: str
    worker_id: str
    workflow_instance_id: str
