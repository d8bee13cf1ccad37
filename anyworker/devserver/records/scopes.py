"""What the expressions of a workflow definition see of a running workflow."""

from typing import Any

from anyworker.devserver.records.records import TaskRecord, WorkflowRecord


def scope_of(workflow: WorkflowRecord, name: str) -> dict[str, Any] | None:
    """Return what an expression finds under ``workflow`` or under a task's reference name."""
    if name == "workflow":
        plan = workflow.plan
        return {
            "input": workflow.input,
            "output": workflow.output,
            "status": workflow.status,
            "workflowId": workflow.workflow_id,
            "parentWorkflowId": workflow.parent_id,
            "parentWorkflowTaskId": workflow.parent_task_id,
            "workflowType": plan.name,
            "version": plan.version,
            "correlationId": workflow.correlation_id,
            "reasonForIncompletion": workflow.reason,
            "schemaVersion": 2,
            "variables": workflow.variables,
        }
    task = workflow.latest.get(name)
    return None if task is None else _task_scope(task)


def _task_scope(task: TaskRecord) -> dict[str, Any]:
    return {
        "input": task.input,
        "output": task.output,
        "taskType": task.task_type,
        "status": task.status,
        "referenceTaskName": task.reference,
        "retryCount": task.attempt,
        "correlationId": task.workflow.correlation_id,
        "pollCount": task.poll_count,
        "taskDefName": task.step.definition_name,
        "scheduledTime": task.scheduled,
        "startTime": task.started,
        "endTime": task.ended,
        "workflowInstanceId": task.workflow.workflow_id,
        "taskId": task.task_id,
        "reasonForIncompletion": task.reason,
        "callbackAfterSeconds": task.callback_after,
        "workerId": task.worker_id,
        "iteration": 0,
    }
