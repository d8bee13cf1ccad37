"""Many measurements as few numbers: how many fell between powers of 1.05."""

import math
import threading
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from math import ceil, log

GROWTH = 1.05
"""Each bucket ends 5 % above the one below, so that a quantile is right to 2.5 %."""
_STEPS = 1 / log(GROWTH)
_TINY = 1e-20
"""Values up to this one count as zero."""
_LOWEST = -1000
"""Their bucket, below all others."""
_MOST_FRESH = 1000

_RATE_SLICES = 2
"""Slices that a rate is of, beside the one that has begun."""


def bucket_of(value: float) -> int:
    """Return the bucket in which a value falls; zero, and what is less, has one for itself."""
    return ceil(log(value) * _STEPS) if value > _TINY else _LOWEST


def upper_bound(bucket: int) -> float:
    """Return the largest value of a bucket."""
    return GROWTH**bucket if bucket > _LOWEST else 0.0


def middle(bucket: int) -> float:
    """Return the value that stands for all of a bucket."""
    return GROWTH ** (bucket - 0.5) if bucket > _LOWEST else 0.0


def quantiles(buckets: Mapping[int, int], wanted: Iterable[float]) -> list[float]:
    """Return the values below which these parts of the measurements lie; NaN of none.

    Args:
        buckets: How many measurements fell in each.
        wanted: Parts from 0 to 1.
    """
    ordered = sorted(buckets)
    reached: list[int] = []
    total = 0
    for bucket in ordered:
        total += buckets[bucket]
        reached.append(total)
    if not total:
        return [math.nan for _ in wanted]
    last = len(ordered) - 1
    return [middle(ordered[min(bisect_right(reached, part * total), last)]) for part in wanted]


def counts_up_to(buckets: Mapping[int, int], bounds: Iterable[float]) -> list[int]:
    """Return how many measurements lie at or below each bound.

    A bucket that reaches over a bound counts above it, so that a count is never too high.
    """
    return [
        sum(count for bucket, count in buckets.items() if upper_bound(bucket) <= bound * (1 + 1e-9))
        for bound in bounds
    ]


class Distribution:
    """All measurements of one kind since the start.

    What comes in is kept as it is and counted a thousand at a time, which costs a third: once sorted, all of
    a bucket are found together. Any thread may add and look.
    """

    __slots__ = ("_buckets", "_fresh", "_lock", "_total", "take")

    def __init__(self) -> None:
        self._total = 0.0
        self._buckets: dict[int, int] = {}
        self._fresh: list[float] = []
        """Not counted yet."""
        self.take = self._fresh.append
        """Takes one measurement for a fifth of what `add` costs; something has to `look` once in a while."""
        self._lock = threading.Lock()

    def add(self, value: float) -> None:
        """Take one measurement."""
        fresh = self._fresh
        fresh.append(value)
        if len(fresh) >= _MOST_FRESH:
            with self._lock:
                self._count()

    def look(self) -> tuple[float, dict[int, int]]:
        """Return the sum of all measurements and how many fell in each bucket."""
        with self._lock:
            self._count()
            return self._total, self._buckets.copy()

    def _count(self) -> None:
        # Whoever adds meanwhile does so behind these.
        values = self._fresh[:]
        del self._fresh[: len(values)]
        self._total = sum(values, self._total)
        values.sort()
        buckets = self._buckets
        start = 0
        while start < len(values):
            bucket = bucket_of(values[start])
            # By rounding a bound may lie a hair below the least value of its bucket.
            end = max(bisect_right(values, upper_bound(bucket), start), start + 1)
            buckets[bucket] = buckets.get(bucket, 0) + end - start
            start = end


class Window:
    """The measurements of the last minutes, in slices that are forgotten one by one.

    Args:
        seconds: How far it reaches back; between that and one slice more.
        slices: How many of them make the window.
    """

    def __init__(self, seconds: float = 300.0, slices: int = 10) -> None:
        self._width = seconds / slices
        self._kept = slices
        self._slices: dict[int, dict[int, int]] = {}

    def add(self, buckets: Mapping[int, int], now: float) -> None:
        """Take measurements of about this time, in seconds of any clock that never goes back."""
        current = self._forget(now)
        merged = self._slices.setdefault(current, {})
        for bucket, count in buckets.items():
            merged[bucket] = merged.get(bucket, 0) + count

    def buckets(self, now: float) -> dict[int, int]:
        """Return how many recent measurements fell in each bucket."""
        self._forget(now)
        merged: dict[int, int] = {}
        for each in self._slices.values():
            for bucket, count in each.items():
                merged[bucket] = merged.get(bucket, 0) + count
        return merged

    def rate(self, now: float, since: float) -> float:
        """Return how many measurements came in each second of the last minute or so.

        Args:
            now: As for `add`.
            since: When measuring began: a window that reaches back further is cut there.
        """
        first = max(self._forget(now) - _RATE_SLICES, int(since // self._width))
        count = sum(sum(buckets.values()) for slice_, buckets in self._slices.items() if slice_ >= first)
        return count / max(now - max(first * self._width, since), 1.0)

    def _forget(self, now: float) -> int:
        current = int(now // self._width)
        for old in [each for each in self._slices if each < current - self._kept]:
            del self._slices[old]
        return current
