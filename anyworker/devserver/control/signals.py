"""Signals: updates of whatever a workflow waits for, without naming the task."""

from typing import Any

from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle.results import Report
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord


class Signals:
    """What workflows wait for, and how that is moved on."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def send(
        self, target: WorkflowRecord, status: str, output: dict[str, Any], now: int, *, is_large: bool
    ) -> bool:
        """Update the task that a workflow waits for, adding to its output; False if it waits for none."""
        task = self.awaited(target)
        if task is None:
            return False
        self._engine.update(Report.on(task, status, output, is_large=is_large), now)
        return True

    def has_come_to_rest(self, workflow: WorkflowRecord) -> bool:
        """Tell whether a workflow has ended or waits for a signal."""
        return workflow.is_terminal or self.awaited(workflow) is not None

    def awaited(self, workflow: WorkflowRecord) -> TaskRecord | None:
        """Return the first task of type WAIT that waits; a workflow's own come before its sub-workflows'."""
        left, seen = [workflow], {workflow.workflow_id}
        while left:
            live = [task for task in left.pop().tasks if task.status == "IN_PROGRESS"]
            for task in live:
                if task.task_type == "WAIT":
                    return task
            for task in reversed(live):
                child = self._child(task)
                if child is not None and child.workflow_id not in seen:
                    seen.add(child.workflow_id)
                    left.append(child)
        return None

    def _child(self, task: TaskRecord) -> WorkflowRecord | None:
        if task.task_type != "SUB_WORKFLOW" or task.sub_workflow_id is None:
            return None
        return self._engine.store.find_workflow(task.sub_workflow_id)
