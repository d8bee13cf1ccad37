"""Counts and distributions: a process's own, and the sums over all processes.

The ledger is written by the event loop and read by anyone: its numbers only grow. What is new in it since the
last look goes, as `News`, into the account, which also knows the time.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable

import attrs
import msgspec

from anyworker.observe.catalog import Metric
from anyworker.observe.distribution import Distribution, Window

FAILURES_KEPT = 50

Labels = tuple[str, ...]
Key = tuple[str, Labels]
"""A metric's name and the values of its labels."""


class FailureNote(msgspec.Struct, frozen=True):
    """A task that failed."""

    at: float
    """Epoch seconds."""
    task_type: str
    task_id: str
    workflow_id: str
    reason: str


class News(msgspec.Struct):
    """What has come since the last look; empty where nothing has."""

    counts: list[tuple[str, Labels, float]]
    distributions: list[tuple[str, Labels, float, dict[int, int]]]
    """Each with the sum of its new measurements and the buckets in which they fell."""
    failures: list[FailureNote] = []

    def __bool__(self) -> bool:
        return bool(self.counts or self.distributions or self.failures)


@attrs.define(eq=False)
class Count:
    """A number of things that happened."""

    value: float = 0.0


class Ledger:
    """What one process has counted since its start."""

    def __init__(self) -> None:
        self._counts: dict[Key, Count] = {}
        self._distributions: dict[Key, Distribution] = {}
        self._failures: deque[tuple[int, FailureNote]] = deque(maxlen=FAILURES_KEPT)
        self._failed = 0
        self.sources: list[Callable[[], None]] = []
        """Called before the numbers are read, to bring in what others count."""

    def note(self, failure: FailureNote) -> None:
        """Keep a failure for a while."""
        self._failed += 1
        self._failures.append((self._failed, failure))

    def failures(self) -> list[tuple[int, FailureNote]]:
        """Return the last failures, numbered from 1."""
        return list(self._failures)

    def count(self, metric: Metric, *labels: str) -> Count:
        """Return the count of these labels, to be raised by one here and there."""
        return self._counts.setdefault((metric.name, labels), Count())

    def distribution(self, metric: Metric, *labels: str) -> Distribution:
        """Return the distribution of these labels, to be added to."""
        return self._distributions.setdefault((metric.name, labels), Distribution())

    def counts(self) -> list[tuple[Key, float]]:
        """Return all counts as of now."""
        return [(key, count.value) for key, count in list(self._counts.items())]

    def distributions(self) -> list[tuple[Key, float, dict[int, int]]]:
        """Return copies of all distributions as of now."""
        return [(key, *each.look()) for key, each in list(self._distributions.items())]


class Reader:
    """Tells what is new in a ledger. One thread at a time may look."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._counts: dict[Key, float] = {}
        self._distributions: dict[Key, tuple[float, dict[int, int]]] = {}
        self._failed = 0

    def news(self) -> News:
        """Return what has come since the last call."""
        for bring in self._ledger.sources:
            bring()
        failures = [(number, note) for number, note in self._ledger.failures() if number > self._failed]
        if failures:
            self._failed = failures[-1][0]
        return News(list(self._new_counts()), list(self._new_distributions()), [note for _, note in failures])

    def _new_counts(self) -> Iterable[tuple[str, Labels, float]]:
        for key, value in self._ledger.counts():
            known = self._counts.get(key, 0.0)
            # A count of nothing is told once, too: who watches a rate wants to see it at zero.
            if key not in self._counts or value != known:
                self._counts[key] = value
                yield *key, value - known

    def _new_distributions(self) -> Iterable[tuple[str, Labels, float, dict[int, int]]]:
        for key, total, buckets in self._ledger.distributions():
            known_total, known = self._distributions.get(key, (0.0, {}))
            fresh = {
                bucket: count - known.get(bucket, 0)
                for bucket, count in buckets.items()
                if count != known.get(bucket, 0)
            }
            if fresh or key not in self._distributions:
                self._distributions[key] = (total, buckets)
                yield *key, total - known_total, fresh


@attrs.define(eq=False)
class Measured:
    """A distribution over all processes."""

    count: int = 0
    total: float = 0.0
    buckets: dict[int, int] = attrs.field(factory=dict)
    """Since the start."""
    window: Window = attrs.field(factory=Window)
    """The last minutes."""

    def take(self, total: float, buckets: dict[int, int], now: float) -> None:
        """Add what is new."""
        self.total += total
        self.count += sum(buckets.values())
        for bucket, count in buckets.items():
            self.buckets[bucket] = self.buckets.get(bucket, 0) + count
        self.window.add(buckets, now)


class Account:
    """The sums over all processes, those that have ended included. Any thread may use it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[Key, float] = {}
        self._measured: dict[Key, Measured] = {}
        self._failures: deque[FailureNote] = deque(maxlen=FAILURES_KEPT)

    def take(self, news: News, now: float) -> None:
        """Add what a process tells, at a time of a clock that never goes back."""
        with self._lock:
            self._failures.extend(news.failures)
            for name, labels, value in news.counts:
                key = (name, tuple(labels))
                self._counts[key] = self._counts.get(key, 0.0) + value
            for name, labels, total, buckets in news.distributions:
                self._measured.setdefault((name, tuple(labels)), Measured()).take(total, buckets, now)

    def failures(self) -> list[FailureNote]:
        """Return the last failures, the latest at the end."""
        with self._lock:
            return list(self._failures)

    def counts(self) -> dict[Key, float]:
        """Return all counts."""
        with self._lock:
            return dict(self._counts)

    def rates(self, metric: Metric, now: float, since: float) -> dict[Labels, float]:
        """Return how often each second something was measured lately, by labels; see `Window.rate`."""
        with self._lock:
            return {
                labels: each.window.rate(now, since)
                for (name, labels), each in self._measured.items()
                if name == metric.name
            }

    def measured(self, now: float) -> dict[Key, tuple[Measured, dict[int, int]]]:
        """Return all distributions, each with the buckets of its last minutes."""
        with self._lock:
            return {
                key: (attrs.evolve(each, buckets=each.buckets.copy()), each.window.buckets(now))
                for key, each in self._measured.items()
            }
