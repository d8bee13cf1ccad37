"""How workflows start: by a request, as part of another, or because another failed."""

import uuid
from typing import Any

import attrs
import msgspec

from anyworker.devserver.lifecycle.state import Decide, EvaluateJoins, Internalize, State
from anyworker.devserver.metadata import definitions
from anyworker.devserver.metadata.plans import Plan
from anyworker.devserver.records.model_views import model_view
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.wire import errors, payloads
from anyworker.devserver.wire.jsontext import encode


@attrs.frozen
class Start:
    """A workflow to be started."""

    plan: Plan
    input: dict[str, Any]
    correlation_id: str | None = None
    priority: int = 0
    task_to_domain: dict[str, Any] = attrs.field(factory=dict)
    external_input: str | None = None
    parent: TaskRecord | None = None
    """The SUB_WORKFLOW that it is started for."""


def begin(state: State, request: Start, workflow_id: str, now: int) -> WorkflowRecord:
    """Keep a new workflow; nothing of it is scheduled yet.

    Raises:
        RequestRefused: 500, the input is over the limit.
    """
    plan = request.plan
    source = _stored_input(state, request.external_input) if request.external_input else request.input
    if source:
        source = {**source, **{k: v for k, v in plan.template.items() if source.get(k) is None}}
    found = payloads.size(source)
    if found > payloads.LIMIT:
        raise errors.failure(payloads.too_large_for_workflow(found, workflow_id))
    parent = request.parent
    workflow = WorkflowRecord(
        workflow_id=workflow_id,
        plan=plan,
        created=now,
        input=source,
        correlation_id=request.correlation_id,
        priority=request.priority,
        task_to_domain=request.task_to_domain,
        external_input=request.external_input,
        variables=plan.variables,
        is_fresh=parent is None,
        parent_id=None if parent is None else parent.workflow.workflow_id,
        parent_task_id=None if parent is None else parent.task_id,
        task_index=state.store.task_index,
        listeners=state.listeners,
    )
    if found > payloads.WORKFLOW_INPUT_INLINE_LIMIT:
        workflow.external_input = f"{state.new_id()}.json"
        state.store.keep_payload(workflow.external_input, source)
    state.store.add_workflow(workflow)
    workflow.become("RUNNING", now)
    return workflow


def _stored_input(state: State, path: str) -> dict[str, Any]:
    found = state.store.find_payload(path)
    if found is None:
        raise errors.payload_not_found(path)
    return found


def start_child(state: State, task: TaskRecord, now: int) -> None:
    """Start the workflow of a SUB_WORKFLOW that is scheduled; what prevents it fails the task.

    The id follows from the task, so that one that is run again finds the workflow that it had, unless that
    one did not succeed.
    """
    if task.status != "SCHEDULED" or task.workflow.is_terminal:
        return
    inline = task.input.get("subWorkflowDefinition")
    if inline is not None and not isinstance(inline, dict):
        return  # the real server stumbles over it, again and again
    task.updated = now
    source = f"{task.workflow.workflow_id}:{task.task_id}:{task.attempt}"
    child_id = str(uuid.uuid3(uuid.NAMESPACE_OID, source))
    try:
        child = state.store.find_workflow(child_id)
        if child is not None and child.is_terminal and child.status != "COMPLETED":
            child, child_id = None, state.new_id()
        if child is None:
            child = begin(state, _child_of(state, task), child_id, now)
            _share_input(task, child)
            state.later(Decide(child))
    except errors.RequestRefused as refused:
        task.reason = refused.message
        task.close("FAILED", now)
        state.later(Decide(task.workflow))
        return
    task.reason, task.sub_workflow_id = None, child.workflow_id
    task.output = {**task.output, "subWorkflowId": child.workflow_id}
    if child.status == "COMPLETED":
        task.output = {**task.output, **child.output}
        task.close("COMPLETED", now)
        state.later(Decide(task.workflow))
    else:
        task.become("IN_PROGRESS", now)
        state.later(EvaluateJoins(task.workflow))


def _share_input(task: TaskRecord, child: WorkflowRecord) -> None:
    """Let the task show what the input template of its workflow has added, as on the real server."""
    if task.input.get("subWorkflowDefinition") is not None:
        return
    shared = {"workflowInput": child.input} if task.input.get("workflowInput") else child.input
    task.input = {**task.input, **shared}


def _child_of(state: State, task: TaskRecord) -> Start:
    workflow, source = task.workflow, task.input
    passed = source.get("workflowInput") or source
    inline, name, priority = source.get("subWorkflowDefinition"), source.get("subWorkflowName"), 0
    if isinstance(source.get("priority"), int | float):
        priority = int(source["priority"])
    if inline is not None:
        plan = state.catalog.inline_plan(definitions.read_workflow_definition(inline))
        metadata = passed.get("_systemMetadata")
        known = metadata if isinstance(metadata, dict) else {}
        passed = {**passed, "_systemMetadata": {**known, "dynamic": True}}
    else:
        version = int(source.get("subWorkflowVersion") or 0) or None
        found = state.catalog.plan(str(name), version)
        if found is None:
            raise errors.no_such_workflow_defined(str(name), version)
        plan = found
    domains = source.get("subWorkflowTaskToDomain")
    return Start(
        plan=plan,
        input=passed,
        correlation_id=workflow.correlation_id,
        priority=priority,
        task_to_domain=domains if isinstance(domains, dict) else workflow.task_to_domain,
        parent=task,
    )


def start_failure_workflow(state: State, failed: WorkflowRecord, now: int) -> None:
    """Start the workflow that deals with a failure; its id, or what prevented it, is put out."""
    name = failed.plan.failure_workflow or ""
    if name.startswith("$"):
        # The real server takes what follows the second dot: $workflow.input.name works, with braces nothing.
        name = str(failed.input.get([*name.split("."), "", ""][2]) or "")
    if not name:
        return
    told: dict[str, Any] = {
        **failed.input,
        "workflowId": failed.workflow_id,
        "reason": failed.reason,
        "failureStatus": failed.status,
    }
    if failed.failed_task_id is not None:
        told["failureTaskId"] = failed.failed_task_id
    told["failedWorkflow"] = msgspec.Raw(encode(model_view(failed, now)))
    version = failed.plan.failure_workflow_version
    try:
        plan = state.catalog.plan(name, version)
        if plan is None:
            raise errors.no_such_workflow_defined(name, version)
        request = Start(
            plan, told, correlation_id=failed.correlation_id, task_to_domain=failed.task_to_domain
        )
        started = begin(state, request, state.new_id(), now)
    except errors.RequestRefused as refused:
        told_id = f"Error workflow {name} failed to start.  reason: {refused.message}"
    else:
        told_id = started.workflow_id
        state.later(Decide(started))
        state.later(Internalize(started))
    failed.output = {**failed.output, "conductor.failure_workflow": told_id}


def internalize(workflow: WorkflowRecord) -> None:
    """Let expressions see into the failed workflow that a failure workflow was given.

    On the real server its first tasks do not see into it: it becomes JSON only when it is stored.
    """
    workflow.is_fresh = False
    failed = workflow.input.get("failedWorkflow")
    if isinstance(failed, msgspec.Raw):
        workflow.input = {**workflow.input, "failedWorkflow": msgspec.json.decode(failed)}
