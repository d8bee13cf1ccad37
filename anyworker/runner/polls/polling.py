"""What a poll needs, and what is known of one under way."""

from datetime import UTC, datetime
from typing import Protocol

import anyio
import attrs

from anyworker.conductor.models import Task
from anyworker.errors import AuthorizationError, ConductorError, TransportError
from anyworker.policy.planner import Poll, PollFailureKind
from anyworker.policy.streaks import Streak
from anyworker.runner.needs import ResultClient
from anyworker.runner.polls.searching import SearchClient
from anyworker.runner.polls.slots import Slot

POLL_GRACE = 2.0
"""Seconds beyond the server's own wait that a poll under way may take once the worker drains."""


class PollClient(ResultClient, SearchClient, Protocol):
    """What a runner needs of the client."""

    async def poll(
        self, task_type: str, *, count: int, timeout: float, worker_id: str, domain: str | None
    ) -> list[Task]:
        """Take up to ``count`` tasks, waiting up to ``timeout`` seconds for one."""
        ...

    async def extend_lease(self, task: Task) -> None:
        """Put off the response timeout of a task in progress."""
        ...


@attrs.frozen
class Identity:
    """Whose tasks are polled, and as whom."""

    task_type: str
    domain: str | None
    worker_id: str
    is_unique: bool = False
    """Whether no other process polls under the worker id."""

    def too_late(self) -> TransportError:
        """Return the error of a poll that was given up because its answer did not come while draining."""
        return TransportError(
            "no answer while draining; tasks that it may have taken come back after their response timeout",
            method="GET",
            path=f"/tasks/poll/batch/{self.task_type}",
            may_have_arrived=True,
        )


@attrs.define(eq=False)
class PollHistory:
    """How polling has gone, for whoever looks after it."""

    last: float | None = None
    """Epoch seconds of the last answer; None before the first."""
    failing_since: float | None = None
    """Epoch seconds of the first failure since then."""
    failure: str | None = None
    """Why the last poll failed, None where it did not."""
    backs_off_until: float | None = None
    """Epoch seconds before which nothing is polled for that reason."""
    failures: Streak = attrs.field(factory=Streak)
    """Those in a row."""

    def succeeded(self) -> None:
        """Note an answer."""
        self.last = datetime.now(UTC).timestamp()
        if self.failing_since is not None:
            self.failing_since = self.failure = self.backs_off_until = None

    def failed(self, error: ConductorError) -> None:
        """Note a failure."""
        self.failing_since = self.failing_since or datetime.now(UTC).timestamp()
        self.failure = str(error)

    def back_off(self, seconds: float) -> None:
        """Note how long the next poll is put off."""
        self.backs_off_until = datetime.now(UTC).timestamp() + seconds


@attrs.define(eq=False)
class PollUnderWay:
    """One poll from its decision to its answer."""

    poll: Poll
    slots: list[Slot]
    """Held for what it may bring."""
    scope: anyio.CancelScope
    """Around it."""
    sent: float = 0.0
    """Loop time."""

    def hasten(self) -> None:
        """Wait for the answer no longer than a server in good health needs."""
        self.scope.deadline = self.sent + self.poll.timeout + POLL_GRACE


def kind_of(error: ConductorError) -> PollFailureKind:
    """Return why a poll failed, for the wait after it."""
    is_refused = isinstance(error, AuthorizationError)
    return PollFailureKind.AUTHORIZATION if is_refused else PollFailureKind.ERROR
