"""All metrics as prometheus-client takes them."""

import platform
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from prometheus_client import Metric as Family
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

import anyworker
from anyworker.observe import catalog
from anyworker.observe.catalog import Metric
from anyworker.observe.distribution import counts_up_to, quantiles
from anyworker.observe.health import FleetView, OutboxView, WorkerView
from anyworker.observe.ledger import Account, Labels, Ledger, Measured, Reader
from anyworker.observe.nothing import NothingYet
from anyworker.runner.outbox.listing import waiting_in

QUANTILES = (0.5, 0.75, 0.9, 0.95, 0.99)
BOUNDS = {
    "seconds": (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
    "bytes": (100.0, 1_000.0, 10_000.0, 100_000.0, 1_000_000.0, 10_000_000.0),
}
"""Upper ends of the histograms' buckets: the official SDK's, so that its dashboards stay right."""

_ALL = {metric.name: metric for metric in vars(catalog).values() if isinstance(metric, Metric)}


class Exposition(Collector):
    """Tell a registry all metrics as of now.

    Args:
        ledger: This process's own numbers.
        histograms: Expose histograms instead of quantiles.
    """

    def __init__(self, ledger: Ledger, *, histograms: bool = False) -> None:
        self.account = Account()
        """The sums over all processes."""
        self.fleet: Callable[[], FleetView] = NothingYet
        """Tells how the fleet is doing."""
        self._reader = Reader(ledger)
        self._reading = threading.Lock()
        self._histograms = histograms

    def refresh(self) -> None:
        """Take what is new in this process's ledger."""
        with self._reading:
            self.account.take(self._reader.news(), time.monotonic())

    def collect(self) -> Iterator[Family]:
        """Return every metric that has a value."""
        self.refresh()
        yield from self._counters()
        yield from self._distributions()
        fleet = self.fleet()
        yield from _gauges(fleet.workers)
        yield _outbox(fleet.outbox)
        restarts = sum(place.restarts for place in fleet.processes)
        yield CounterMetricFamily(catalog.RESTARTS.name, catalog.RESTARTS.help, value=restarts)
        yield _build()

    def _counters(self) -> Iterator[Family]:
        families: dict[str, CounterMetricFamily] = {}
        for (name, labels), value in self.account.counts().items():
            metric = _ALL[name]
            family = families.get(name)
            if family is None:
                family = families[name] = CounterMetricFamily(name, metric.help, labels=metric.labels)
            family.add_metric(labels, value)
        yield from families.values()

    def _distributions(self) -> Iterator[Family]:
        grouped: dict[str, list[tuple[Labels, Measured, dict[int, int]]]] = {}
        for (name, labels), (measured, recent) in self.account.measured(time.monotonic()).items():
            grouped.setdefault(name, []).append((labels, measured, recent))
        for name, rows in grouped.items():
            yield _histogram(_ALL[name], rows) if self._histograms else _summary(_ALL[name], rows)


def _summary(metric: Metric, rows: Sequence[tuple[Labels, Measured, dict[int, int]]]) -> Family:
    # prometheus-client's own summary has no quantiles.
    family = Family(metric.name, f"{metric.help} Quantiles are of the last minutes.", "summary")
    for values, measured, recent in rows:
        labels = dict(zip(metric.labels, values, strict=True))
        for part, value in zip(QUANTILES, quantiles(recent, QUANTILES), strict=True):
            family.add_sample(metric.name, {**labels, "quantile": str(part)}, value)
        family.add_sample(f"{metric.name}_count", labels, measured.count)
        family.add_sample(f"{metric.name}_sum", labels, measured.total)
    return family


def _histogram(metric: Metric, rows: Sequence[tuple[Labels, Measured, dict[int, int]]]) -> Family:
    bounds = BOUNDS[metric.unit]
    family = HistogramMetricFamily(metric.histogram_name or metric.name, metric.help, labels=metric.labels)
    for values, measured, _ in rows:
        counts = zip(map(str, bounds), counts_up_to(measured.buckets, bounds), strict=True)
        family.add_metric(values, [*counts, ("+Inf", measured.count)], measured.total)
    return family


def _gauges(workers: Iterable[WorkerView]) -> Iterator[Family]:
    rows = list(workers)
    numbers: list[tuple[Metric, Callable[[WorkerView], int]]] = [
        (catalog.SLOTS, lambda worker: worker.slots),
        (catalog.SLOTS_IN_USE, lambda worker: worker.slots_in_use),
        (catalog.IN_HAND, lambda worker: worker.in_hand),
        (catalog.THREADS, lambda worker: worker.threads),
    ]
    for metric, number in numbers if rows else ():
        family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
        summed: dict[Labels, int] = {}
        for worker in rows:
            key = (worker.task_type, worker.domain or "")
            summed[key] = summed.get(key, 0) + number(worker)
        for labels, value in summed.items():
            family.add_metric(labels, value)
        yield family


def _outbox(outbox: OutboxView) -> Family:
    metric = catalog.OUTBOX_DEPTH
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    family.add_metric(("memory",), outbox.in_memory)
    if outbox.path is not None and (depth := waiting_in(outbox.path)) is not None:
        family.add_metric(("file",), depth)
    return family


def _build() -> Family:
    metric = catalog.BUILD
    family = GaugeMetricFamily(metric.name, metric.help, labels=metric.labels)
    family.add_metric((anyworker.__version__, platform.python_version()), 1)
    return family
