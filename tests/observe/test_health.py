"""What probes are told: the truth table of health and readiness."""

import enum
from typing import Any

import attrs
import pytest

from anyworker.observe.health import AWAY_SECONDS, Blockage, Level, Report, as_json, health, readiness

NOW = 1_000_000.0


class Stage(enum.Enum):
    RUNNING = "running"
    QUIET = "quiet"
    DRAINING = "draining"


@attrs.frozen
class OneWorker:
    task_type: str = "greet"
    domain: str | None = None
    slots: int = 10
    max_tasks: int | None = None
    rate_limit: str | None = None
    in_hand: int = 0
    finished: int = 0
    threads: int = 0
    leaked: int = 0
    is_paused: bool = False
    last_poll: float | None = NOW - 1
    failing_since: float | None = None
    failure: str | None = None


@attrs.frozen
class Place:
    name: str = "process 1 of 2"
    task_types: str = "greet, nap"
    pid: int | None = 42
    is_serving: bool = True
    is_given_up: bool = False
    restarts: int = 0
    down_since: float | None = None


@attrs.frozen
class Stored:
    trouble: str | None = None


@attrs.frozen
class Fleet:
    stage: Stage = Stage.RUNNING
    workers: tuple[OneWorker, ...] = (OneWorker(),)
    processes: tuple[Place, ...] = ()
    outbox: Stored = Stored()


NEW = OneWorker(last_poll=None)
AWAY = OneWorker(failing_since=NOW - AWAY_SECONDS, failure="refused")
HICCUP = OneWorker(failing_since=NOW - 1, failure="refused")
NEVER_REACHED = OneWorker(last_poll=None, failing_since=NOW - 1, failure="refused")
PAUSED = OneWorker(is_paused=True, last_poll=None)

BLOCKED = Blockage(NOW - 61, "greet", "t1")

TABLE: list[tuple[str, dict[str, Any], Blockage | None, Level, Level]] = [
    # what, the fleet, what blocks the loop, health, readiness
    ("all is well", {}, None, Level.OK, Level.OK),
    ("nothing has begun", {"workers": ()}, None, Level.OK, Level.FAILED),
    ("no poll has been answered", {"workers": (NEW,)}, None, Level.OK, Level.FAILED),
    ("server down from the start", {"workers": (NEVER_REACHED,)}, None, Level.DEGRADED, Level.FAILED),
    ("server down for a moment", {"workers": (HICCUP,)}, None, Level.DEGRADED, Level.DEGRADED),
    ("server down for long", {"workers": (AWAY,)}, None, Level.DEGRADED, Level.FAILED),
    ("one of two processes polls", {"workers": (AWAY, OneWorker())}, None, Level.DEGRADED, Level.OK),
    (
        "another type is well",
        {"workers": (AWAY, OneWorker(task_type="other"))},
        None,
        Level.DEGRADED,
        Level.FAILED,
    ),
    ("quiet", {"stage": Stage.QUIET}, None, Level.OK, Level.FAILED),
    ("draining", {"stage": Stage.DRAINING}, None, Level.OK, Level.FAILED),
    ("paused", {"workers": (PAUSED,)}, None, Level.OK, Level.FAILED),
    (
        "paused after polls had failed",
        {"workers": (attrs.evolve(AWAY, is_paused=True),)},
        None,
        Level.OK,
        Level.FAILED,
    ),
    ("one of two paused", {"workers": (PAUSED, OneWorker(task_type="b"))}, None, Level.OK, Level.OK),
    ("loop blocked", {}, BLOCKED, Level.FAILED, Level.FAILED),
    (
        "process being replaced",
        {"processes": (Place(is_serving=False, down_since=NOW - 2), Place())},
        None,
        Level.DEGRADED,
        Level.DEGRADED,
    ),
    (
        "process given up",
        {"processes": (Place(is_given_up=True, down_since=NOW - 2), Place())},
        None,
        Level.FAILED,
        Level.FAILED,
    ),
]


@pytest.mark.parametrize(
    ("fleet", "blockage", "alive", "ready"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE]
)
def test_truth_table(fleet: dict[str, Any], blockage: Blockage | None, alive: Level, ready: Level) -> None:
    view = Fleet(**fleet)
    assert health(view, blockage=blockage).level is alive
    assert readiness(view, blockage=blockage, now=NOW).level is ready


def test_only_failure_is_a_503() -> None:
    assert [Report(level, ()).is_good for level in Level] == [True, True, False]


def test_report_names_the_worker_the_problem_and_since_when() -> None:
    view = Fleet(workers=(attrs.evolve(AWAY, domain="eu"),))
    [problem] = as_json(health(view, blockage=None), view)["problems"]
    assert problem == {
        "level": "degraded",
        "subject": "worker 'greet' in domain 'eu'",
        "workers": ["greet"],
        "problem": "its polls fail: refused",
        "since": "1970-01-12T13:46:10.000+00:00",
    }


def test_blocked_loop_is_laid_to_the_worker_whose_function_blocks_it() -> None:
    [finding] = health(Fleet(), blockage=BLOCKED).findings
    assert (finding.subject, finding.workers, finding.since) == ("worker 'greet'", ("greet",), NOW - 61)
    assert "task t1" in finding.problem
    [finding] = health(Fleet(), blockage=Blockage(NOW - 61)).findings
    assert (finding.subject, finding.workers) == ("event loop", ())


def test_process_is_named_with_its_workers() -> None:
    [finding] = health(Fleet(processes=(Place(down_since=NOW - 2),)), blockage=None).findings
    assert (finding.subject, finding.workers) == ("process 1 of 2", ("greet", "nap"))


def test_outbox_without_its_file_is_named_and_no_reason_to_restart() -> None:
    report = health(Fleet(outbox=Stored("the disk is full")), blockage=None)
    assert report.level is Level.DEGRADED
    [finding] = report.findings
    assert (finding.subject, finding.problem) == ("outbox", "it is in memory only: the disk is full")


def test_threads_that_were_left_behind_are_shown() -> None:
    fleet = Fleet(workers=(OneWorker(threads=3, leaked=2),))
    [worker] = as_json(health(fleet, blockage=None), fleet)["workers"]
    assert worker["leaked_threads"] == 2
