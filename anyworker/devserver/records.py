"""Workflows and tasks as the server keeps them, and as it shows them."""

from typing import Any

import attrs
import msgspec

from anyworker.devserver.changes import Change, Listener
from anyworker.devserver.deadlines import Deadline
from anyworker.devserver.plans import Plan, Step

TERMINAL_WORKFLOW = frozenset({"COMPLETED", "FAILED", "TIMED_OUT", "TERMINATED"})
SUCCESSFUL_TASK = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "SKIPPED"})
FAILED_TASK = frozenset({"FAILED", "FAILED_WITH_TERMINAL_ERROR"})
RETRIABLE_TASK = frozenset({"FAILED", "TIMED_OUT"})
LIVE_TASK = frozenset({"SCHEDULED", "IN_PROGRESS"})

_EXECUTION_METADATA = msgspec.Raw(b'{"additionalContext":{},"empty":true,"additionalContextMap":{}}')


@attrs.define(eq=False)
class WorkflowRecord:
    """One run of a workflow. Times are epoch milliseconds."""

    workflow_id: str
    plan: Plan
    created: int
    input: dict[str, Any]
    correlation_id: str | None = None
    priority: int = 0
    task_to_domain: dict[str, Any] = attrs.field(factory=dict)
    external_input: str | None = None
    """Where a large input is stored; then it is shown as empty."""
    status: str = "RUNNING"
    tasks: list["TaskRecord"] = attrs.field(factory=list)
    output: dict[str, Any] = attrs.field(factory=dict)
    updated: int = 0
    ended: int = 0
    retried: int = 0
    reason: str | None = None
    failed_references: dict[str, None] = attrs.field(factory=dict)
    failed_names: dict[str, None] = attrs.field(factory=dict)
    lost_payload: str | None = None
    """Where a task's output should be and is not; nothing is decided then."""
    check: Deadline | None = None
    """When the next of its timeouts may be due."""
    listeners: list[Listener] = attrs.field(factory=list)
    """Told about each change of its status and of its tasks'."""

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended."""
        return self.status in TERMINAL_WORKFLOW

    def become(self, status: str, now: int) -> None:
        """Give it a status, and tell those who listen."""
        self.status = status
        self.updated = now
        if not self.listeners:
            return
        change = Change(now, self.workflow_id, self.plan.name, None, None, None, status, None, self.reason)
        for tell in self.listeners:
            tell(change)

    def latest(self, reference: str) -> "TaskRecord | None":
        """Return the last attempt under a reference name."""
        for task in reversed(self.tasks):
            if task.reference == reference:
                return task
        return None

    def shown(self, now: int, *, with_tasks: bool = True) -> dict[str, Any]:
        """Return the workflow as the API shows it, keys in the server's order."""
        wire: dict[str, Any] = {
            "ownerApp": "",
            "createTime": self.created,
            "updateTime": self.updated,
            "status": self.status,
            "endTime": self.ended,
            "workflowId": self.workflow_id,
            "tasks": [task.shown(now) for task in self.tasks] if with_tasks else [],
            "input": {} if self.external_input else self.input,
            "output": self.output,
        }
        if self.correlation_id is not None:
            wire["correlationId"] = self.correlation_id
        if self.reason is not None:
            wire["reasonForIncompletion"] = self.reason
        wire["taskToDomain"] = self.task_to_domain
        wire["failedReferenceTaskNames"] = list(self.failed_references)
        wire["workflowDefinition"] = self.plan.encoded
        if self.external_input is not None:
            wire["externalInputPayloadStoragePath"] = self.external_input
        wire["priority"] = self.priority
        wire["variables"] = self.plan.variables
        wire["lastRetriedTime"] = self.retried
        wire["failedTaskNames"] = list(self.failed_names)
        wire["history"] = []
        wire["rateLimited"] = False
        wire["startTime"] = self.created
        wire["workflowName"] = self.plan.name
        wire["workflowVersion"] = self.plan.version
        return wire


@attrs.define(eq=False)
class Message:
    """One place of a task in a queue."""

    task: "TaskRecord | None"
    """None once it was taken out; heaps drop it when they meet it."""
    delivery: Deadline | None = None
    """When it becomes deliverable, if that is later."""


