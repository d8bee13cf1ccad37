"""Workflows and tasks as the API shows them, keys in the server's order."""

from typing import Any

import msgspec

from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.wire.java import in_hash_order

_EXECUTION_METADATA = msgspec.Raw(b'{"additionalContext":{},"empty":true,"additionalContextMap":{}}')


def _parents(workflow: WorkflowRecord) -> dict[str, str | None]:
    if workflow.parent_id is None:
        return {}
    return {"parentWorkflowId": workflow.parent_id, "parentWorkflowTaskId": workflow.parent_task_id}


def workflow_view(workflow: WorkflowRecord, now: int, *, with_tasks: bool = True) -> dict[str, Any]:
    """Return the workflow as the API shows it, keys in the server's order."""
    wire: dict[str, Any] = {
        "ownerApp": "",
        "createTime": workflow.created,
        "updateTime": workflow.updated,
        "status": workflow.status,
        "endTime": workflow.ended,
        "workflowId": workflow.workflow_id,
        **_parents(workflow),
        "tasks": [task_view(task, now) for task in workflow.tasks] if with_tasks else [],
        "input": {} if workflow.external_input else workflow.input,
        "output": workflow.output,
    }
    if workflow.correlation_id is not None:
        wire["correlationId"] = workflow.correlation_id
    if workflow.reason is not None:
        wire["reasonForIncompletion"] = workflow.reason
    wire["taskToDomain"] = workflow.task_to_domain
    wire["failedReferenceTaskNames"] = in_hash_order(workflow.failed_references)
    wire["workflowDefinition"] = workflow.plan.encoded
    if workflow.defined_variables is not None:
        wire["workflowDefinition"] = {**workflow.plan.wire, "variables": workflow.defined_variables}
    if workflow.external_input is not None:
        wire["externalInputPayloadStoragePath"] = workflow.external_input
    wire["priority"] = workflow.priority
    wire["variables"] = workflow.variables
    wire["lastRetriedTime"] = workflow.retried
    wire["failedTaskNames"] = in_hash_order(workflow.failed_names)
    wire["history"] = []
    wire["rateLimited"] = False
    wire["startTime"] = workflow.created
    wire["workflowName"] = workflow.plan.name
    wire["workflowVersion"] = workflow.plan.version
    return wire


def queue_wait(task: TaskRecord, now: int) -> int:
    """Return what the server calls the wait in the queue, in milliseconds."""
    if task.started == 0:
        return 0
    if task.updated > 0 and task.callback_after > 0:
        return max(0, now - (task.updated + task.callback_after * 1000))
    return task.started - task.scheduled


def task_view(task: TaskRecord, now: int) -> dict[str, Any]:
    """Return the task as the API shows it, keys in the server's order."""
    wire = _progress(task)
    _add_rest(task, wire)
    wire["queueWaitTime"] = queue_wait(task, now)
    return wire


def _progress(task: TaskRecord) -> dict[str, Any]:
    step, workflow = task.step, task.workflow
    wire: dict[str, Any] = {
        "taskType": step.name if task.status == "SKIPPED" else step.task_type,
        "status": task.status,
        "inputData": {} if task.external_input else task.input,
        "referenceTaskName": step.reference,
        "retryCount": task.attempt,
        "seq": task.seq,
    }
    if workflow.correlation_id is not None:
        wire["correlationId"] = workflow.correlation_id
    wire["pollCount"] = task.poll_count
    wire["taskDefName"] = step.name if task.status == "SKIPPED" else step.definition_name
    wire["scheduledTime"] = task.scheduled
    wire["startTime"] = task.started
    wire["endTime"] = task.ended
    wire["updateTime"] = task.updated
    wire["startDelayInSeconds"] = task.start_delay
    if task.retried_task_id is not None:
        wire["retriedTaskId"] = task.retried_task_id
    wire["retried"] = task.is_retried
    wire["executed"] = task.is_executed
    wire["callbackFromWorker"] = True
    is_skipped = task.status == "SKIPPED"
    has_limit = step.kind == "SIMPLE" and not is_skipped
    wire["responseTimeoutSeconds"] = step.definition.response_timeout_seconds if has_limit else 0
    wire["workflowInstanceId"] = workflow.workflow_id
    if not is_skipped:
        wire["workflowType"] = workflow.plan.name
    wire["taskId"] = task.task_id
    if task.reason is not None:
        wire["reasonForIncompletion"] = task.reason
    wire["callbackAfterSeconds"] = task.callback_after
    if task.worker_id is not None:
        wire["workerId"] = task.worker_id
    return wire


def _add_rest(task: TaskRecord, wire: dict[str, Any]) -> None:
    step, definition = task.step, task.step.definition
    wire["outputData"] = {} if task.external_output else task.own_output
    is_skipped = task.status == "SKIPPED"
    wire["workflowTask"] = step.wire if is_skipped else step.encoded
    if task.domain is not None:
        wire["domain"] = task.domain
    limits = {} if step.is_system or is_skipped else definition.wire
    wire["rateLimitPerFrequency"] = limits.get("rateLimitPerFrequency", 0)
    wire["rateLimitFrequencyInSeconds"] = limits.get("rateLimitFrequencyInSeconds", 0)
    if task.external_input is not None:
        wire["externalInputPayloadStoragePath"] = task.external_input
    if task.external_output is not None:
        wire["externalOutputPayloadStoragePath"] = task.external_output
    wire["workflowPriority"] = task.priority
    wire["iteration"] = 0
    if task.sub_workflow_id is not None:
        wire["subWorkflowId"] = task.sub_workflow_id
    wire["subworkflowChanged"] = task.is_changed_below
    wire["firstStartTime"] = 0
    wire["executionMetadata"] = _EXECUTION_METADATA
    wire["taskDefinition"] = None if is_skipped else definition.encoded
    wire["loopOverTask"] = False
