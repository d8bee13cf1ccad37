"""The decider: what follows from the state of a workflow, and doing it."""

import functools

import attrs

from anyworker.devserver.lifecycle import joins, limits
from anyworker.devserver.lifecycle.endings import Endings
from anyworker.devserver.lifecycle.launching import IMMEDIATE_KINDS, Launcher, carry_out
from anyworker.devserver.lifecycle.limits import WorkflowEnds
from anyworker.devserver.lifecycle.scheduling import Scheduler, following_step
from anyworker.devserver.lifecycle.state import Decide, EvaluateJoins, State
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord

SWEEP_AFTER = 30_000
"""Milliseconds after which the real server looks at a workflow that nothing has asked it to decide."""


@attrs.define(eq=False)
class _Findings:
    """What one pass over a workflow found; nothing of it is done if the pass ends the workflow."""

    executed: list[TaskRecord] = attrs.field(factory=list)
    forgiven: list[TaskRecord] = attrs.field(factory=list)
    """Executed ones that count as completed with errors."""
    retried: list[TaskRecord] = attrs.field(factory=list)
    coming: dict[str, TaskRecord] = attrs.field(factory=dict)
    """What is to be started, by reference name."""
    left: list[TaskRecord] = attrs.field(factory=list)
    """What the server is to carry out once more."""
    is_waiting: bool = False
    """Whether a task is alive."""


