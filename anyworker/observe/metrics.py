"""From what counts to what is exposed."""

import contextlib
import logging
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path

import anyio
import anyio.to_thread

from anyworker.checks import shown_url
from anyworker.configuration import Configuration
from anyworker.events import Listener
from anyworker.observe import catalog
from anyworker.observe.collector import MetricsCollector, QuickCollector
from anyworker.observe.endpoint import endpoint, metrics_page
from anyworker.observe.exposition import Exposition
from anyworker.observe.health import FleetView, Report
from anyworker.observe.ledger import Ledger, News, Reader
from anyworker.observe.probes import BEAT_SECONDS, Probes
from anyworker.observe.settings import MetricsSettings
from anyworker.observe.status import About, StatusPage, settings_of
from anyworker.observe.textfile import textfile
from anyworker.observe.traffic import MeasuredTraffic
from anyworker.options import ResolvedWorker
from anyworker.tallies import Tally

logger = logging.getLogger(__name__)


class Counting:
    """What counts in one process, for it or another one to show.

    Args:
        listeners: The user's; a `MetricsCollector` among them is the one that counts.
    """

    def __init__(self, listeners: Sequence[Listener] = ()) -> None:
        own = [each for each in listeners if isinstance(each, MetricsCollector)]
        collector = own[0] if own else QuickCollector()
        self._quick = collector if isinstance(collector, QuickCollector) else None
        self.ledger = collector.ledger
        """What was counted."""
        self.listeners = (*listeners, *([] if own else [collector]))
        """All who are to hear the events."""

    def tally(self, task_type: str) -> Tally | None:
        """Return what counts for a task type, None where a listener of the user's does."""
        return None if self._quick is None else self._quick.tallies[task_type]

    def traffic(self, prefix: str) -> MeasuredTraffic:
        """Return what measures requests.

        Args:
            prefix: The path of the API's URL.
        """
        return MeasuredTraffic(self.ledger, prefix)

    def watch(self, fleet: Callable[[], FleetView], watchdog: float | None = None) -> None:
        """Take over what the workers of this process count themselves."""
        self.ledger.sources.append(Tallies(self.ledger, fleet).bring)

    def describe(self, configuration: Configuration, workers: Iterable[ResolvedWorker]) -> None:
        """Tell what does not change: how the server is reached, and the workers' options."""

    async def beat(self) -> None:
        """Measure again and again how late the event loop is; sum up what has come in since."""
        lag = self.ledger.distribution(catalog.LOOP_LAG)
        while True:
            self._turned()
            due = anyio.current_time() + BEAT_SECONDS
            await anyio.sleep_until(due)
            lag.add(max(0.0, anyio.current_time() - due))
            self.ledger.distributions()

    def _turned(self) -> None:
        """Take note that the event loop turns."""

    @contextlib.asynccontextmanager
    async def exposed(self) -> AsyncIterator[None]:
        """Show what is counted for the length of the block; here another process does that."""
        yield


class Metrics(Counting):
    """What counts in one process, and what shows it, and what other processes tell.

    Args:
        settings: Where it goes.
        listeners: As for `Counting`.
    """

    def __init__(self, settings: MetricsSettings, listeners: Sequence[Listener] = ()) -> None:
        super().__init__(listeners)
        self._settings = settings
        self._exposition = Exposition(self.ledger, histograms=settings.histograms)
        self._probes = Probes()
        self._about = About()
        self._page = StatusPage(self._exposition.account, self._look, self._about, settings.ui_url)

    def watch(self, fleet: Callable[[], FleetView], watchdog: float | None = None) -> None:
        """Show how a fleet in this process is doing, and take over what its workers count themselves.

        Args:
            fleet: Tells it; any thread may call it.
            watchdog: Seconds for which this event loop may be blocked; None for any time.
        """
        super().watch(fleet)
        self.show(fleet, watchdog)

    def show(self, fleet: Callable[[], FleetView], watchdog: float | None = None) -> None:
        """Show how a fleet is doing; its processes tell what they count by `take`."""
        self._exposition.fleet = fleet
        self._probes.watch(fleet, watchdog)

    def _turned(self) -> None:
        self._probes.beat()

    def describe(self, configuration: Configuration, workers: Iterable[ResolvedWorker]) -> None:
        """Tell what does not change: how the server is reached, and the workers' options."""
        self._about.server = shown_url(configuration.server_api_url)
        self._about.settings = settings_of(configuration, workers)

    def _look(self) -> tuple[FleetView, Report]:
        self._exposition.refresh()
        return self._probes.look()

    def take(self, news: News) -> None:
        """Add what another process has counted."""
        self._exposition.account.take(news, time.monotonic())

    @contextlib.asynccontextmanager
    async def exposed(self) -> AsyncIterator[None]:
        """Serve the metrics, or write them to their file, for the block.

        Raises:
            ConfigurationError: The port or the file cannot be had.
        """
        context = self._exposed()
        await anyio.to_thread.run_sync(context.__enter__)
        try:
            yield
        finally:
            # It ends a thread, which takes a moment.
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(context.__exit__, None, None, None)

    @contextlib.contextmanager
    def _exposed(self) -> Iterator[None]:
        settings = self._settings
        if settings.http_port is None:
            path = Path(settings.directory or "") / settings.file_name
            with textfile(path, self._exposition, settings.update_interval):
                yield
            return
        pages = {
            "/": self._page.page,
            "/events": self._page.events,
            "/status": self._page.status,
            "/metrics": metrics_page(self._exposition),
            "/health": self._probes.health,
            "/ready": self._probes.ready,
        }
        with endpoint(settings.http_host, settings.http_port, pages, idle=self._exposition.refresh) as port:
            _announce(settings.http_host, port, is_free=settings.http_port == 0)
            yield


def _announce(host: str, port: int, *, is_free: bool) -> None:
    text = f"Status: http://{host}:{port}/, with /metrics, /health, /ready"
    logger.info(text)
    if is_free and not logger.isEnabledFor(logging.INFO):
        # Nobody could know it otherwise.
        sys.stderr.write(f"{text}\n")


class Tallies:
    """What workers count themselves, because an event for each would cost more than all that it tells.

    Args:
        ledger: Where it goes.
        fleet: Tells the numbers; they only grow.
    """

    def __init__(self, ledger: Ledger, fleet: Callable[[], FleetView]) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._known: dict[tuple[int, catalog.Metric], int] = {}
        self._lock = threading.Lock()

    def bring(self) -> None:
        """Add what has come since the last call. Any thread may call it."""
        with self._lock:
            for number, worker in enumerate(self._fleet().workers):
                self._add(number, worker.task_type, catalog.UPDATES, worker.update_attempts)
                self._add(number, worker.task_type, catalog.FAILED_UPDATES, worker.failed_updates)

    def _add(self, number: int, task_type: str, metric: catalog.Metric, value: int) -> None:
        known = self._known.get((number, metric), 0)
        self._ledger.count(metric, task_type).value += value - known
        self._known[number, metric] = value


class Remote:
    """Stands for the settings in a process whose numbers another one exposes."""

    def __init__(self) -> None:
        self._reader = Reader(Ledger())

    def meter(self, listeners: Sequence[Listener]) -> Counting:
        """Return what counts here."""
        counting = Counting(listeners)
        self._reader = Reader(counting.ledger)
        return counting

    def news(self) -> News:
        """Return what has come since the last call."""
        return self._reader.news()
