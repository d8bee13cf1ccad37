"""Running an ended workflow again from one of its tasks, and skipping a task that is still to come."""

from typing import Any

import attrs

from anyworker.devserver.control.operations import Operations
from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle import beginnings
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.wire import errors


@attrs.frozen
class Rerun:
    """What is to be run again."""

    task_id: str | None
    """None for the whole workflow."""
    task_input: dict[str, Any] | None = None
    workflow_input: dict[str, Any] | None = None
    correlation_id: str | None = None


class Reruns:
    """Runs workflows again."""

    def __init__(self, engine: Engine, operations: Operations) -> None:
        self._engine = engine
        self._operations = operations

    def rerun(self, workflow_id: str, request: Rerun, now: int) -> None:
        """Run an ended workflow again, from its beginning or from a task of it or of its sub-workflows.

        Raises:
            RequestRefused: 404, it is unknown; 409, it has not ended; 400, there is no such task.
        """
        try:
            if not self._rerun(workflow_id, request, now):
                raise errors.no_task_to_rerun(request.task_id)
        finally:
            self._engine.settle(now)

    def _rerun(self, workflow_id: str, request: Rerun, now: int) -> bool:
        workflow = self._engine.store.workflow(workflow_id)
        if not workflow.is_terminal:
            raise errors.workflow_not_terminal(workflow.short(), workflow.status, "rerun")
        retried = workflow.retried
        if request.task_id is None:
            self._engine.forget_tasks(workflow)
            self._reopen(workflow, request, now)
            self._wake_parents(workflow, now)
            self._engine.decide(workflow, now)
            return True
        task = next((task for task in workflow.tasks if task.task_id == request.task_id), None)
        if task is not None:
            self._reopen(workflow, request, now)
            self._rerun_task(workflow, task, request, now)
            return True
        task = next((task for task in workflow.tasks if self._is_inside(task, request, now)), None)
        if task is None:
            return False
        workflow.retried = retried
        self._reopen(workflow, request, now)
        self._reset(task, now)
        task.started = task.updated = now
        task.become("IN_PROGRESS", now)
        workflow.keep(workflow.tasks)
        self._engine.launcher.watch(task, now)
        self._wake_parents(workflow, now)
        self._engine.decide(workflow, now)
        return True

    def _is_inside(self, task: TaskRecord, request: Rerun, now: int) -> bool:
        """Rerun a task that is inside a sub-workflow; tell whether it is."""
        if task.step.kind != "SUB_WORKFLOW" or task.sub_workflow_id is None:
            return False
        return self._rerun(task.sub_workflow_id, Rerun(request.task_id, request.task_input), now)

    def _reopen(self, workflow: WorkflowRecord, request: Rerun, now: int) -> None:
        self._engine.store.revive(workflow)
        workflow.reason, workflow.failed_task_id = None, None
        workflow.failed_references, workflow.failed_names = {}, {}
        if request.correlation_id is not None:
            workflow.correlation_id = request.correlation_id
        if request.workflow_input is not None:
            workflow.input = request.workflow_input
        workflow.become("RUNNING", now)

    def _rerun_task(self, workflow: WorkflowRecord, task: TaskRecord, request: Rerun, now: int) -> None:
        self._reset(task, now)
        task.output, task.external_output = {}, None
        if task.step.kind == "SUB_WORKFLOW":
            task.sub_workflow_id = None
            task.become("SCHEDULED", now)
            beginnings.start_child(self._engine.state, task, now)
        else:
            if request.task_input is not None:
                task.input = request.task_input
            self._engine.forget_tasks(workflow, after=task)
            self._schedule(task, now)
        for other in workflow.tasks:
            if other.is_unsuccessful and other.reference != task.reference:
                self._go_on(other, now)
        workflow.keep(workflow.tasks)
        self._engine.decider.watch_all(workflow, now)
        self._engine.decide(workflow, now)
        self._wake_parents(workflow, now)

    def _reset(self, task: TaskRecord, now: int) -> None:
        task.scheduled = task.updated = now
        task.started = task.ended = task.poll_count = 0
        task.is_retried = task.is_executed = False
        task.reason = None if task.step.kind == "SUB_WORKFLOW" else task.reason

    def _go_on(self, task: TaskRecord, now: int) -> None:
        """Let what was cancelled or failed beside a task that runs again go on in its place."""
        task.is_executed, task.started, task.updated, task.ended, task.reason = False, now, now, 0, None
        kind = task.step.kind
        if kind == "SUB_WORKFLOW":
            task.sub_workflow_id = None
            task.output = {key: value for key, value in task.output.items() if key != "subWorkflowId"}
        if task.step.is_system and kind not in {"SUB_WORKFLOW", "WAIT"}:
            task.become("IN_PROGRESS", now)
        else:
            self._schedule(task, now)

    def _schedule(self, task: TaskRecord, now: int) -> None:
        delay = task.callback_after * 1000
        if not task.step.is_system:
            self._engine.queues.push(task, delay, now)
        task.become("SCHEDULED", now)
        self._engine.launcher.resume(task, delay, now)

    def _wake_parents(self, workflow: WorkflowRecord, now: int) -> None:
        self._engine.families.wake_parents(workflow, "reran", self._operations.retry_in_place, now)

    def skip(self, workflow_id: str, reference: str, now: int) -> None:
        """Let a workflow pass over a task that is still to come.

        Raises:
            RequestRefused: 404, the workflow is unknown; 500, it is not running, or has no such task, or has
                it already.
        """
        workflow = self._engine.store.workflow(workflow_id)
        if workflow.status != "RUNNING":
            raise errors.nothing_to_skip_in(workflow_id, reference)
        step = workflow.plan.by_reference.get(reference)
        if step is None:
            raise errors.nothing_to_skip(reference, workflow.plan.name)
        if reference in workflow.latest:
            raise errors.too_late_to_skip(reference)
        task = TaskRecord(
            task_id=self._engine.new_id(),
            workflow=workflow,
            step=step,
            seq=0,
            input={},
            scheduled=now,
            first_scheduled=now,
            priority=workflow.priority,
        )
        workflow.keep([task, *workflow.tasks])
        self._engine.store.add_task(task)
        task.ended = now
        task.become("SKIPPED", now)
        workflow.pending.pop(task.task_id)
        self._engine.decide(workflow, now)