@attrs.define(eq=False)
class TaskRecord:
    """One attempt at one step. Times are epoch milliseconds; payloads are replaced, never changed."""

    task_id: str
    workflow: WorkflowRecord
    step: Step
    seq: int
    input: dict[str, Any]
    scheduled: int
    first_scheduled: int
    """When the first attempt was scheduled."""
    attempt: int = 0
    status: str = "SCHEDULED"
    domain: str | None = None
    start_delay: int = 0
    """Seconds."""
    callback_after: int = 0
    """Seconds."""
    retried_task_id: str | None = None
    reason: str | None = None
    poll_count: int = 0
    started: int = 0
    ended: int = 0
    updated: int = 0
    worker_id: str | None = None
    output: dict[str, Any] = attrs.field(factory=dict)
    external_input: str | None = None
    external_output: str | None = None
    sub_workflow_id: str | None = None
    is_retried: bool = False
    is_executed: bool = False
    """Whether the decider has gone past it."""
    message: Message | None = None
    """Its place in a queue while it waits."""

    @property
    def reference(self) -> str:
        """The reference name in the workflow."""
        return self.step.reference

    @property
    def task_type(self) -> str:
        """The type that workers poll for."""
        return self.step.queue_type

    @property
    def is_terminal(self) -> bool:
        """Whether no update can change it any more."""
        return self.status not in LIVE_TASK

    def become(self, status: str, now: int) -> None:
        """Give it a status, and tell those who listen; what they are to see besides is set before."""
        self.status = status
        if not self.workflow.listeners:
            return
        change = Change(
            at=now,
            workflow_id=self.workflow.workflow_id,
            workflow_name=self.workflow.plan.name,
            task_id=self.task_id,
            reference=self.reference,
            task_type=self.task_type,
            status=status,
            worker_id=self.worker_id,
            reason=self.reason,
        )
        for tell in self.workflow.listeners:
            tell(change)

    def close(self, status: str, now: int) -> None:
        """Give it a terminal status."""
        self.ended = now
        if self.updated == 0:
            self.updated = now
        self.become(status, now)

    def queue_wait(self, now: int) -> int:
        """Return what the server calls the wait in the queue, in milliseconds."""
        if self.started == 0:
            return 0
        if self.updated > 0 and self.callback_after > 0:
            return max(0, now - (self.updated + self.callback_after * 1000))
        return self.started - self.scheduled

    def shown(self, now: int) -> dict[str, Any]:
        """Return the task as the API shows it, keys in the server's order."""
        wire = self._shown_progress()
        self._show_rest(wire)
        wire["queueWaitTime"] = self.queue_wait(now)
        return wire

    def _shown_progress(self) -> dict[str, Any]:
        step, workflow = self.step, self.workflow
        wire: dict[str, Any] = {
            "taskType": step.queue_type,
            "status": self.status,
            "inputData": {} if self.external_input else self.input,
            "referenceTaskName": step.reference,
            "retryCount": self.attempt,
            "seq": self.seq,
        }
        if workflow.correlation_id is not None:
            wire["correlationId"] = workflow.correlation_id
        wire["pollCount"] = self.poll_count
        wire["taskDefName"] = step.name
        wire["scheduledTime"] = self.scheduled
        wire["startTime"] = self.started
        wire["endTime"] = self.ended
        wire["updateTime"] = self.updated
        wire["startDelayInSeconds"] = self.start_delay
        if self.retried_task_id is not None:
            wire["retriedTaskId"] = self.retried_task_id
        wire["retried"] = self.is_retried
        wire["executed"] = self.is_executed
        wire["callbackFromWorker"] = True
        is_simple = step.kind == "SIMPLE"
        wire["responseTimeoutSeconds"] = step.definition.response_timeout_seconds if is_simple else 0
        wire["workflowInstanceId"] = workflow.workflow_id
        wire["workflowType"] = workflow.plan.name
        wire["taskId"] = self.task_id
        if self.reason is not None:
            wire["reasonForIncompletion"] = self.reason
        wire["callbackAfterSeconds"] = self.callback_after
        if self.worker_id is not None:
            wire["workerId"] = self.worker_id
        return wire

    def _show_rest(self, wire: dict[str, Any]) -> None:
        step, definition = self.step, self.step.definition
        wire["outputData"] = {} if self.external_output else self.output
        wire["workflowTask"] = step.encoded
        if self.domain is not None:
            wire["domain"] = self.domain
        wire["rateLimitPerFrequency"] = definition.wire["rateLimitPerFrequency"]
        wire["rateLimitFrequencyInSeconds"] = definition.wire["rateLimitFrequencyInSeconds"]
        if self.external_input is not None:
            wire["externalInputPayloadStoragePath"] = self.external_input
        if self.external_output is not None:
            wire["externalOutputPayloadStoragePath"] = self.external_output
        wire["workflowPriority"] = self.workflow.priority
        wire["iteration"] = 0
        if self.sub_workflow_id is not None:
            wire["subWorkflowId"] = self.sub_workflow_id
        wire["subworkflowChanged"] = False
        wire["firstStartTime"] = 0
        wire["executionMetadata"] = _EXECUTION_METADATA
        wire["taskDefinition"] = definition.encoded
        wire["loopOverTask"] = False


def scope_of(workflow: WorkflowRecord, name: str) -> dict[str, Any] | None:
    """Return what an expression finds under ``workflow`` or under a task's reference name."""
    if name == "workflow":
        plan = workflow.plan
        return {
            "input": workflow.input,
            "output": workflow.output,
            "status": workflow.status,
            "workflowId": workflow.workflow_id,
            "parentWorkflowId": None,
            "parentWorkflowTaskId": None,
            "workflowType": plan.name,
            "version": plan.version,
            "correlationId": workflow.correlation_id,
            "reasonForIncompletion": workflow.reason,
            "schemaVersion": 2,
            "variables": plan.variables,
        }
    task = workflow.latest(name)
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
        "taskDefName": task.step.name,
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
