"""When tasks are looked for that the server gave away in answers that nobody got.

A streak of lost polls lasts until one is answered. It is searched for once, when it is over: only then is a
search likely to be answered, too, and to see everything. What a search could not find out while the streak
goes on is searched for again.
"""

import math
from collections.abc import Callable

SPREAD = 0.2
"""Seconds within which a search begins: workers that lost their polls together do not ask together."""
LAG = 0.1
"""Seconds that the server may take to write down what a poll has taken."""
FIRST_PATIENCE = 10.0
"""Seconds after which a streak that goes on is searched for all the same; twice as many for each search."""
LONGEST_PATIENCE = 60.0
INDEX_LAG = 4.0
"""Seconds after which an index is taken to know of everything."""
LAST_INDEX_LAG = 2.0
"""The same where the worker waits for nothing else before it ends."""
EMPTY_PAUSES = (1.0, 2.0)
"""Seconds between searches that find nothing: an index may lag behind by about one."""
FAILURE_PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds between searches that fail."""


def look_pause(looks: int, draw: float, *, has_failed: bool) -> float | None:
    """Return how long to wait for the next search, None if there shall be none.

    Args:
        looks: Searches for this streak so far, 1 or more.
        draw: Jitter in [0, 1); takes off up to a fifth.
        has_failed: Whether the last one failed; else it found nothing.
    """
    pauses = FAILURE_PAUSES if has_failed else EMPTY_PAUSES
    return pauses[looks - 1] * (1.0 - 0.2 * draw) if looks <= len(pauses) else None


class Losses:
    """Know of one worker's lost polls, and when to search for what they have taken.

    Args:
        draw: Draws jitter in [0, 1).
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._patience = FIRST_PATIENCE
        self._noticed = math.inf
        """When the first of them was."""
        self._over_at = math.inf
        """When the streak ended."""
        self._open_until = -math.inf
        """Until when the server may still give tasks to a lost poll."""
        self._jitter = 0.0
        self._is_last = False
        self.since = math.inf
        """When the first poll was sent that is still to be searched for, infinity if there is none."""

    @property
    def is_pending(self) -> bool:
        """Whether there is something to search for."""
        return self.since < math.inf

    @property
    def due(self) -> float:
        """When to search for it, infinity for never."""
        if not self.is_pending:
            return math.inf
        if self._is_last:
            return max(self._over_at, self._open_until)
        return max(min(self._over_at, self._noticed + self._patience) + self._jitter, self._open_until)

    @property
    def is_last(self) -> bool:
        """Whether no more polls are sent."""
        return self._is_last

    @property
    def is_known_at(self) -> float:
        """When an index knows of everything that lost polls have taken."""
        return self._open_until + (LAST_INDEX_LAG if self._is_last else INDEX_LAG)

    def lost(self, sent: float, wait: float, now: float) -> None:
        """A poll's answer was lost.

        Args:
            sent: When it was sent.
            wait: Seconds that the server may wait for tasks to give to it.
            now: The time.
        """
        if not self.is_pending:
            self._noticed = now
            self._jitter = SPREAD * self._draw()
        self._over_at = now if self._is_last else math.inf
        self.since = min(self.since, sent)
        self._open_until = max(self._open_until, sent + wait + LAG)

    def answered(self, now: float) -> None:
        """A poll was answered, which ends a streak."""
        self._over_at = min(self._over_at, now)
        self._patience = FIRST_PATIENCE

    def last(self, now: float) -> None:
        """No more polls are sent, so that no answer is to be waited for."""
        self._is_last = True
        self._over_at = min(self._over_at, now)

    def begin(self) -> float:
        """Take note that a search begins; return since when there is something to find."""
        since, self.since = self.since, math.inf
        if self._over_at == math.inf:
            self._patience = min(self._patience * 2, LONGEST_PATIENCE)
        return since

    def failed(self, since: float, now: float) -> bool:
        """Searches were of no avail; return whether there will be others: while polls fail as well.

        Args:
            since: What `begin` had returned.
            now: The time.
        """
        if self._over_at < math.inf:
            return False
        self.since = min(self.since, since)
        self._noticed = now
        return True
