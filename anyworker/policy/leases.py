"""When the lease of a task is extended, and when it is lost.

The server gives a task away once ``responseTimeoutSeconds`` have passed since it last heard of it. The first
extension is due after a third of that, so that two thirds of it are left for whatever goes wrong: an event
loop that stands still, a server that restarts. Jitter only ever shortens a wait, so that tasks taken together
are not extended together.
"""

from collections.abc import Callable

import attrs

from anyworker.policy.backoff import doubled

SHARE = 1 / 3
"""Of the response timeout, after which a lease is extended at the latest."""
JITTER = 0.25
"""Of that wait, taken off at most."""
PATIENCE_SHARE = 1 / 4
LONGEST_PATIENCE = 10.0
"""Seconds that an extension may take before it counts as failed."""
RETRY_UNIT_SHARE = 1 / 64
LONGEST_RETRY_UNIT = 0.25
RETRY_CEILING_SHARE = 1 / 16
LONGEST_RETRY_CEILING = 30.0
RETRY_JITTER = 0.5


def earliest_extension(response_timeout: float) -> float:
    """Return the seconds within which no lease is extended yet.

    Args:
        response_timeout: The task's responseTimeoutSeconds, > 0.
    """
    return response_timeout * SHARE * (1.0 - JITTER)


def extension_delay(response_timeout: float, jitter: float) -> float:
    """Return the seconds from one extension to the next: a third of the response timeout, less a quarter."""
    return response_timeout * SHARE * (1.0 - JITTER * jitter)


def retry_delay(failures: int, response_timeout: float, jitter: float) -> float:
    """Return the pause after so many failed extensions in a row: at once, then doubling, then steady.

    From a 64th of the response timeout (at most a quarter of a second) up to a 16th (at most half a minute),
    less a half at most.
    """
    unit = min(response_timeout * RETRY_UNIT_SHARE, LONGEST_RETRY_UNIT)
    ceiling = min(response_timeout * RETRY_CEILING_SHARE, LONGEST_RETRY_CEILING)
    return min(doubled(unit, failures - 1), ceiling) * (1.0 - RETRY_JITTER * jitter)


def longest_patience(response_timeout: float) -> float:
    """Return the seconds that an extension may take before it counts as failed."""
    return min(response_timeout * PATIENCE_SHARE, LONGEST_PATIENCE)


@attrs.define(eq=False)
class Lease:
    """The lease of one task; all times are loop times in seconds."""

    response_timeout: float
    """The task's responseTimeoutSeconds, > 0."""
    taken: float
    """When the poll was answered that brought the task."""
    draw: Callable[[], float]
    """Draws jitter in [0, 1)."""
    due: float = attrs.field(init=False)
    """When it is to be extended next."""
    ends: float = attrs.field(init=False)
    """When it has certainly run out unless it is extended: the server began to count no later."""
    is_over: bool = False
    """Whether nothing more is to be done about it."""
    failures: int = 0
    """Length of the present streak of failed extensions."""

    def __attrs_post_init__(self) -> None:
        """Count from the poll."""
        self._count_from(self.taken, self.taken)

    @property
    def last_call(self) -> float:
        """When a result is to be sent at the latest, so that it arrives before the lease ends."""
        return self.ends - longest_patience(self.response_timeout)

    def patience(self, now: float) -> float:
        """Return the seconds that an extension sent now may take."""
        longest = longest_patience(self.response_timeout)
        return min(longest, self.ends - now) if now < self.ends else longest

    def extended(self, sent: float, now: float) -> None:
        """Take in that the server accepted an extension."""
        self.failures = 0
        self._count_from(sent, now)

    def failed(self, now: float) -> None:
        """Take in that an extension failed, or that nobody knows: it is tried again until the lease ends."""
        self.failures += 1
        again = now + retry_delay(self.failures, self.response_timeout, self.draw())
        self.due = max(now, min(again, self.ends))

    def is_lost(self, now: float) -> bool:
        """Return whether it has run out although extending it was tried.

        Where nothing was tried, because the process stood still, one attempt tells more than the clock.
        """
        return self.failures > 0 and now >= self.ends

    def _count_from(self, sent: float, now: float) -> None:
        self.due = sent + extension_delay(self.response_timeout, self.draw())
        self.ends = now + self.response_timeout
