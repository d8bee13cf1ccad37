"""The status page: what the fleet says of itself, live, for people."""

import base64
import hashlib
import json
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from importlib.resources import files
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import attrs

import anyworker
from anyworker.configuration import Configuration
from anyworker.observe import catalog
from anyworker.observe.distribution import quantiles
from anyworker.observe.health import FleetView, Report, WorkerView, iso
from anyworker.observe.ledger import Account, FailureNote
from anyworker.options import ResolvedWorker
from anyworker.settings_shown import as_words, server_settings, worker_settings

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

REFRESH_SECONDS = 1.0
MOST_STREAMS = 16
"""Pages that are kept live at once; each holds a thread."""


@attrs.frozen
class Setting:
    """A setting as it holds."""

    worker: str
    """Whose option it is; empty for one of the server's."""
    name: str
    value: str
    source: str
    is_default: bool


def settings_of(configuration: Configuration, workers: Iterable[ResolvedWorker]) -> list[Setting]:
    """Return all settings that hold for the server and the workers, with where they were made."""
    groups = [("", server_settings(configuration))]
    groups += [(worker.worker.task_definition_name, worker_settings(worker)) for worker in workers]
    return [
        Setting(of, name, as_words(entry["value"]), entry["source"], entry["source"] == "default")
        for of, entries in groups
        for name, entry in entries.items()
    ]


@attrs.define
class About:
    """What does not change while the fleet runs."""

    server: str = ""
    settings: Sequence[Setting] = ()


