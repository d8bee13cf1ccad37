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
    def slots_in_use(self) -> int: ...
    @property
    def max_tasks(self) -> int | None: ...
    @property
    def rate_limit(self) -> str | None: ...
    @property
    def in_hand(self) -> int: ...
    @property
    def finished(self) -> int: ...
    @property
    def update_attempts(self) -> int: ...
    @property
    def failed_updates(self) -> int: ...
    @property
    def threads(self) -> int: ...
    @property
    def leaked(self) -> int: ...
    @property
    def is_paused(self) -> bool: ...
    @property
    def last_poll(self) -> float | None: ...
    @property
    def failing_since(self) -> float | None: ...
    @property
    def failure(self) -> str | None: ...
    @property
    def backs_off_until(self) -> float | None: ...
    @property
    def tasks(self) -> Sequence[TaskView]: ...


class ProcessView(Protocol):
    """What a fleet tells of one place for a process."""

    @property
    def name(self) -> str: ...
    @property
    def task_types(self) -> str: ...
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


class OutboxView(Protocol):
    """What a fleet tells of its outbox."""

    @property
    def path(self) -> str | None: ...
    @property
    def trouble(self) -> str | None: ...
    @property
    def in_memory(self) -> int: ...


class FleetView(Protocol):
    """What a fleet tells of itself."""

    @property
    def stage(self) -> enum.Enum: ...
    @property
    def workers(self) -> Sequence[WorkerView]: ...
    @property
    def processes(self) -> Sequence[ProcessView]: ...
    @property
    def outbox(self) -> OutboxView: ...


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
    workers: tuple[str, ...] = ()
    """The task types that it concerns, none where it concerns all."""


@attrs.frozen
class Blockage:
    """An event loop that is blocked."""

    since: float
    """Epoch seconds."""
    task_type: str | None = None
    """Whose function blocks it, None where nobody knows."""
    task_id: str | None = None


@attrs.frozen
class Report:
    """An answer to a probe."""

    level: Level
    findings: tuple[Finding, ...]

    @property
    def is_good(self) -> bool:
        """Whether the answer is 200."""
        return self.level is not Level.FAILED


def health(fleet: FleetView, *, blockage: Blockage | None) -> Report:
    """Return whether the fleet is alive: restarting it would help if not.

    Args:
        fleet: What it says of itself.
        blockage: What has blocked this process's event loop for too long.
    """
    findings = [*_loop(blockage), *_processes(fleet.processes), *_failing(fleet.workers)]
    if (trouble := fleet.outbox.trouble) is not None:
        findings.append(Finding(Level.DEGRADED, "outbox", f"it is in memory only: {trouble}"))
    return _report(findings)


def readiness(fleet: FleetView, *, blockage: Blockage | None, now: float) -> Report:
    """Return whether the fleet takes tasks.

    Args:
        fleet: What it says of itself.
        blockage: As for `health`.
        now: Epoch seconds.
    """
    findings = [*_loop(blockage), *_processes(fleet.processes)]
    if fleet.stage.value != "running":
        findings.append(Finding(Level.FAILED, "fleet", f"it is {fleet.stage.value}"))
    if not fleet.workers:
        findings.append(Finding(Level.FAILED, "fleet", "no worker has begun yet"))
    elif all(worker.is_paused for worker in fleet.workers):
        findings.append(Finding(Level.FAILED, "fleet", "every worker is paused"))
    by_name: dict[str, list[WorkerView]] = {}
    for worker in fleet.workers:
        if not worker.is_paused:
            by_name.setdefault(_name(worker.task_type, worker.domain), []).append(worker)
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
                "workers": list(finding.workers),
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
                "max_tasks": worker.max_tasks,
                "rate_limit": worker.rate_limit,
                "in_hand": worker.in_hand,
                "finished": worker.finished,
                "leaked_threads": worker.leaked,
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


def _loop(blockage: Blockage | None) -> Iterator[Finding]:
    if blockage is None:
        return
    remedy = "blocked by code that should run in a thread or await"
    if blockage.task_type is None:
        yield Finding(Level.FAILED, "event loop", f"it is {remedy}", blockage.since)
        return
    problem = f"the event loop is {remedy}: its function, in task {blockage.task_id}"
    name, workers = _name(blockage.task_type, None), (blockage.task_type,)
    yield Finding(Level.FAILED, name, problem, blockage.since, workers)


def _processes(places: Iterable[ProcessView]) -> Iterator[Finding]:
    for place in places:
        workers = tuple(place.task_types.split(", "))
        if place.is_given_up:
            problem = "it ended too often and was given up"
            yield Finding(Level.FAILED, place.name, problem, place.down_since, workers)
        elif place.down_since is not None:
            problem = "it ended and is being replaced"
            yield Finding(Level.DEGRADED, place.name, problem, place.down_since, workers)


def _failing(workers: Iterable[WorkerView]) -> Iterator[Finding]:
    for worker in workers:
        # What does not poll says nothing of the server.
        if worker.failing_since is not None and not worker.is_paused:
            yield _polls_fail(Level.DEGRADED, worker)


def _not_ready(name: str, workers: Sequence[WorkerView], now: float) -> Iterator[Finding]:
    """Say why none of the workers of one name takes tasks; one in any process is enough."""
    failing = [worker for worker in workers if worker.failing_since is not None]
    if len(failing) == len(workers):
        latest = max(failing, key=lambda worker: worker.failing_since or 0.0)
        since = latest.failing_since or 0.0
        is_away = all(worker.last_poll is None for worker in workers) or now - since >= AWAY_SECONDS
        yield _polls_fail(Level.FAILED if is_away else Level.DEGRADED, latest)
    elif all(worker.last_poll is None for worker in workers):
        yield Finding(Level.FAILED, name, "it has not polled yet", workers=(workers[0].task_type,))


def _polls_fail(level: Level, worker: WorkerView) -> Finding:
    name, problem = _name(worker.task_type, worker.domain), f"its polls fail: {worker.failure}"
    return Finding(level, name, problem, worker.failing_since, (worker.task_type,))


def _name(task_type: str, domain: str | None) -> str:
    within = f" in domain {domain!r}" if domain else ""
    return f"worker {task_type!r}{within}"
