"""The pages that an orchestrator probes."""

import json
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from anyworker.observe.health import Blockage, FleetView, Report, as_json, health, readiness
from anyworker.observe.nothing import NothingYet
from anyworker.runner.calling.isolation import task_on_thread

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

BEAT_SECONDS = 1.0
"""How often the event loop tells that it turns."""


class Probes:
    """Answer to probes, in whatever thread."""

    def __init__(self) -> None:
        self._fleet: Callable[[], FleetView] = NothingYet
        self._watchdog: float | None = None
        self._beat: float | None = None
        self._thread_id: int | None = None

    def watch(self, fleet: Callable[[], FleetView], watchdog: float | None) -> None:
        """Answer for a fleet; see `Metrics.watch`."""
        self._fleet = fleet
        self._watchdog = watchdog

    def beat(self) -> None:
        """Take note, in its thread, that the event loop turns."""
        self._beat = _now()
        self._thread_id = threading.get_ident()

    def look(self) -> tuple[FleetView, Report]:
        """Return how the fleet is doing, and what is wrong."""
        fleet = self._fleet()
        return fleet, health(fleet, blockage=self._blockage())

    def health(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer whether the process should go on."""
        fleet, report = self.look()
        return _answer(report, fleet, start_response)

    def ready(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer whether it takes tasks."""
        fleet = self._fleet()
        report = readiness(fleet, blockage=self._blockage(), now=_now())
        return _answer(report, fleet, start_response)

    def _blockage(self) -> Blockage | None:
        beat = self._beat
        if beat is None or self._watchdog is None or _now() - beat <= self._watchdog + BEAT_SECONDS:
            return None
        task = task_on_thread(self._thread_id)
        return (
            Blockage(beat)
            if task is None
            else Blockage(beat, task.task_type or task.task_def_name, task.task_id)
        )


def _answer(report: Report, fleet: FleetView, start_response: "StartResponse") -> Iterable[bytes]:
    status = "200 OK" if report.is_good else "503 Service Unavailable"
    start_response(status, [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
    return [json.dumps(as_json(report, fleet), indent=2).encode() + b"\n"]


def _now() -> float:
    return datetime.now(UTC).timestamp()