class Decider:
    """Moves workflows on, each by itself; what concerns two of them is a job for later."""

    def __init__(self, state: State, endings: Endings, launcher: Launcher, scheduler: Scheduler) -> None:
        self._state = state
        self._endings = endings
        self._launcher = launcher
        self._scheduler = scheduler

    def decide(self, workflow: WorkflowRecord, now: int) -> None:
        """Look at timeouts, retry or give up what failed, schedule what follows, end what is over.

        Raises:
            RequestRefused: The server stumbles over the definition; the workflow stays where it is.
        """
        if workflow.is_terminal:
            self._endings.cancel_rest(workflow, now)
            return
        if workflow.lost_payload is not None:
            return
        self._reopen_joins(workflow, now)
        try:
            while self._pass(workflow, now):
                pass
        except WorkflowEnds as end:
            self._endings.end(workflow, end.ending, now)
        self.watch(workflow, now)
        if is_stuck(workflow):
            self.sweep_later(workflow, now)
        self._state.later(EvaluateJoins(workflow))

    def sweep(self, workflow: WorkflowRecord, now: int) -> None:
        """Decide, and once more if that has left nothing that could ever move the workflow on."""
        self.decide(workflow, now)
        if is_stuck(workflow):
            self.decide(workflow, now)

    def watch(self, workflow: WorkflowRecord, now: int) -> None:
        """See to it that the workflow is decided when its own timeout is reached."""
        due = None if workflow.is_terminal else limits.workflow_due(workflow)
        if workflow.check is not None:
            if workflow.check.at == due and workflow.check.action is not None:
                return
            self._state.deadlines.cancel(workflow.check)
        workflow.check = None
        if due is not None:
            action = functools.partial(self._decide_later, workflow)
            workflow.check = self._state.deadlines.add(max(due, now), action)

    def watch_all(self, workflow: WorkflowRecord, now: int) -> None:
        """See to it that the limits of all its tasks are looked at: some may have passed unseen."""
        self.watch(workflow, now)
        for task in workflow.pending.values():
            self._launcher.watch(task, now)

    def reopen(
        self, workflow: WorkflowRecord, joins: list[TaskRecord], tasks: list[TaskRecord], now: int
    ) -> None:
        """Go on with a workflow that had ended.

        As on the real server, a further attempt of a permissive task that the decider has gone past is gone
        past as well, and an attempt shares its input with the one before it.

        Args:
            workflow: What goes on.
            joins: JOINs that wait again.
            tasks: Tasks that get a further attempt, without delay; a fork or a JOIN its own place again.
            now: Epoch milliseconds.
        """
        attempts: list[TaskRecord] = []
        for task in joins:
            task.become("IN_PROGRESS", now)
        for task in tasks:
            if task.step.kind in {"FORK_JOIN", "JOIN"}:
                task.attempt += 1
                task.is_retried = False
                task.become("IN_PROGRESS", now)
                continue
            again = self._scheduler.attempt_after(task, now)
            again.updated, again.is_executed = now, task.is_executed
            attempts.append(again)
            task.is_retried = task.is_executed = True
            task.input = again.input
        workflow.keep(workflow.tasks)
        self._launcher.launch(workflow, attempts, now)
        self.watch_all(workflow, now)

    def sweep_later(self, workflow: WorkflowRecord, now: int) -> None:
        """See to it that the workflow is decided some time, whatever happens."""
        if workflow.sweep is None or workflow.sweep.action is None:
            action = functools.partial(self._decide_later, workflow)
            workflow.sweep = self._state.deadlines.add(now + SWEEP_AFTER, action)

    def _decide_later(self, workflow: WorkflowRecord, _: int) -> None:
        self._state.later(Decide(workflow))

    # One pass

    def _pass(self, workflow: WorkflowRecord, now: int) -> bool:
        """Go over what is pending once; tell whether a further pass may find more."""
        overdue = limits.workflow_overdue(workflow, now)
        if overdue is not None:
            raise WorkflowEnds(overdue)
        if workflow.status == "PAUSED":
            return False
        found = _Findings()
        if not workflow.pending:
            self._announce(found, self._scheduler.first(workflow, now))
        for task in list(workflow.pending.values()):
            self._look_at(task, found, now)
        is_over = not found.coming and not found.is_waiting and _has_all(workflow)
        termination = next((task for task in workflow.terminations if task.status == "COMPLETED"), None)
        if termination is not None or is_over:
            self._endings.complete(workflow, termination, found.forgiven, now)
            return False
        self._settle(workflow, found, now)
        is_changed = self._launcher.launch(workflow, list(found.coming.values()), now)
        for task in found.left:
            carry_out(task, now)
        return is_changed or bool(found.left)

    def _look_at(self, task: TaskRecord, found: _Findings, now: int) -> None:
        if not task.is_terminal:
            if task.step.kind in IMMEDIATE_KINDS:
                found.left.append(task)
            if (task.due is None or task.due.at > now) and not limits.is_late_from_the_start(task, now):
                found.is_waiting = True
                return
            self._expire(task, now)
            if not task.is_terminal:
                found.is_waiting = True
                return
        if task.is_unsuccessful and self._is_retried(task, found, now):
            return
        found.executed.append(task)
        self._announce(found, self._scheduler.after(task.workflow, task, now))

    def _expire(self, task: TaskRecord, now: int) -> None:
        ending = limits.expire(task, now)
        if task.is_terminal:
            self._state.queues.leave_behind(task)
            self._launcher.forget(task)
        if ending is not None:
            raise WorkflowEnds(ending)

    def _is_retried(self, task: TaskRecord, found: _Findings, now: int) -> bool:
        """Give an unsuccessful task its next attempt, or its pardon; else the workflow ends."""
        step = task.step
        if not limits.may_be_retried(task):
            if not step.optional and not step.permissive:
                raise WorkflowEnds(limits.failure_of(task))
            if not step.is_forgiving:
                found.forgiven.append(task)
            return False
        spent = limits.total_time_spent(task, now)
        if spent is not None:
            raise WorkflowEnds(spent)
        found.retried.append(task)
        found.coming[task.reference] = self._scheduler.retry(task, now)
        return True

    def _announce(self, found: _Findings, tasks: list[TaskRecord]) -> None:
        for task in tasks:
            found.coming.setdefault(task.reference, task)

    def _settle(self, workflow: WorkflowRecord, found: _Findings, now: int) -> None:
        for task in found.forgiven:
            task.become("COMPLETED_WITH_ERRORS", now)
        for task in found.executed:
            task.is_executed = True
            del workflow.pending[task.task_id]
        for task in found.retried:
            task.is_retried = True
            del workflow.pending[task.task_id]

    # Joins

    def evaluate_joins(self, workflow: WorkflowRecord, now: int) -> None:
        """Look whether what the JOINs of a workflow wait for is there."""
        if workflow.is_terminal:
            return
        is_changed = False
        for join in joins.waiting(workflow):
            join.poll_count += 1
            join.updated = now
            status = joins.evaluate(join)
            if status is not None:
                self._launcher.close(join, status, now)
                is_changed = True
        if is_changed:
            self._state.later(Decide(workflow))

    def _reopen_joins(self, workflow: WorkflowRecord, now: int) -> None:
        """Let JOINs that had failed wait again after a sub-workflow was set going again."""
        if not workflow.is_changed_below:
            return
        changed = [task for task in workflow.tasks if task.is_changed_below and not task.is_retried]
        workflow.is_changed_below = len(changed) > 1
        for task in changed[:1]:  # one at a time, as the real server
            task.is_changed_below = False
        for task in workflow.tasks:
            if task.step.kind == "JOIN" and task.is_unsuccessful:
                task.become("IN_PROGRESS", now)
                self._launcher.watch(task, now)
        workflow.keep(workflow.tasks)


def is_stuck(workflow: WorkflowRecord) -> bool:
    """Tell whether a running workflow has something to be decided and nothing that will ask for it.

    A WAIT that cannot be read fails without the decider being asked, on the real server.
    """
    pending = workflow.pending.values()
    return workflow.status == "RUNNING" and bool(pending) and all(task.is_terminal for task in pending)


def _has_all(workflow: WorkflowRecord) -> bool:
    """Tell whether every step that is to be done was begun, and no attempt at any is alive."""
    latest = workflow.latest
    followers = (following_step(workflow, task.step) for task in latest.values())
    return (
        bool(latest)
        and all(step.reference in latest for step in workflow.plan.steps)
        and all(task.is_terminal for task in workflow.tasks)
        and all(step is None or step.reference in latest for step in followers)
    )
