"""A worker's report on a task, as the server reads it."""

from typing import Any

import attrs

from anyworker.devserver.records.records import TaskRecord
from anyworker.devserver.wire import fields
from anyworker.devserver.wire.jsontext import parse_error

TASK_RESULT = f"{fields.METADATA}.tasks.TaskResult"
TASK_EXEC_LOG = f"{fields.METADATA}.tasks.TaskExecLog"
_EXECUTION_METADATA = f"{fields.METADATA}.tasks.ExecutionMetadata"
MOST_LOGS = 10
"""Lines that are kept of one report."""
LONGEST_REASON = 500
"""Characters that are kept of a reason."""


@attrs.frozen
class Report:
    """What a worker says about a task."""

    workflow_id: str | None
    task_id: str | None
    status: str | None
    output: dict[str, Any]
    reason: str | None = None
    callback_after: int = 0
    """Seconds."""
    worker_id: str | None = None
    logs: tuple[tuple[str | None, int] | None, ...] = ()
    """Text, which may be missing, and time; a line itself may be missing."""
    extend_lease: bool = False
    sub_workflow_id: str | None = None
    external_output: str | None = None
    is_large: bool = False
    """Whether the body was so large that the output must be measured."""

    @classmethod
    def on(
        cls,
        task: TaskRecord,
        status: str,
        output: dict[str, Any],
        *,
        worker_id: str | None = None,
        is_large: bool = False,
    ) -> "Report":
        """Report on a task without naming it: what is not said stays, output is added to what is there."""
        return cls(
            workflow_id=task.workflow.workflow_id,
            task_id=task.task_id,
            status=status,
            output={**task.output, **output},
            reason=task.reason,
            callback_after=task.callback_after,
            worker_id=worker_id or task.worker_id,
            sub_workflow_id=task.sub_workflow_id,
            external_output=task.external_output,
            is_large=is_large,
        )

    @classmethod
    def read(cls, source: object, now: int, *, is_large: bool = False) -> "Report":
        """Read the body of an update.

        Args:
            source: The JSON value.
            now: Epoch milliseconds, for log lines that are bare texts.
            is_large: Whether the body was so large that the output must be measured.

        Raises:
            RequestRefused: 500, it is no object or a field has the wrong type.
        """
        body = fields.record(source, TASK_RESULT)
        take = body.get
        _check_the_unused(body)
        reason = fields.text(take("reasonForIncompletion"))
        return cls(
            workflow_id=fields.text(take("workflowInstanceId")),
            task_id=fields.text(take("taskId")),
            status=fields.RESULT_STATUS.take(take("status")),
            output=fields.mapping(take("outputData")) or {},
            reason=None if reason is None else reason[:LONGEST_REASON],
            callback_after=fields.whole(take("callbackAfterSeconds"), "long") or 0,
            worker_id=fields.text(take("workerId")),
            logs=_logs(take("logs"), now),
            extend_lease=bool(fields.flag(take("extendLease"))),
            sub_workflow_id=fields.text(take("subWorkflowId")) or None,
            external_output=fields.text(take("externalOutputPayloadStoragePath")) or None,
            is_large=is_large,
        )


def _check_the_unused(body: dict[str, Any]) -> None:
    """Refuse wrong types in fields that have no effect, as the server does."""
    fields.flag(body.get("supportsCancellation"))
    if (metadata := body.get("executionMetadata")) is not None:
        fields.record(metadata, _EXECUTION_METADATA)
    if body.get("outputMessage") is not None:
        raise parse_error('Cannot invoke "Object.getClass()" because "type" is null')


def _logs(value: object, now: int) -> tuple[tuple[str | None, int] | None, ...]:
    if value is None:
        return ()
    return tuple(_log(item, now) for item in fields.records(value, TASK_EXEC_LOG)[:MOST_LOGS])


def _log(item: object, now: int) -> tuple[str | None, int] | None:
    if item is None:
        return None
    if isinstance(item, str):
        return (item, now)
    line = fields.record(item, TASK_EXEC_LOG)
    fields.text(line.get("taskId"))
    return (fields.text(line.get("log")), fields.whole(line.get("createdTime"), "long") or 0)
