"""Bugs in what becomes of a task."""

from typing import Any

import attrs
import pytest
from planted_bugs import bug

from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle import limits, results, scheduling
from anyworker.devserver.lifecycle.limits import Ending
from anyworker.devserver.lifecycle.results import Report
from anyworker.devserver.lifecycle.scheduling import Scheduler
from anyworker.devserver.lifecycle.updates import Updates
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord

# ---------------------------------------------------------------- updates


@bug("5.3-", "an update's output is merged into what was there")
def _(patch: pytest.MonkeyPatch) -> None:
    take = Updates.take

    def merged(self: Updates, task: TaskRecord, report: Report, workflow: WorkflowRecord, now: int) -> bool:
        report = attrs.evolve(report, output={**task.output, **report.output})
        return take(self, task, report, workflow, now)

    patch.setattr(Updates, "take", merged)


@bug("5.3-", "a result that comes after the timeout is taken")
def _(patch: pytest.MonkeyPatch) -> None:
    take = Updates.take

    def late(self: Updates, task: TaskRecord, report: Report, workflow: WorkflowRecord, now: int) -> bool:
        if task.status == "TIMED_OUT":
            task.status = "IN_PROGRESS"
        return take(self, task, report, workflow, now)

    patch.setattr(Updates, "take", late)


@bug("5.3-", "only the worker that has a task may update it")
def _(patch: pytest.MonkeyPatch) -> None:
    take = Updates.take

    def owned(self: Updates, task: TaskRecord, report: Report, workflow: WorkflowRecord, now: int) -> bool:
        return task.status == "IN_PROGRESS" and take(self, task, report, workflow, now)

    patch.setattr(Updates, "take", owned)


@bug("3-", "the reason is kept whole")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(results, "LONGEST_REASON", 100_000)


@bug("3-", "all lines of the log are kept")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(results, "MOST_LOGS", 1000)


@bug("5.4-", "update-v2 polls after a hand-back too")
def _(patch: pytest.MonkeyPatch) -> None:
    def eager(self: Engine, report: Report, now: int) -> Any:
        task = self.update(report, now)
        if task is None:
            return None
        return self.poll(task.task_type, now=now, domain=task.domain, worker_id=report.worker_id, timeout=100)

    patch.setattr(Engine, "update_and_poll", eager)


@bug("5.4-", "update-v2 polls the plain queue, whatever the domain")
def _(patch: pytest.MonkeyPatch) -> None:
    poll = Engine.poll

    def plain(self: Engine, task_type: str, *, timeout: int = 100, **more: Any) -> Any:
        if timeout == 100 and more.get("count") is None:
            more["domain"] = None
        return poll(self, task_type, timeout=timeout, **more)

    patch.setattr(Engine, "poll", plain)


# ---------------------------------------------------------------- leases and timeouts


@bug("5.5-", "a heartbeat moves timeoutSeconds as well")
def _(patch: pytest.MonkeyPatch) -> None:
    extend = Updates.extend_lease

    def generous(self: Updates, task: TaskRecord, now: int) -> None:
        if not task.is_terminal and task.started:
            task.started = now
        extend(self, task, now)

    patch.setattr(Updates, "extend_lease", generous)


@bug("5.5-", "a heartbeat moves nothing")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Updates, "extend_lease", lambda self, task, now: None)


@bug("5.7-", "the response timeout obeys the policy")
def _(patch: pytest.MonkeyPatch) -> None:
    def obedient(task: TaskRecord, now: int) -> Ending | None:
        ending = expire(task, now)
        if task.is_terminal and task.step.definition.timeout_policy == "TIME_OUT_WF":
            return Ending("TIMED_OUT", task.reason, task)
        return ending

    expire = limits.expire
    patch.setattr(limits, "expire", obedient)


@bug("5.7-", "the response timeout runs on from the first poll")
def _(patch: pytest.MonkeyPatch) -> None:
    take = Engine.__dict__["_take"]

    def once(self: Engine, task: TaskRecord, poll: Any, now: int) -> None:
        take(self, task, poll, now)
        task.updated = task.started
        self.launcher.watch(task, now)

    patch.setattr(Engine, "_take", once)


@bug("5.6-", "the total timeout begins anew with each attempt")
def _(patch: pytest.MonkeyPatch) -> None:
    after = Scheduler.attempt_after

    def fresh(self: Scheduler, task: TaskRecord, now: int) -> TaskRecord:
        again = after(self, task, now)
        again.first_scheduled = now
        return again

    patch.setattr(Scheduler, "attempt_after", fresh)


# ---------------------------------------------------------------- retries


@bug("5.6-delay", "the linear delay is off by one attempt")
def _(patch: pytest.MonkeyPatch) -> None:
    def short(definition: Any, attempt: int) -> int:
        is_linear = definition.retry_logic == "LINEAR_BACKOFF"
        return delay(definition, attempt - 1 if is_linear else attempt)

    delay = limits.retry_delay
    patch.setattr(scheduling, "retry_delay", short)


@bug("5.6-delay", "the delay is not capped")
def _(patch: pytest.MonkeyPatch) -> None:
    def uncapped(definition: Any, attempt: int) -> int:
        return delay(attrs.evolve(definition, max_retry_delay_seconds=0), attempt)

    delay = limits.retry_delay
    patch.setattr(scheduling, "retry_delay", uncapped)


@bug("5.6-", "retryCount counts the first attempt")
def _(patch: pytest.MonkeyPatch) -> None:
    may = limits.may_be_retried
    patch.setattr(limits, "may_be_retried", lambda task: may(task) and task.step.attempts > task.attempt + 1)


@bug("5.6-", "a terminal error is retried")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(limits, "RETRIABLE_TASK", limits.RETRIABLE_TASK | {"FAILED_WITH_TERMINAL_ERROR"})
