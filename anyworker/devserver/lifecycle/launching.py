"""New tasks go out: those for workers into their queues, the server's own to their work."""

import functools
from typing import Any

from anyworker.devserver.lifecycle import limits
from anyworker.devserver.lifecycle.limits import Ending, WorkflowEnds
from anyworker.devserver.lifecycle.state import Decide, StartChild, State
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.wire import payloads

IMMEDIATE_KINDS = frozenset({"SET_VARIABLE", "SWITCH", "TERMINATE"})
"""Kinds that the server carries out at once."""
_NEXT_LOOK = 30
"""Seconds after which the real server looks again at a task of its own, shown by the task."""
_TERMINATION_STATUSES = frozenset({"COMPLETED", "FAILED", "TERMINATED"})


class Launcher:
    """Starts tasks and watches their moments."""

    def __init__(self, state: State) -> None:
        self._state = state

    def launch(self, workflow: WorkflowRecord, tasks: list[TaskRecord], now: int) -> bool:
        """Let new tasks go their ways; tell whether one was carried out that may be followed at once.

        Raises:
            WorkflowEnds: The input of a task is too large.
        """
        seq = max((task.seq for task in workflow.tasks[-1:]), default=0)
        for number, task in enumerate(tasks, seq + 1):
            task.seq = number
            self._add(task, now)
        if tasks:
            workflow.updated = now
        is_changed = False
        for task in tasks:
            is_changed = self._start(task, now) or is_changed
        return is_changed

    def _add(self, task: TaskRecord, now: int) -> None:
        workflow, state = task.workflow, self._state
        found = payloads.size(task.input)
        if found > payloads.LIMIT:
            task.reason = payloads.too_large_for_task(found, task.task_id, workflow.workflow_id)
            task.input = {}
            task.status = "FAILED_WITH_TERMINAL_ERROR"
        elif found > payloads.INLINE_LIMIT:
            task.external_input = f"{state.new_id()}.json"
            state.store.keep_payload(task.external_input, task.input)
        workflow.add(task)
        state.store.add_task(task)
        if found > payloads.LIMIT:
            task.close(task.status, now)
            raise WorkflowEnds(Ending("FAILED", task.reason))

    def _start(self, task: TaskRecord, now: int) -> bool:
        """Start a new task; tell whether the server has done at once what there was to do."""
        step = task.step
        if not step.is_system:
            delay = task.callback_after * 1000
            if task.retried_task_id is not None:
                delay += self._state.jitter(step.definition.backoff_jitter_ms)
            self.enqueue(task, delay, now)
            return False
        task.updated = now
        if task.is_terminal:
            task.ended = now
            task.become(task.status, now)
            return step.kind == "FORK_JOIN"
        if step.kind in IMMEDIATE_KINDS:
            task.become("IN_PROGRESS", now)
            carry_out(task, now)
            return True
        task.updated = 0
        task.become(task.status, now)
        self.watch(task, now)
        self.resume(task, task.callback_after * 1000, now)
        return False

    def enqueue(self, task: TaskRecord, delay: int, now: int) -> None:
        """Schedule a worker's task, deliverable after a delay in milliseconds."""
        workflow = task.workflow
        task.domain = self._domain(workflow, task.task_type, now)
        task.become("SCHEDULED", now)
        self.watch(task, now)
        self._state.queues.push(task, delay, now)

    def resume(self, task: TaskRecord, delay: int, now: int) -> None:
        """Go on, after a delay in milliseconds, with a task that the server executes in the background."""
        match task.step.kind:
            case "SUB_WORKFLOW" if task.status == "SCHEDULED":
                self._alarm(task, now + delay, self._start_child)
            case "JOIN" if task.status == "SCHEDULED":
                task.started = now  # and no more: the real server takes it up and never evaluates it
            case "WAIT" if task.status == "SCHEDULED":
                self._alarm(task, now + delay, self._start_waiting)
            case "WAIT" if task.wait_until > 0:
                self._alarm(task, max(task.wait_until, now), self._stop_waiting)
            case _:
                pass

    def _alarm(self, task: TaskRecord, at: int, action: Any) -> None:
        deadlines = self._state.deadlines
        if task.alarm is not None:
            deadlines.cancel(task.alarm)
        task.alarm = deadlines.add(at, functools.partial(action, task))

    def _start_child(self, task: TaskRecord, now: int) -> None:
        task.poll_count += 1
        task.started = now
        self._state.later(StartChild(task))

    def _start_waiting(self, task: TaskRecord, now: int) -> None:
        if not task.is_terminal:
            task.updated = now
            left = (task.wait_until - now) // 1000
            task.callback_after = max(left, 1) if task.wait_until > 0 else _NEXT_LOOK
            task.started = now
            task.become("IN_PROGRESS", now)
            self.watch(task, now)
            self.resume(task, 0, now)

    def _stop_waiting(self, task: TaskRecord, now: int) -> None:
        if not task.is_terminal and not task.workflow.is_terminal:
            task.poll_count += 1
            self.close(task, "COMPLETED", now)
            self._state.later(Decide(task.workflow))

    def close(self, task: TaskRecord, status: str, now: int) -> None:
        """Give a task a terminal status; nothing waits for it any more."""
        task.close(status, now)
        self._state.queues.remove(task)
        self.forget(task)

    def forget(self, task: TaskRecord) -> None:
        """Forget the moments of a task."""
        for deadline in (task.due, task.alarm):
            if deadline is not None:
                self._state.deadlines.cancel(deadline)
        task.due = task.alarm = None

    def watch(self, task: TaskRecord, now: int) -> None:
        """See to it that the workflow is decided when the next limit of a live task is reached."""
        due = limits.next_due(task) if task.is_pending and not task.is_terminal else None
        if task.due is not None:
            if task.due.at == due and task.due.action is not None:
                return
            self._state.deadlines.cancel(task.due)
        task.due = None
        if due is not None:
            task.due = self._state.deadlines.add(max(due, now), functools.partial(self._due, task))

    def _due(self, task: TaskRecord, _: int) -> None:
        self._state.later(Decide(task.workflow))

    def _domain(self, workflow: WorkflowRecord, task_type: str, now: int) -> str | None:
        """Choose the first active domain of those named for the task type, else the last of them."""
        named = str(workflow.task_to_domain.get(task_type) or workflow.task_to_domain.get("*") or "")
        if not named.strip():
            return None
        domains = [domain.strip() for domain in named.split(",")]
        for domain in domains:
            if domain.upper() != "NO_DOMAIN" and self._state.queues.history.is_active(task_type, domain, now):
                return domain
        return None if domains[-1].upper() == "NO_DOMAIN" else domains[-1]


def carry_out(task: TaskRecord, now: int) -> None:
    """Do what the server does at once."""
    status = "COMPLETED"
    match task.step.kind:
        case "SET_VARIABLE":
            status = _set_variables(task)
        case "TERMINATE" if task.input.get("terminationStatus") in _TERMINATION_STATUSES:
            output = task.input.get("workflowOutput")
            if output is not None:
                task.output = dict(output) if isinstance(output, dict) else {"output": output}
        case "TERMINATE":
            status, task.reason = "FAILED", "given termination status is not valid"
        case _:
            pass
    task.close(status, now)


def _set_variables(task: TaskRecord) -> str:
    """Give a workflow the variables that a SET_VARIABLE sets; return how that ends the task."""
    workflow = task.workflow
    variables = workflow.variables | task.input
    found = payloads.size(variables)
    if found > payloads.VARIABLES_LIMIT:
        task.reason = payloads.too_large_for_variables(found, workflow.workflow_id)
        return "FAILED_WITH_TERMINAL_ERROR"
    workflow.variables = variables
    if workflow.is_fresh:
        # The real server does not yet tell its variables from its definition's.
        workflow.defined_variables = variables
    return "COMPLETED"