class StatusPage:
    """Serve the page and keep it live, in whatever thread.

    Args:
        account: The numbers.
        report: Tells how the fleet is doing, and what is wrong.
        about: What does not change.
        ui_url: Where the Conductor UI is, None where nobody said.
    """

    def __init__(
        self,
        account: Account,
        report: Callable[[], tuple[FleetView, Report]],
        about: About,
        ui_url: str | None,
    ) -> None:
        self._account = account
        self._report = report
        self._about = about
        self._ui_url = ui_url
        self._began = time.monotonic()
        self._streams = threading.Semaphore(MOST_STREAMS)

    def page(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer with the page."""
        html = files("anyworker.observe").joinpath("page/index.html").read_bytes()
        headers = [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Content-Security-Policy", _policy(html)),
            ("X-Content-Type-Options", "nosniff"),
            ("Cache-Control", "no-store"),
        ]
        start_response("200 OK", headers)
        return [html]

    def events(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer with the status again and again, for as long as somebody listens."""
        if not self._streams.acquire(blocking=False):
            start_response("503 Service Unavailable", [("Content-Type", "text/plain")])
            return [b"Too many pages are open.\n"]
        start_response("200 OK", [("Content-Type", "text/event-stream"), ("Cache-Control", "no-store")])
        return self._stream()

    def status(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer with the status once."""
        start_response("200 OK", [("Content-Type", "application/json"), ("Cache-Control", "no-store")])
        return [json.dumps(self.snapshot(), indent=2).encode() + b"\n"]

    def _stream(self) -> Iterator[bytes]:
        try:
            while True:
                yield b"data: " + json.dumps(self.snapshot()).encode() + b"\n\n"
                threading.Event().wait(REFRESH_SECONDS)
        finally:
            self._streams.release()

    def snapshot(self) -> dict[str, Any]:
        """Return all that the page shows."""
        fleet, report = self._report()
        now = datetime.now(UTC).timestamp()
        executions = self._executions()
        groups = _grouped(fleet.workers)
        types = Counter(rows[0].task_type for rows in groups)
        return {
            "version": anyworker.__version__,
            "server": self._about.server,
            "stage": fleet.stage.value,
            "level": report.level.value,
            "problems": [
                {**attrs.asdict(each), "level": each.level.value, "since": iso(each.since)}
                for each in report.findings
            ],
            "workers": [
                {"is_of_all_domains": types[rows[0].task_type] > 1}
                | self._worker(rows, executions.get(rows[0].task_type, _Executions()), now)
                for rows in groups
            ],
            "processes": [
                {
                    "name": place.name,
                    "task_types": place.task_types,
                    "pid": place.pid,
                    "is_serving": place.is_serving,
                    "is_given_up": place.is_given_up,
                    "restarts": place.restarts,
                    "down_seconds": None if place.down_since is None else now - place.down_since,
                    "rss_mb": place.rss_mb,
                }
                for place in fleet.processes
            ],
            "tasks": [
                {
                    "task_id": task.task_id,
                    "task_type": worker.task_type,
                    "workflow_id": task.workflow_id,
                    "attempt": task.retry_count + 1,
                    "age": now - task.since,
                    "link": self._link(task.workflow_id),
                }
                for worker in fleet.workers
                for task in worker.tasks
            ],
            "failures": [self._failure(note) for note in reversed(self._account.failures())],
            "settings": [attrs.asdict(each) for each in self._about.settings],
        }

    def _executions(self) -> dict[str, "_Executions"]:
        found: dict[str, _Executions] = {}
        now = time.monotonic()
        for (name, labels), (measured, recent) in self._account.measured(now).items():
            if name == catalog.EXECUTE_TIME.name:
                found.setdefault(labels[0], _Executions()).add(labels[1], measured.count, recent)
        for labels, rate in self._account.rates(catalog.EXECUTE_TIME, now, self._began).items():
            found.setdefault(labels[0], _Executions()).rate += rate
        return found

    def _worker(
        self,
        rows: Sequence[WorkerView],
        executions: "_Executions",
        now: float,
    ) -> dict[str, Any]:
        """Return one line for the same worker in all processes."""
        first = rows[0]
        p50, p95 = quantiles(executions.recent, (0.5, 0.95)) if executions.recent else (None, None)
        failing = [row for row in rows if row.failing_since is not None]
        polls = [row.last_poll for row in rows if row.last_poll is not None]
        return {
            "task_type": first.task_type,
            "domain": first.domain,
            "slots": sum(row.slots for row in rows),
            "slots_in_use": sum(row.slots_in_use for row in rows),
            "max_tasks": first.max_tasks,
            "rate_limit": first.rate_limit,
            "in_hand": sum(row.in_hand for row in rows),
            "done": executions.done,
            "failed": executions.failed,
            "rate": executions.rate,
            "p50": p50,
            "p95": p95,
            "is_paused": all(row.is_paused for row in rows),
            "poll_age": now - max(polls) if polls else None,
            "failing_seconds": now - min(row.failing_since or now for row in failing) if failing else None,
            "backs_off": _until(failing, now),
            "failure": failing[-1].failure if failing else None,
        }

    def _failure(self, note: FailureNote) -> dict[str, Any]:
        return {
            "at": iso(note.at),
            "task_type": note.task_type,
            "task_id": note.task_id,
            "workflow_id": note.workflow_id,
            "reason": note.reason,
            "link": self._link(note.workflow_id),
        }

    def _link(self, workflow_id: str) -> str | None:
        if self._ui_url is None:
            return None
        return f"{self._ui_url.rstrip('/')}/execution/{quote(workflow_id, safe='')}"


@attrs.define
class _Executions:
    """What came of the tasks of one type."""

    done: int = 0
    failed: int = 0
    rate: float = 0.0
    """Of both together, in each second of the last minute or so."""
    recent: dict[int, int] = attrs.field(factory=dict)

    def add(self, status: str, count: int, recent: dict[int, int]) -> None:
        if status == "SUCCESS":
            self.done += count
        else:
            self.failed += count
        for bucket, number in recent.items():
            self.recent[bucket] = self.recent.get(bucket, 0) + number


def _until(failing: Iterable[WorkerView], now: float) -> float | None:
    """Return the seconds until the first of these polls again, None where none waits."""
    return min((max(0.0, row.backs_off_until - now) for row in failing if row.backs_off_until), default=None)


def _grouped(workers: Iterable[WorkerView]) -> list[list[WorkerView]]:
    groups: dict[tuple[str, str | None], list[WorkerView]] = {}
    for worker in workers:
        groups.setdefault((worker.task_type, worker.domain), []).append(worker)
    return list(groups.values())


def _policy(html: bytes) -> str:
    """Return a policy that lets the page run its own script and style, and ask nobody but this process."""
    script, style = (_hashes(html, tag) for tag in (b"script", b"style"))
    return (
        f"default-src 'none'; script-src {script}; style-src {style}; connect-src 'self'; img-src data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hashes(html: bytes, tag: bytes) -> str:
    bodies = re.findall(rb"<" + tag + rb">(.*?)</" + tag + rb">", html, re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(body).digest()).decode() for body in bodies]
    return " ".join(f"'sha256-{digest}'" for digest in digests)
