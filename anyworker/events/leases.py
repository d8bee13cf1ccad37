"""Events of leases: how long the server leaves a task in hand to the worker."""

from dataclasses import dataclass

from anyworker.events.kinds import TaskEvent


@dataclass(frozen=True, kw_only=True)
class LeaseExtended(TaskEvent):
    """The server has put off the response timeout of a task in hand."""

    duration_ms: float


@dataclass(frozen=True, kw_only=True)
class LeaseFailed(TaskEvent):
    """A heartbeat failed; the next follows at once, as long as the lease has not run out."""

    cause: Exception
    attempts: int
    """Heartbeats for this task that have failed in a row."""
    remaining_ms: float
    """Until the lease runs out."""


@dataclass(frozen=True, kw_only=True)
class LeaseLost(TaskEvent):
    """A lease ran out before it could be extended: another worker may have the task by now."""

    response_timeout_seconds: float
