"""The decider: what follows from the state of a workflow, and doing it."""

import functools
from collections.abc import Callable

from anyworker.devserver import payloads
from anyworker.devserver.deadlines import Deadlines
from anyworker.devserver.expressions import parameters
from anyworker.devserver.limits import (
    Ending,
    expire,
    next_due,
    refusal_to_retry,
    retry_delay,
    workflow_overdue,
)
from anyworker.devserver.plans import Step
from anyworker.devserver.queues import Queues
from anyworker.devserver.records import FAILED_TASK, SUCCESSFUL_TASK, TaskRecord, WorkflowRecord, scope_of
from anyworker.devserver.store import Store


class Decider:
    """Moves workflows on.

    Args:
        store: Where new tasks are kept and ended workflows are counted.
        queues: Where tasks wait.
        deadlines: Where the next check of a workflow is kept.
        new_id: Returns a new id.
        jitter: Returns a number of milliseconds from 0 up to the given one, to be added to a retry's delay.
    """

    def __init__(
        self,
        store: Store,
        queues: Queues,
        deadlines: Deadlines,
        new_id: Callable[[], str],
        jitter: Callable[[int], int],
    ) -> None:
        self._store = store
        self._queues = queues
        self._deadlines = deadlines
        self._new_id = new_id
        self._jitter = jitter

    def decide(self, workflow: WorkflowRecord, now: int) -> None:
        """Look at timeouts, retry or give up what failed, schedule what follows, end what is over."""
        if workflow.is_terminal or workflow.lost_payload is not None:
            return
        ending = self._evaluate(workflow, now)
        if ending is not None:
            self.end(workflow, ending, now)
        self.watch(workflow, now)

    def watch(self, workflow: WorkflowRecord, now: int) -> None:
        """See to it that the workflow is decided when its next limit is reached."""
        due = None if workflow.is_terminal else next_due(workflow, now)
        check = workflow.check
        if check is not None and check.action is not None:
            if due is not None and check.at <= due:
                return
            self._deadlines.cancel(check)
        workflow.check = None
        if due is not None:
            workflow.check = self._deadlines.add(due, functools.partial(self.decide, workflow))

    def _evaluate(self, workflow: WorkflowRecord, now: int) -> Ending | None:
        ending = workflow_overdue(workflow, now)
        if ending is not None or workflow.status == "PAUSED":
            return ending
        if not workflow.tasks:
            return self._schedule(workflow, workflow.plan.steps[0], now)
        for task in list(workflow.tasks):
            if task.is_retried or task.is_executed or task.status == "SKIPPED":
                continue
            ending = self._pass(workflow, task, now)
            if ending is not None:
                return ending
        return None

    def _pass(self, workflow: WorkflowRecord, task: TaskRecord, now: int) -> Ending | None:
        """Take one task of the workflow as far as it goes."""
        if not task.is_terminal:
            ending = expire(task, now)
            if not task.is_terminal:
                return None
            self._queues.remove(task)
            if ending is not None:
                return ending
        step = task.step
        is_forgiven = False
        if task.status not in SUCCESSFUL_TASK:
            refusal = refusal_to_retry(task, now)
            if refusal is None:
                self._retry(workflow, task, now)
                return None
            if not step.optional and not step.permissive:
                return refusal
            is_forgiven = step.optional
        following = workflow.plan.after(step)
        if following is None:
            return self._complete(workflow, task if is_forgiven else None, now)
        if is_forgiven:
            # Only here: the server does not store this status on the last task of a workflow.
            task.become("COMPLETED_WITH_ERRORS", now)
        task.is_executed = True
        return self._schedule(workflow, following, now)

    def _complete(self, workflow: WorkflowRecord, forgiven: TaskRecord | None, now: int) -> Ending | None:
        for step in workflow.plan.steps:
            last = workflow.latest(step.reference)
            if last is not None and last is not forgiven and last.status not in SUCCESSFUL_TASK:
                return refusal_to_retry(last, now)  # permissive: let the others go on until here
        self._close(workflow, Ending("COMPLETED", workflow.reason), now, forgiven)
        return None

    # Scheduling

    def _schedule(self, workflow: WorkflowRecord, step: Step, now: int) -> Ending | None:
        task_id = self._new_id()
        task = TaskRecord(
            task_id=task_id,
            workflow=workflow,
            step=step,
            seq=workflow.tasks[-1].seq + 1 if workflow.tasks else 1,
            input=self._input(workflow, step, task_id),
            scheduled=now,
            first_scheduled=now,
            domain=self._domain(workflow, step.queue_type, now),
            start_delay=step.start_delay,
            callback_after=step.start_delay,
        )
        return self._enqueue(task, step.start_delay * 1000, now)

    def _enqueue(self, task: TaskRecord, delay: int, now: int) -> Ending | None:
        workflow = task.workflow
        found = payloads.size(task.input)
        workflow.tasks.append(task)
        self._store.add_task(task)
        workflow.updated = now
        if found > payloads.LIMIT:
            reason = payloads.too_large_for_task(found, task.task_id, workflow.workflow_id)
            task.input, task.reason = {}, reason
            task.close("FAILED_WITH_TERMINAL_ERROR", now)
            return Ending("FAILED", reason)
        if found > payloads.INLINE_LIMIT:
            task.external_input = f"{self._new_id()}.json"
            self._store.keep_payload(task.external_input, task.input)
        task.become("SCHEDULED", now)
        self._queues.push(task, delay, now)
        return None

    def _retry(self, workflow: WorkflowRecord, task: TaskRecord, now: int) -> None:
        definition = task.step.definition
        seconds = retry_delay(definition, task.attempt)
        task.is_retried = True
        again = self.attempt_after(task, now)
        again.start_delay = again.callback_after = seconds
        again.reason = task.reason
        self._enqueue(again, seconds * 1000 + self._jitter(definition.backoff_jitter_ms), now)
        workflow.updated = now

    def attempt_after(self, task: TaskRecord, now: int) -> TaskRecord:
        """Return the attempt after another one, not yet queued."""
        workflow, task_id = task.workflow, self._new_id()
        return TaskRecord(
            task_id=task_id,
            workflow=workflow,
            step=task.step,
            seq=workflow.tasks[-1].seq + 1,
            input=self._input(workflow, task.step, task_id),
            scheduled=now,
            first_scheduled=task.first_scheduled,
            attempt=task.attempt + 1,
            domain=self._domain(workflow, task.task_type, now),
            retried_task_id=task.task_id,
        )

    def reopen(self, workflow: WorkflowRecord, tasks: list[TaskRecord], now: int) -> None:
        """Schedule, without delay, a further attempt of each of these tasks of a workflow that had ended."""
        self._store.revive(workflow)
        workflow.reason, workflow.retried = None, now
        workflow.become("RUNNING", now)
        for task in tasks:
            task.is_retried = task.is_executed = True
            again = self.attempt_after(task, now)
            again.updated = now
            self._enqueue(again, 0, now)
        self.watch(workflow, now)

    def _input(self, workflow: WorkflowRecord, step: Step, task_id: str) -> dict[str, object]:
        scope = functools.partial(scope_of, workflow)
        return parameters(step.parameters, scope, task_id, step.definition.input_template)

    def _domain(self, workflow: WorkflowRecord, task_type: str, now: int) -> str | None:
        """Choose the first active domain of those named for the task type, else the last of them."""
        named = str(workflow.task_to_domain.get(task_type) or workflow.task_to_domain.get("*") or "")
        if not named.strip():
            return None
        domains = [domain.strip() for domain in named.split(",")]
        for domain in domains:
            if domain.upper() != "NO_DOMAIN" and self._queues.is_active(task_type, domain, now):
                return domain
        return None if domains[-1].upper() == "NO_DOMAIN" else domains[-1]

    # Endings

    def end(self, workflow: WorkflowRecord, ending: Ending, now: int) -> None:
        """End a workflow without success: cancel what is alive and compute its output."""
        for task in workflow.tasks:
            if not task.is_terminal:
                task.close("CANCELED", now)
                self._queues.remove(task)
        self._close(workflow, ending, now)
        self.watch(workflow, now)

    def _close(
        self, workflow: WorkflowRecord, ending: Ending, now: int, forgiven: TaskRecord | None = None
    ) -> None:
        self._compute_output(workflow)
        workflow.reason, workflow.ended = ending.reason, now
        workflow.become(ending.status, now)
        for task in workflow.tasks:
            if task.status in FAILED_TASK and task is not forgiven:
                workflow.failed_references[task.reference] = None
                workflow.failed_names[task.step.name] = None
        self._store.finish(workflow)

    def _compute_output(self, workflow: WorkflowRecord) -> None:
        if workflow.plan.outputs:
            workflow.output = parameters(workflow.plan.outputs, functools.partial(scope_of, workflow), None)
        elif workflow.tasks:
            workflow.output = workflow.tasks[-1].output
