"""How the calls of listeners go: which raise, and which take too much of the event loop's time."""

import logging
from collections.abc import Callable
from typing import Any

import attrs

logger = logging.getLogger(__name__)

SLOW_SHARE = 0.05
"""Of the event loop's time, from which on a listener is slow."""
LOOK_SECONDS = 0.1
"""A listener is looked at whenever it has taken so long."""
SHORTEST_SPAN = LOOK_SECONDS / SLOW_SHARE
"""Seconds over which a share is taken at least."""
LONGEST_SPAN = 10.0
"""Seconds over which a share is taken at most."""
QUICK_SECONDS = 60.0
"""How long a listener must not have been slow to be called quick again."""


@attrs.define(eq=False)
class Account:
    """The time of one listener, all of its methods together."""

    listener: str
    since: float
    """When it was looked at last."""
    spent: float = 0.0
    """Seconds that it has taken since."""
    slow_at: float | None = None
    """When it was last found slow; None while it is quick."""

    def look(self, now: float, last: float) -> None:
        """Log, once, that it is slow, and that it is no more.

        Args:
            now: The end of its last call.
            last: How long that took.
        """
        span = now - self.since
        if span > LONGEST_SPAN:
            # The earlier calls are older than what a share is taken of.
            span, self.spent = LONGEST_SPAN, last
        if self.spent >= SLOW_SHARE * max(span, SHORTEST_SPAN):
            if self.slow_at is None:
                logger.warning(
                    "The listener %s is slow: it took %.0f %% of the event loop's time (%.2f s of %.2f s). "
                    "Nothing else runs while a listener does: what takes long belongs in a thread of its own",
                    self.listener,
                    100 * self.spent / max(span, self.spent),
                    self.spent,
                    max(span, self.spent),
                )
            self.slow_at = now
        elif self.slow_at is not None and now - self.slow_at > QUICK_SECONDS:
            logger.info("The listener %s is no longer slow", self.listener)
            self.slow_at = None
        self.since, self.spent = now, 0.0


@attrs.define(eq=False)
class Ear:
    """One method of a listener."""

    method: Callable[[Any], object]
    account: Account
    kind: str
    """Of events."""
    failures: int = 0
    """Calls that have raised since the last one that did not."""
    is_told: bool = False
    """Whether it was logged that it raises."""
    has_worked: bool = False
    """Whether it was logged that it works again."""

    def failed(self, error: BaseException) -> None:
        """It raised, which is logged once."""
        self.failures += 1
        if not self.is_told:
            self.is_told = True
            logger.error(
                "The listener %s failed on %s; further failures on it are not logged",
                self.account.listener,
                self.kind,
                exc_info=error,
            )

    def worked(self) -> None:
        """It did not raise, after it did, which is logged once."""
        if not self.has_worked:
            self.has_worked = True
            text = "The listener %s works again on %s, after %d failures"
            logger.info(text, self.account.listener, self.kind, self.failures)
        self.failures = 0


def name_of(listener: object) -> str:
    """Return what messages call a listener."""
    return f"{type(listener).__module__}.{type(listener).__qualname__}"
