"""Bugs in how tasks are handed out."""

import heapq
from typing import Any

import pytest
from planted_bugs import bug

from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle.launching import Launcher
from anyworker.devserver.queueing import polls
from anyworker.devserver.queueing.admission import Admission
from anyworker.devserver.queueing.line import Line
from anyworker.devserver.queueing.queues import Queues
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord

# ---------------------------------------------------------------- polls and queues


@bug("11.", "pollCount stays as it was after a hand-back")
def _(patch: pytest.MonkeyPatch) -> None:
    take = Engine.__dict__["_take"]

    def uncounted(self: Engine, task: TaskRecord, poll: Any, now: int) -> None:
        take(self, task, poll, now)
        task.poll_count = 1

    patch.setattr(Engine, "_take", uncounted)


@bug("11.", "startTime is that of the last poll")
def _(patch: pytest.MonkeyPatch) -> None:
    take = Engine.__dict__["_take"]

    def restarted(self: Engine, task: TaskRecord, poll: Any, now: int) -> None:
        task.started = now
        take(self, task, poll, now)

    patch.setattr(Engine, "_take", restarted)


@bug("7-", "the task that came last goes first")
def _(patch: pytest.MonkeyPatch) -> None:
    def newest(self: Line) -> Any:
        while self.ready:
            entry = max(self.ready)
            self.ready.remove(entry)
            heapq.heapify(self.ready)
            if entry[-1].task is not None:
                return entry[-1]
        return None

    patch.setattr(Line, "pop", newest)


@bug("5.2-", "what a poll holds can be seen by others")
def _(patch: pytest.MonkeyPatch) -> None:
    hold = Queues.__dict__["_hold"]

    def visible(self: Queues, queue: Line, poll: Any) -> None:
        before = list(queue.ready)
        hold(self, queue, poll)
        queue.ready[:] = before

    patch.setattr(Queues, "_hold", visible)


@bug("5.2-", "a poll for several is answered at the first task")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Queues, "_is_served", lambda self, poll: len(poll.held) >= 1)


@bug("5.3-", "a hand-back is delivered at once, whatever its call-back")
def _(patch: pytest.MonkeyPatch) -> None:
    push = Queues.push
    patch.setattr(Queues, "push", lambda self, task, delay, now: push(self, task, 0, now))


@bug("5.8-", "the tasks of a paused workflow are kept back")
def _(patch: pytest.MonkeyPatch) -> None:
    pop = Line.pop

    def paused(self: Line) -> Any:
        message = pop(self)
        while message is not None and message.task is not None and message.task.workflow.status == "PAUSED":
            message = pop(self)
        return message

    patch.setattr(Line, "pop", paused)


@bug("5.8-", "a terminated workflow leaves its tasks in their queues")
def _(patch: pytest.MonkeyPatch) -> None:
    def left(self: Launcher, task: TaskRecord, status: str, now: int) -> None:
        if status == "CANCELED":
            task.close(status, now)
        else:
            close(self, task, status, now)

    close = Launcher.close
    patch.setattr(Launcher, "close", left)


# ---------------------------------------------------------------- domains


@bug("6-", "NO_DOMAIN is a domain like any other")
def _(patch: pytest.MonkeyPatch) -> None:
    choose = Launcher.__dict__["_domain"]

    def literal(self: Launcher, workflow: WorkflowRecord, task_type: str, now: int) -> str | None:
        found: str | None = choose(self, workflow, task_type, now)
        is_named = task_type in workflow.task_to_domain
        return "NO_DOMAIN" if found is None and is_named else found

    patch.setattr(Launcher, "_domain", literal)


@bug("6-", "a domain stays active for a minute")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(polls, "ACTIVE_FOR", 60_000)


# ---------------------------------------------------------------- limits


@bug("7-", "a handed-back task frees its place")
def _(patch: pytest.MonkeyPatch) -> None:
    prepare = Admission.__init__

    def forgetful(self: Admission, *, keeps_place: bool, rate_limits: bool) -> None:
        prepare(self, keeps_place=not keeps_place, rate_limits=rate_limits)

    patch.setattr(Admission, "__init__", forgetful)


@bug("7-", "the end of a task does not bring the next")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Admission, "leave", lambda self, task: None)


@bug("7-", "priorities do not matter")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Queues, "_rank", lambda self, task, at, delay: (0, at))
