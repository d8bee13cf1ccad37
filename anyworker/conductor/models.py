"""The server's objects as the wire has them.

Shapes follow Conductor OSS 3.32: camelCase on the wire, snake_case here, times in epoch milliseconds,
durations in the unit their name says. Unknown fields are ignored; a null counts as an absent field,
except inside payloads (``input_data``, ``output_data``), which are the users' own.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType


class TaskStatus(StrEnum):
    """States of a task on the server."""

    SCHEDULED = "SCHEDULED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETED = "COMPLETED"
    COMPLETED_WITH_ERRORS = "COMPLETED_WITH_ERRORS"
    FAILED = "FAILED"
    FAILED_WITH_TERMINAL_ERROR = "FAILED_WITH_TERMINAL_ERROR"
    TIMED_OUT = "TIMED_OUT"
    CANCELED = "CANCELED"
    SKIPPED = "SKIPPED"

    @property
    def is_terminal(self) -> bool:
        """Whether no update can change the task any more."""
        return self not in {TaskStatus.SCHEDULED, TaskStatus.IN_PROGRESS}


class WireModel(msgspec.Struct, rename="camel", kw_only=True, omit_defaults=True, gc=False):
    """What all models share: camelCase names, defaults left out when sent.

    The garbage collector does not look at them: JSON has no cycles, and looking costs more than decoding.
    """


class TaskExecLog(WireModel):
    """One line of a task's log."""

    log: str
    task_id: str = ""
    created_time: int = 0
    """Epoch milliseconds by the sender's clock."""


class TaskDef(WireModel):
    """A task definition. What is UNSET is not said, and the server's default holds.

    That is: 3 retries, FIXED, 60 s apart; no limits but ``response_timeout_seconds``, 3600, which must not be
    above ``timeout_seconds``, unless that is 0; the policy TIME_OUT_WF.
    """

    name: str
    description: str | UnsetType = UNSET
    retry_count: int | UnsetType = UNSET
    retry_logic: Literal["FIXED", "LINEAR_BACKOFF", "EXPONENTIAL_BACKOFF"] | UnsetType = UNSET
    retry_delay_seconds: int | UnsetType = UNSET
    backoff_scale_factor: int | UnsetType = UNSET
    max_retry_delay_seconds: int | UnsetType = UNSET
    backoff_jitter_ms: int | UnsetType = UNSET
    total_timeout_seconds: int | UnsetType = UNSET
    timeout_seconds: int | UnsetType = UNSET
    timeout_policy: Literal["RETRY", "TIME_OUT_WF", "ALERT_ONLY"] | UnsetType = UNSET
    response_timeout_seconds: int | UnsetType = UNSET
    poll_timeout_seconds: int | UnsetType = UNSET
    concurrent_exec_limit: int | UnsetType = UNSET
    rate_limit_per_frequency: int | UnsetType = UNSET
    rate_limit_frequency_in_seconds: int | UnsetType = UNSET
    input_keys: list[str] | UnsetType = UNSET
    output_keys: list[str] | UnsetType = UNSET
    input_template: dict[str, Any] | UnsetType = UNSET
    isolation_group_id: str | UnsetType = UNSET
    execution_name_space: str | UnsetType = UNSET
    owner_email: str | UnsetType = UNSET
    owner_app: str | UnsetType = UNSET
    base_type: str | UnsetType = UNSET
    input_schema: dict[str, Any] | UnsetType = UNSET
    output_schema: dict[str, Any] | UnsetType = UNSET
    enforce_schema: bool | UnsetType = UNSET
    runtime_metadata: list[str] | UnsetType = UNSET
    task_status_listener_enabled: bool | UnsetType = UNSET
    create_time: int | UnsetType = UNSET
    update_time: int | UnsetType = UNSET
    created_by: str | UnsetType = UNSET
    updated_by: str | UnsetType = UNSET


class SchemaDef(WireModel):
    """A schema in a server's registry."""

    name: str
    version: int = 1
    type: Literal["JSON", "AVRO", "PROTOBUF"] = "JSON"
    data: dict[str, Any] = {}


class PolledTaskDef(WireModel):
    """What a worker can use of the definition that comes with a task: its limits, not its lists."""

    name: str = ""
    retry_count: int = 3
    retry_logic: str = "FIXED"
    retry_delay_seconds: int = 60
    timeout_seconds: int = 0
    timeout_policy: str = "TIME_OUT_WF"
    response_timeout_seconds: int = 3600
    poll_timeout_seconds: int | None = None
    total_timeout_seconds: int = 0
    concurrent_exec_limit: int | None = None


class PolledStep(WireModel):
    """What a worker can use of the workflow's step that comes with a task."""

    retry_count: int | None = None
    """Overrides the definition's; None where the workflow does not say."""


