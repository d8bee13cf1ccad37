"""Events of the token that requests carry; none of them holds it. The task type is empty."""

from dataclasses import dataclass

from anyworker.events.kinds import TaskRunnerEvent


@dataclass(frozen=True, kw_only=True)
class TokenRefreshed(TaskRunnerEvent):
    """There is a new token, the first one included."""

    duration_ms: float
    """How long it took to get it."""
    ttl_seconds: float
    """How long it is taken for good; it is renewed a little earlier."""


@dataclass(frozen=True, kw_only=True)
class TokenRefreshFailure(TaskRunnerEvent):
    """A token could not be had."""

    cause: Exception
    attempts: int
    """Those that have failed in a row."""
    retry_in_ms: float
    """No further attempt before that."""
    is_still_good: bool
    """Whether the token from before is used meanwhile; otherwise nothing can be sent."""
