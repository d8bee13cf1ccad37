"""Count what a chaos run came to, from what functions wrote down, what was done, and what the server has."""

import re
import statistics
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

SECOND = 1_000_000_000
_PID = re.compile(r"-(\d+)-[0-9a-f]+$")
"""The process in a worker id of anyworker."""


@attrs.frozen
class Execution:
    """One run of a task's function; times in nanoseconds of the monotonic clock."""

    task_id: str
    pid: int
    begun: int
    over: int | None
    """When it came to its end or was stopped, None if its process died before."""
    has_result: bool
    """Whether it came to its end."""


@attrs.frozen
class Death:
    """A SIGKILL."""

    kind: str
    pids: frozenset[int]
    at: int


@attrs.frozen
class Loss:
    """A task that a cut answer would have brought to a worker."""

    task_id: str
    at: int


@attrs.frozen
class Outage:
    """The server was killed and started again."""

    killed: int
    back: int


@attrs.frozen
class Started:
    """A workflow, and what its result is to be."""

    workflow_id: str
    result: int


@attrs.define
class Record:
    """What was seen of a run."""

    journal: str
    started: Sequence[Started]
    workflows: Mapping[str, Mapping[str, Any]]
    """As the server has them in the end, by id."""
    deaths: Sequence[Death] = ()
    losses: Sequence[Loss] = ()
    outages: Sequence[Outage] = ()


def executions(journal: str) -> list[Execution]:
    """Return what a journal tells, in the order in which it began."""
    found: list[Execution] = []
    open_at: dict[tuple[str, int], int] = {}
    for line in journal.splitlines():
        word, task_id, pid, at = line.split()
        key = (task_id, int(pid))
        if word == "begin":
            open_at[key] = len(found)
            found.append(Execution(task_id, int(pid), int(at), None, has_result=False))
        else:
            index = open_at.pop(key)
            found[index] = attrs.evolve(found[index], over=int(at), has_result=word == "end")
    return sorted(found, key=lambda execution: execution.begun)


def count(record: Record) -> dict[str, Any]:
    """Return the figures of a run, by their names, as JSON has them.

    ``results_lost``: tasks whose function came to its end and that are not completed.
    ``waited_for_response_timeout``: tasks that timed out or that a worker still has in the end, although
    nobody works any more. Those among them that a fleet had which was killed as a whole stand beside it:
    only what it left on disk tells of its worker ids.
    ``run_by_two_at_once``: tasks that began again while the process that had them lived and ran them.
    """
    runs = executions(record.journal)
    tasks = [task for flow in record.workflows.values() for task in flow["tasks"]]
    by_task: dict[str, list[Execution]] = defaultdict(list)
    for run in runs:
        by_task[run.task_id].append(run)
    waited = [task for task in tasks if task["status"] in {"TIMED_OUT", "IN_PROGRESS"}]
    killed_whole = {pid for death in record.deaths if death.kind == "kill_fleet" for pid in death.pids}
    orphaned = [task for task in waited if _holders(task, by_task) & killed_whole]
    states = Counter(_state(record, each) for each in record.started)
    known = [task for task in tasks if task["taskId"] in by_task]
    return {
        "workflows": len(record.started),
        "right": states["right"],
        "wrong": states["wrong"],
        "unfinished": states["unfinished"],
        "executions_per_task": dict(sorted(Counter(len(by_task[task["taskId"]]) for task in known).items())),
        "results_lost": sum(
            task["status"] != "COMPLETED" and any(run.has_result for run in by_task[task["taskId"]])
            for task in known
        ),
        "run_to_the_end_again": sum(
            sum(run.has_result for run in by_task[task["taskId"]]) > 1 for task in known
        ),
        "run_by_two_at_once": sum(_overlap(by_task[task["taskId"]], record.deaths) for task in known),
        "waited_for_response_timeout": len(waited) - len(orphaned),
        "of_fleets_killed_whole": len(orphaned),
        "recovery_seconds": _recoveries(record, runs, by_task),
    }


def _holders(task: Mapping[str, Any], by_task: Mapping[str, Sequence[Execution]]) -> set[int]:
    """Return the process that has a task, or had it last."""
    match = _PID.search(task.get("workerId") or "")
    if match is not None:
        return {int(match[1])}
    return {run.pid for run in by_task.get(task["taskId"], [])[-1:]}


def _state(record: Record, started: Started) -> str:
    workflow = record.workflows[started.workflow_id]
    if workflow["status"] == "RUNNING":
        return "unfinished"
    is_right = workflow["status"] == "COMPLETED" and workflow["output"].get("result") == started.result
    return "right" if is_right else "wrong"


def _overlap(runs: Sequence[Execution], deaths: Iterable[Death]) -> bool:
    """Return whether a task began while another process, alive, had it."""
    died = {pid: death.at for death in deaths for pid in death.pids}
    latest = 0
    for run in runs:
        if run.begun < latest:
            return True
        latest = max(latest, run.over or died.get(run.pid, 0))
    return False


def _recoveries(
    record: Record, runs: Sequence[Execution], by_task: Mapping[str, Sequence[Execution]]
) -> dict[str, dict[str, float]]:
    """Return, for each kind of fault, how long tasks that it met took until they ran again."""
    times: dict[str, list[float | None]] = defaultdict(list)
    for death in record.deaths:
        for run in runs:
            if run.pid in death.pids and run.over is None:
                times[f"SIGKILL, {death.kind}"].append(_next(by_task[run.task_id], death.at))
    for loss in record.losses:
        times["cut poll"].append(_next(by_task.get(loss.task_id, ()), loss.at))
    for outage in record.outages:
        times["server's restart, from its first answer"].append(_next(runs, outage.back))
    return {kind: _summary(found) for kind, found in times.items()}


def _next(runs: Sequence[Execution], at: int) -> float | None:
    """Return the seconds until the next of these begins, None if there is none."""
    index = bisect_right([run.begun for run in runs], at)
    return (runs[index].begun - at) / SECOND if index < len(runs) else None


def _summary(found: Sequence[float | None]) -> dict[str, float]:
    seconds = sorted(each for each in found if each is not None)
    told = {"tasks": len(found), "never": len(found) - len(seconds)}
    if not seconds:
        return told
    return told | {"median": round(statistics.median(seconds), 2), "longest": round(seconds[-1], 2)}
