"""How many tasks a worker may take in a time: a pure count over a sliding window."""

import math
from collections import deque
from typing import Self

import attrs

from anyworker.option_kinds import RATE_UNITS


@attrs.frozen
class Rate:
    """So many tasks in so long."""

    count: int
    seconds: float

    @classmethod
    def of(cls, text: str) -> Self:
        """Return what an accepted ``rate_limit`` means, such as ``100/s``."""
        count, _, unit = text.partition("/")
        return cls(int(count), RATE_UNITS[unit])

    def __str__(self) -> str:
        """Return it as it is written."""
        [unit] = [unit for unit, seconds in RATE_UNITS.items() if seconds == self.seconds]
        return f"{self.count}/{unit}"


class RateLimit:
    """Count the tasks of one worker: in no window of the rate's length are there more than it allows.

    A poll holds what it may bring until its answer is there, so that polls side by side never ask for more
    than is left. Only what it brings counts then, from that moment on.

    Args:
        rate: None for no limit.
    """

    def __init__(self, rate: Rate | None) -> None:
        self._rate = rate
        self._held = 0
        self._taken: deque[tuple[float, int]] = deque()
        """When tasks stop to count, and how many, the earliest first."""
        self._counted = 0

    def allowed(self, now: float) -> float:
        """Return how many tasks may be asked for, infinity for any number."""
        if self._rate is None:
            return math.inf
        while self._taken and self._taken[0][0] <= now:
            self._counted -= self._taken.popleft()[1]
        return max(self._rate.count - self._counted - self._held, 0)

    def opens_at(self) -> float:
        """Return when more will be allowed than now; infinity while that waits for the answer of a poll."""
        return self._taken[0][0] if self._taken else math.inf

    def hold(self, count: int) -> None:
        """A poll asks for so many tasks."""
        if self._rate is not None:
            self._held += count

    def release(self, count: int) -> None:
        """A poll that asked for so many has its answer, or none will come."""
        if self._rate is not None:
            self._held -= count

    def take(self, count: int, now: float) -> None:
        """So many tasks have come."""
        if self._rate is not None and count:
            self._taken.append((now + self._rate.seconds, count))
            self._counted += count