class Task(WireModel):
    """One unit of work as a poll hands it out (the fields a worker can use)."""

    task_id: str
    workflow_instance_id: str = ""
    task_type: str = ""
    task_def_name: str = ""
    status: str = TaskStatus.IN_PROGRESS
    reference_task_name: str = ""
    workflow_type: str = ""
    correlation_id: str | None = None
    domain: str | None = None
    worker_id: str | None = None
    input_data: dict[str, Any] = {}
    output_data: dict[str, Any] = {}
    """What earlier turns of this task reported: a hand-back or TaskInProgress leaves it here."""
    retry_count: int = 0
    """The attempt, from 0."""
    poll_count: int = 0
    """How often the task was handed out in this attempt, from 1."""
    seq: int = 0
    iteration: int = 0
    retried_task_id: str | None = None
    reason_for_incompletion: str | None = None
    callback_after_seconds: int = 0
    response_timeout_seconds: int = 0
    scheduled_time: int = 0
    start_time: int = 0
    end_time: int = 0
    update_time: int = 0
    start_delay_in_seconds: int = 0
    queue_wait_time: int = 0
    workflow_priority: int = 0
    rate_limit_per_frequency: int = 0
    rate_limit_frequency_in_seconds: int = 0
    retried: bool = False
    executed: bool = False
    callback_from_worker: bool = True
    external_input_payload_storage_path: str | None = None
    external_output_payload_storage_path: str | None = None
    sub_workflow_id: str | None = None
    task_definition: PolledTaskDef | None = None
    workflow_task: PolledStep | None = None


ResultStatus = Literal["IN_PROGRESS", "COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "CANCELED"]


class TaskResult(WireModel):
    """What a worker says about a task. A function may return one; missing ids are filled in."""

    workflow_instance_id: str = ""
    task_id: str = ""
    # Sent even at its default: the server answers 500 to a result without a status.
    status: ResultStatus | UnsetType = UNSET
    output_data: dict[str, Any] = {}
    reason_for_incompletion: str | None = None
    """Cut to 500 characters by the server."""
    callback_after_seconds: int = 0
    worker_id: str | None = None
    logs: list[TaskExecLog] = []
    """The server keeps the first ten of an update."""
    extend_lease: bool = False
    sub_workflow_id: str | None = None
    external_output_payload_storage_path: str | None = None


class WorkflowTask(WireModel):
    """One step of a workflow definition."""

    name: str
    task_reference_name: str
    type: str = "SIMPLE"
    description: str | None = None
    input_parameters: dict[str, Any] = {}
    optional: bool = False
    permissive: bool = False
    start_delay: int = 0
    retry_count: int | None = None
    task_definition: TaskDef | None = None
    join_on: list[str] = []
    fork_tasks: list[list["WorkflowTask"]] = []
    decision_cases: dict[str, list["WorkflowTask"]] = {}
    default_case: list["WorkflowTask"] = []
    evaluator_type: str | None = None
    expression: str | None = None
    async_complete: bool = False
    case_value_param: str | None = None
    default_exclusive_join_task: list[str] = []
    dynamic_fork_tasks_input_param_name: str | None = None
    dynamic_fork_tasks_param: str | None = None
    dynamic_task_name_param: str | None = None
    loop_condition: str | None = None
    loop_over: list["WorkflowTask"] = []
    metadata: dict[str, Any] = {}
    on_state_change: dict[str, Any] = {}
    script_expression: str | None = None
    sink: str | None = None
    sub_workflow_param: dict[str, Any] | None = None


class WorkflowDef(WireModel):
    """A workflow definition."""

    name: str
    tasks: list[WorkflowTask]
    version: int = 1
    description: str | None = None
    input_parameters: list[str] = []
    output_parameters: dict[str, Any] = {}
    input_template: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    failure_workflow: str | None = None
    schema_version: int = 2
    restartable: bool = True
    workflow_status_listener_enabled: bool = False
    owner_email: str | None = None
    timeout_policy: Literal["TIME_OUT_WF", "ALERT_ONLY"] = "ALERT_ONLY"
    timeout_seconds: int = 0
    failure_workflow_version: int | None = None
    enforce_schema: bool = True
    input_schema: dict[str, Any] | None = None
    output_schema: dict[str, Any] | None = None
    metadata: dict[str, Any] = {}
    masked_fields: list[str] = []
    owner_app: str | None = None
    create_time: int = 0
    update_time: int = 0
    created_by: str | None = None
    updated_by: str | None = None


class StartWorkflow(WireModel):
    """A request to start a workflow."""

    name: str
    version: int | None = None
    input: Mapping[str, Any] = {}
    correlation_id: str | None = None
    task_to_domain: Mapping[str, str] = {}
    priority: int = 0
    workflow_def: WorkflowDef | None = None


class Workflow(WireModel):
    """One run of a workflow."""

    workflow_id: str
    workflow_name: str = ""
    workflow_version: int = 0
    status: str = ""
    """RUNNING, COMPLETED, FAILED, TIMED_OUT, TERMINATED or PAUSED."""
    tasks: list[Task] = []
    input: dict[str, Any] = {}
    output: dict[str, Any] = {}
    variables: dict[str, Any] = {}
    correlation_id: str | None = None
    reason_for_incompletion: str | None = None
    failed_reference_task_names: list[str] = []
    failed_task_names: list[str] = []
    task_to_domain: dict[str, str] = {}
    parent_workflow_id: str | None = None
    parent_workflow_task_id: str | None = None
    priority: int = 0
    create_time: int = 0
    start_time: int = 0
    update_time: int = 0
    end_time: int = 0


class PollData(WireModel):
    """When a task type was last polled, and by whom."""

    queue_name: str
    domain: str | None = None
    worker_id: str | None = None
    last_poll_time: int = 0
