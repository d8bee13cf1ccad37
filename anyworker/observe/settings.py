"""What a user says about metrics."""

import math
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import attrs

from anyworker.conductor.exchange import Traffic
from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError
from anyworker.events import Listener
from anyworker.options import ResolvedWorker
from anyworker.tallies import Tally

_PORTS = range(65536)


if TYPE_CHECKING:
    from anyworker.observe.health import FleetView


class Meter(Protocol):
    """What counts in a process of workers."""

    @property
    def listeners(self) -> Sequence[Listener]:
        """All who are to hear the events."""
        ...

    def tally(self, task_type: str) -> Tally | None:
        """Return what counts for a task type without being told by events, None where a listener does."""
        ...

    def traffic(self, prefix: str) -> Traffic:
        """Return what measures the requests to an API below a path."""
        ...

    def watch(
        self,
        fleet: "Callable[[], FleetView]",
        watchdog: float | None = None,
    ) -> None:
        """Show how a fleet in this process is doing, and take over what its workers count."""

    def describe(self, configuration: Configuration, workers: Iterable[ResolvedWorker]) -> None:
        """Tell what does not change: how the server is reached, and the workers' options."""

    async def beat(self) -> None:
        """Tell again and again that the event loop turns."""

    def exposed(self) -> AbstractAsyncContextManager[None]:
        """Show what is counted for the length of a block."""
        ...


class MeterSource(Protocol):
    """What `MetricsSettings` are to a fleet."""

    def meter(self, listeners: Sequence[Listener]) -> Meter:
        """Return what counts, given the listeners of the user."""
        ...


@attrs.frozen(kw_only=True)
class MetricsSettings:
    """Where metrics go: over HTTP with ``http_port``, else into ``directory/file_name``.

    Raises:
        ConfigurationError: A value cannot work; all problems are named.
    """

    directory: str | Path | None = None
    """Where the file is written, made if it is missing; only without ``http_port``."""
    file_name: str = "metrics.prom"
    """The file, replaced as a whole, so that a reader never sees half of it."""
    update_interval: float = 1.0
    """Seconds between two writings of the file."""
    http_port: int | None = None
    """Where ``/metrics`` is served; 0 for a free port, which is logged."""
    http_host: str = "127.0.0.1"
    """The address to listen on; ``0.0.0.0`` for all."""
    ui_url: str | None = None
    """Where the Conductor UI is, for links to workflows from the status page."""
    histograms: bool = False
    """Expose histograms, which a Prometheus can aggregate over machines, instead of quantiles."""

    def __attrs_post_init__(self) -> None:
        problems = [f"MetricsSettings: {problem}" for problem in self._problems() if problem]
        if problems:
            raise ConfigurationError(problems)

    def meter(self, listeners: Sequence[Listener]) -> "Meter":
        """Return what counts and shows it; a `MetricsCollector` among the listeners is what counts."""
        from anyworker.observe.metrics import Metrics  # noqa: PLC0415 - it brings prometheus-client along

        return Metrics(self, listeners)

    def _problems(self) -> list[str | None]:
        interval, port = self.update_interval, self.http_port
        is_number = type(interval) in {int, float}
        is_port = type(port) is int and port in _PORTS
        is_plain = self.file_name == Path(self.file_name).name and self.file_name not in {"", ".."}
        return [
            None
            if is_number and 0 < interval < math.inf
            else f"update_interval={interval!r}: expected seconds, more than 0",
            None if port is None or is_port else f"http_port={port!r}: expected 0 to 65535, or None",
            None if is_plain else f"file_name={self.file_name!r}: expected a name without a directory",
            None
            if self.ui_url is None or str(self.ui_url).startswith(("http://", "https://"))
            else f"ui_url={self.ui_url!r}: expected a URL that begins with http:// or https://",
            "nowhere to go: give http_port to serve /metrics, or directory to write a file"
            if port is None and self.directory is None
            else None,
        ]
