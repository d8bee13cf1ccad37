"""Searches over workflows."""

from typing import Any

from anyworker.devserver.records.records import WorkflowRecord
from anyworker.devserver.searches.indexes import Index
from anyworker.devserver.searches.task_search import iso
from anyworker.devserver.wire.java import as_text, in_hash_order
from anyworker.devserver.wire.jsontext import encode


def summary(workflow: WorkflowRecord) -> dict[str, Any]:
    """Return a workflow as ``/workflow/search`` shows it."""
    source = as_text({} if workflow.external_input else workflow.input)
    output = as_text(workflow.output)
    wire: dict[str, Any] = {
        "workflowType": workflow.plan.name,
        "version": workflow.plan.version,
        "workflowId": workflow.workflow_id,
    }
    if workflow.correlation_id is not None:
        wire["correlationId"] = workflow.correlation_id
    wire["startTime"] = iso(workflow.created)
    wire["updateTime"] = iso(workflow.updated)
    if workflow.ended:
        wire["endTime"] = iso(workflow.ended)
    wire |= {"status": workflow.status, "input": source, "output": output}
    if workflow.reason is not None:
        wire["reasonForIncompletion"] = workflow.reason
    wire["executionTime"] = workflow.ended - workflow.created if workflow.ended else 0
    wire["failedReferenceTaskNames"] = ",".join(in_hash_order(workflow.failed_references))
    if workflow.external_input is not None:
        wire["externalInputPayloadStoragePath"] = workflow.external_input
    wire["priority"] = workflow.priority
    wire["failedTaskNames"] = in_hash_order(workflow.failed_names)
    wire["taskToDomain"] = workflow.task_to_domain
    wire["parentWorkflowId"] = workflow.parent_id or ""
    return wire | {"classifier": "workflow", "outputSize": len(output), "inputSize": len(source)}


WORKFLOWS: Index[WorkflowRecord] = Index(
    {
        "workflow_id": lambda workflow: workflow.workflow_id,
        "correlation_id": lambda workflow: workflow.correlation_id,
        "workflow_type": lambda workflow: workflow.plan.name,
        "start_time": lambda workflow: workflow.created,
        "update_time": lambda workflow: workflow.updated,
        "end_time": lambda workflow: workflow.ended,
        "status": lambda workflow: workflow.status,
        "parent_workflow_id": lambda workflow: workflow.parent_id or "",
        "classifier": lambda _: "workflow",
    },
    lambda workflow: encode(summary(workflow)).decode(),
)
"""How the server indexes workflows."""
