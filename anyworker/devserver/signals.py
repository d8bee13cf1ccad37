"""Signals: an update of whatever a workflow waits for, without naming the task."""

from anyworker.devserver import complaints, fields, payloads
from anyworker.devserver.engine import Engine
from anyworker.devserver.exchange import EMPTY, Answer, Call
from anyworker.devserver.records import TaskRecord, WorkflowRecord
from anyworker.devserver.results import TASK_RESULT, Report

_SIGNAL = (
    "public void com.netflix.conductor.rest.controllers.TaskResource.signalWorkflowTaskAsync"
    f"(java.lang.String,{TASK_RESULT}$Status,java.util.Map<java.lang.String, java.lang.Object>)"
)


class SignalEndpoints:
    """The endpoints that find the task of an update by themselves."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def signal(self, call: Call) -> Answer:
        """Update the task that a workflow waits for; do nothing if it waits for none."""
        workflow_id, status = call.variables
        if status not in fields.RESULT_STATUS.names:
            raise complaints.bad_status_in_path(status)
        output = fields.mapping(call.json(_SIGNAL)) or {}
        task = self._waiting(self._engine.store.workflow(workflow_id))
        if task is not None:
            report = Report(
                workflow_id=task.workflow.workflow_id,
                task_id=task.task_id,
                status=status,
                output={**task.output, **output},
                is_large=len(call.request.body) > payloads.INLINE_LIMIT,
            )
            self._engine.update(report, call.now)
        return EMPTY

    def _waiting(self, workflow: WorkflowRecord) -> TaskRecord | None:
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
