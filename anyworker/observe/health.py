"""Whether a fleet is alive, and whether it is ready for work: decided from what it says of itself."""

import enum
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import attrs

AWAY_SECONDS = 30.0
"""How long a worker's polls may fail before it is not ready."""


class TaskView(Protocol):
    """What a fleet tells of one task in hand."""

    @property
    def task_id(self) -> str: ...
    @property
    def workflow_id(self) -> str: ...
    @property
    def retry_count(self) -> int: ...
    @property
    def since(self) -> float: ...


class WorkerView(Protocol):
    """What a fleet tells of one worker."""

    @property
    def task_type(self) -> str: ...
    @property
    def domain(self) -> str | None: ...
    @property
    def slots(self) -> int: ...
    @property
    def in_hand(self) -> int: ...
    @property
    def finished(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def is_paused(self) -> bool: ...
    @property
    def last_poll(self) -> float | None: ...
    @property
    def failing_since(self) -> float | None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def tasks(self) -> Sequence[TaskView]: ...


class ProcessView(Protocol):
    """What a fleet tells of one place for a process."""

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    @property
    def is_serving(self) -> bool: ...
    @property
    def is_given_up(self) -> bool: ...
    @property
    def restarts(self) -> int: ...
    @property
    def down_since(self) -> float | None: ...
    @property
    def rss_mb(self) -> float: ...


class FleetView(Protocol):
    """What a fleet tells of itself."""

    @property
    def stage(self) -> enum.Enum: ...
    @property
    def workers(self) -> Sequence[WorkerView]: ...
    @property
    def processes(self) -> Sequence[ProcessView]: ...


class Level(enum.Enum):
    """How bad a finding is."""

    OK = "ok"
    DEGRADED = "degraded"
    FAILED = "failed"


@attrs.frozen
class Finding:
    """Something that is not as it should be."""

    level: Level
    subject: str
    """The worker, the process or the loop that it is about."""
    problem: str
    since: float | None = None
    """Epoch seconds; None where nobody knows."""


@attrs.frozen
class Report:
    """An answer to a probe."""

    level: Level
    findings: tuple[Finding, ...]

    @property
    def is_good(self) -> bool:
        """Whether the answer is 200."""
        return self.level is not Level.FAILED


def health(fleet: FleetView, *, blocked_since: float | None, outbox: str | None = None) -> Report:
    """Return whether the fleet is alive: restarting it would help if not.

    Args:
        fleet: What it says of itself.
        blocked_since: Epoch seconds since which this process's event loop has been blocked for too long.
        outbox: What keeps its outbox from its file, None if nothing does.
    """
    findings = [*_loop(blocked_since), *_processes(fleet.processes), *_failing(fleet.workers)]
    if outbox is not None:
        findings.append(Finding(Level.DEGRADED, "outbox", f"it is in memory only: {outbox}"))
    return _report(findings)


def readiness(fleet: FleetView, *, blocked_since: float | None, now: float) -> Report:
    """Return whether the fleet takes tasks.

    Args:
        fleet: What it says of itself.
        blocked_since: As for `health`.
        now: Epoch seconds.
    """
    findings = [*_loop(blocked_since), *_processes(fleet.processes)]
    if fleet.stage.value != "running":
        findings.append(Finding(Level.FAILED, "fleet", f"it is {fleet.stage.value}"))
    if not fleet.workers:
        findings.append(Finding(Level.FAILED, "fleet", "no worker has begun yet"))
    elif all(worker.is_paused for worker in fleet.workers):
        findings.append(Finding(Level.FAILED, "fleet", "every worker is paused"))
    by_name: dict[str, list[WorkerView]] = {}
    for worker in fleet.workers:
        if not worker.is_paused:
            by_name.setdefault(_name(worker), []).append(worker)
    for name, workers in by_name.items():
        findings += _not_ready(name, workers, now)
    return _report(findings)


def as_json(report: Report, fleet: FleetView) -> dict[str, Any]:
    """Return a report with all that it is about, for an operator to read."""
    return {
        "status": report.level.value,
        "stage": fleet.stage.value,
        "problems": [
            {
                "level": finding.level.value,
                "subject": finding.subject,
                "problem": finding.problem,
                "since": iso(finding.since),
            }
            for finding in report.findings
        ],
        "workers": [
            {
                "task_type": worker.task_type,
                "domain": worker.domain,
                "slots": worker.slots,
                "in_hand": worker.in_hand,
                "finished": worker.finished,
                "is_paused": worker.is_paused,
                "last_poll": iso(worker.last_poll),
            }
            for worker in fleet.workers
        ],
        "processes": [
            {
                "name": place.name,
                "pid": place.pid,
                "is_serving": place.is_serving,
                "restarts": place.restarts,
            }
            for place in fleet.processes
        ],
    }


def iso(seconds: float | None) -> str | None:
    """Return epoch seconds as people read them, in UTC."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")


def _report(findings: Sequence[Finding]) -> Report:
    worst = max((finding.level for finding in findings), key=list(Level).index, default=Level.OK)
    return Report(worst, tuple(findings))


def _loop(blocked_since: float | None) -> Iterator[Finding]:
    if blocked_since is not None:
        problem = "the event loop is blocked, by code that should run in a thread or await"
        yield Finding(Level.FAILED, "event loop", problem, blocked_since)


def _processes(places: Iterable[ProcessView]) -> Iterator[Finding]:
    for place in places:
        if place.is_given_up:
            yield Finding(Level.FAILED, place.name, "it ended too often and was given up", place.down_since)
        elif place.down_since is not None:
            yield Finding(Level.DEGRADED, place.name, "it ended and is being replaced", place.down_since)


def _failing(workers: Iterable[WorkerView]) -> Iterator[Finding]:
    for worker in workers:
        if worker.failing_since is not None:
            problem = f"its polls fail: {worker.failure}"
            yield Finding(Level.DEGRADED, _name(worker), problem, worker.failing_since)


def _not_ready(name: str, workers: Sequence[WorkerView], now: float) -> Iterator[Finding]:
    """Say why none of the workers of one name takes tasks; one in any process is enough."""
    failing = [worker for worker in workers if worker.failing_since is not None]
    if len(failing) == len(workers):
        latest = max(failing, key=lambda worker: worker.failing_since or 0.0)
        since = latest.failing_since or 0.0
        is_away = all(worker.last_poll is None for worker in workers) or now - since >= AWAY_SECONDS
        level = Level.FAILED if is_away else Level.DEGRADED
        yield Finding(level, name, f"its polls fail: {latest.failure}", since)
    elif all(worker.last_poll is None for worker in workers):
        yield Finding(Level.FAILED, name, "it has not polled yet")


def _name(worker: WorkerView) -> str:
    domain = f" in domain {worker.domain!r}" if worker.domain else ""
    return f"worker {worker.task_type!r}{domain}"
