"""Workflows and tasks as the server keeps them, and as it shows them."""

from typing import Any

import attrs

from anyworker.devserver.metadata.plans import Plan, Step
from anyworker.devserver.records.changes import Change, Listener
from anyworker.devserver.timing.deadlines import Deadline

TERMINAL_WORKFLOW = frozenset({"COMPLETED", "FAILED", "TIMED_OUT", "TERMINATED"})
SUCCESSFUL_TASK = frozenset({"COMPLETED", "COMPLETED_WITH_ERRORS", "SKIPPED"})
FAILED_TASK = frozenset({"FAILED", "FAILED_WITH_TERMINAL_ERROR"})
UNSUCCESSFUL_TASK = FAILED_TASK | {"TIMED_OUT", "CANCELED"}
RETRIABLE_TASK = frozenset({"FAILED", "TIMED_OUT"})
LIVE_TASK = frozenset({"SCHEDULED", "IN_PROGRESS"})


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
    failed_task_id: str | None = None
    """The task that ended it."""
    variables: dict[str, Any] = attrs.field(factory=dict)
    is_fresh: bool = True
    """Whether its first tasks are still being made."""
    defined_variables: dict[str, Any] | None = None
    """What its definition shows as variables, where that is not what was defined."""
    parent_id: str | None = None
    """The workflow that this one is a part of."""
    parent_task_id: str | None = None
    terminations: list["TaskRecord"] = attrs.field(factory=list)
    """Its tasks of the kind TERMINATE."""
    latest: dict[str, "TaskRecord"] = attrs.field(factory=dict)
    """The last attempt under each reference name."""
    pending: dict[str, "TaskRecord"] = attrs.field(factory=dict)
    """Tasks by id that the decider has not gone past: neither executed, retried nor skipped."""
    is_changed_below: bool = False
    """Whether a sub-workflow was set going again and the decider has not seen it yet."""
    check: Deadline | None = None
    """When its own timeout may be due."""
    sweep: Deadline | None = None
    """When it is decided although nothing asked for it."""
    task_index: dict[str, "TaskRecord"] = attrs.field(factory=dict)
    """Where its tasks are to be found by searches, from their first update on."""
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

    def add(self, task: "TaskRecord") -> None:
        """Add a task after the others."""
        self.tasks.append(task)
        self.latest[task.reference] = task
        if task.step.kind == "TERMINATE":
            self.terminations.append(task)
        if task.is_pending:
            self.pending[task.task_id] = task

    def keep(self, tasks: list["TaskRecord"]) -> None:
        """Have these tasks and no others, whatever has become of them."""
        self.tasks = tasks
        self.latest = {task.reference: task for task in tasks}
        self.pending = {task.task_id: task for task in tasks if task.is_pending}
        self.terminations = [task for task in tasks if task.step.kind == "TERMINATE"]

    def short(self) -> str:
        """Return how messages call it."""
        return f"{self.plan.name}.{self.plan.version}/{self.workflow_id}"


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
    priority: int = 0
    wait_until: int = 0
    """When a WAIT is over; 0 when nobody but an update ends it."""
    is_changed_below: bool = False
    """Whether its sub-workflow was set going again and the decider has not seen it yet."""
    due: Deadline | None = None
    """When the next of its limits is reached."""
    alarm: Deadline | None = None
    """When the server goes on with a task of its own."""

    @property
    def reference(self) -> str:
        """The reference name in the workflow."""
        return self.step.reference

    @property
    def task_type(self) -> str:
        """The type that workers poll for."""
        return self.step.task_type

    @property
    def own_output(self) -> dict[str, Any]:
        """The output, with the id of its own sub-workflow in place of one that came from further inside."""
        if self.sub_workflow_id is None or "subWorkflowId" not in self.output:
            return self.output
        return {**self.output, "subWorkflowId": self.sub_workflow_id}

    @property
    def is_terminal(self) -> bool:
        """Whether no update can change it any more."""
        return self.status not in LIVE_TASK

    @property
    def is_unsuccessful(self) -> bool:
        """Whether it is over and did not succeed."""
        return self.status in UNSUCCESSFUL_TASK

    @property
    def is_pending(self) -> bool:
        """Whether the decider has yet to go past it."""
        return not (self.is_retried or self.is_executed or self.status == "SKIPPED")

    def become(self, status: str, now: int) -> None:
        """Give it a status, and tell those who listen; what they are to see besides is set before."""
        self.status = status
        if self.updated:
            self.workflow.task_index[self.task_id] = self
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
