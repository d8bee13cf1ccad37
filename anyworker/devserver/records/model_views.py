"""A failed workflow as its failure workflow is given it: the server's own record of it."""

from typing import Any

from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.views import task_view, workflow_view

_UNKNOWN_TO_A_TASK = ("executionMetadata", "firstStartTime", "inputData", "outputData")
_UNKNOWN_TO_A_WORKFLOW = ("createTime", "updateTime", "startTime", "ownerApp", "tasks", "input", "output")
_ONLY_SHOWN = ("history", "rateLimited")
_ABSENT_WHEN_EMPTY = ("failedReferenceTaskNames", "failedTaskNames")


def model_view(workflow: WorkflowRecord, now: int) -> dict[str, Any]:
    """Return a workflow that has just failed."""
    wire = workflow_view(workflow, now, with_tasks=False)
    kept = {key: value for key, value in wire.items() if key not in (*_UNKNOWN_TO_A_WORKFLOW, *_ONLY_SHOWN)}
    kept = {key: value for key, value in kept.items() if value or key not in _ABSENT_WHEN_EMPTY}
    if workflow.failed_task_id is not None:
        kept["failedTaskId"] = workflow.failed_task_id
    return kept | {
        "tasks": [_task(task, now) for task in workflow.tasks],
        "ownerApp": "",
        "createTime": workflow.created,
        "updatedTime": workflow.updated,
        "previousStatus": "RUNNING",
        "input": wire["input"],
        "output": wire["output"],
    }


def _task(task: TaskRecord, now: int) -> dict[str, Any]:
    wire = task_view(task, now)
    kept = {key: value for key, value in wire.items() if key not in _UNKNOWN_TO_A_TASK}
    return kept | {
        "callbackAfterMs": 0,
        "firstScheduledTime": task.first_scheduled,
        "waitTimeout": task.wait_until,
        "onStateChange": task.step.wire["onStateChange"],
        "idempotent": False,
        "cachedOutput": False,
        "notifications": {},
        "nonWorkflowEventTask": False,
        "asyncComplete": task.step.wire["asyncComplete"],
        "idempotentExecution": False,
        "inputData": wire["inputData"],
        "outputData": wire["outputData"],
    }
