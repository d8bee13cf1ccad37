"""The pages that an orchestrator probes."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from enum import Enum
from typing import TYPE_CHECKING

from anyworker.observe.health import FleetView, ProcessView, Report, WorkerView, as_json, health, readiness
from anyworker.observe.settings import no_trouble

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BEAT_SECONDS = 1.0
"""How often the event loop tells that it turns."""


class _Stage(Enum):
    STARTING = "starting"


class _NothingYet:
    """A fleet of which nothing is known."""

    stage = _Stage.STARTING
    workers: tuple[WorkerView, ...] = ()
    processes: tuple[ProcessView, ...] = ()


class Probes:
    """Answer to probes, in whatever thread."""

    def __init__(self) -> None:
        self._fleet: Callable[[], FleetView] = _NothingYet
        self._watchdog: float | None = None
        self._outbox: Callable[[], str | None] = no_trouble
        self._beat: float | None = None

    def watch(
        self,
        fleet: Callable[[], FleetView],
        watchdog: float | None,
        outbox: Callable[[], str | None] = no_trouble,
    ) -> None:
        """Answer for a fleet; see `Metrics.watch`."""
        self._outbox = outbox
        self._fleet = fleet
        self._watchdog = watchdog

    def beat(self) -> None:
        """Take note that the event loop turns."""
        self._beat = _now()

    def look(self) -> tuple[FleetView, Report]:
        """Return how the fleet is doing, and what is wrong."""
        fleet = self._fleet()
        return fleet, health(fleet, blocked_since=self._blocked_since(), outbox=self._outbox())

    def health(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer whether the process should go on."""
        fleet, report = self.look()
        return _answer(report, fleet, start_response)

    def ready(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer whether it takes tasks."""
        fleet = self._fleet()
        report = readiness(fleet, blocked_since=self._blocked_since(), now=_now())
        return _answer(report, fleet, start_response)

    def _blocked_since(self) -> float | None:
        if self._beat is None or self._watchdog is None:
            return None
        return self._beat if _now() - self._beat > self._watchdog + BEAT_SECONDS else None


def _answer(report: Report, fleet: FleetView, start_response: "StartResponse") -> Iterable[bytes]:
    status = "200 OK" if report.is_good else "503 Service Unavailable"
    start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(as_json(report, fleet), indent=2).encode() + b"\n"]


def _now() -> float:
    return datetime.now(UTC).timestamp()
