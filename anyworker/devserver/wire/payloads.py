"""Payload limits: what stays inline, what the server stores elsewhere, what it refuses."""

from typing import Any

from anyworker.devserver.wire.jsontext import encode

INLINE_LIMIT = 3072 * 1024
"""Bytes of a task's input or output that stay in the task."""
WORKFLOW_INPUT_INLINE_LIMIT = 5120 * 1024
"""Bytes of a workflow's input that stay in the workflow."""
VARIABLES_LIMIT = 256 * 1024
"""Bytes of a workflow's variables."""
LIMIT = 10240 * 1024
"""Bytes that no payload may exceed."""


def size(payload: dict[str, Any]) -> int:
    """Return the payload's bytes as JSON."""
    return len(encode(payload)) if payload else 2


def too_large_for_task(found: int, task_id: str, workflow_id: str) -> str:
    """Return the reason with which a task fails whose payload is over the limit."""
    return (
        f"The payload size: {found} of task: {task_id} in workflow: {workflow_id}  "
        f"is greater than the permissible limit: {LIMIT} bytes"
    )


def too_large_for_workflow(found: int, workflow_id: str) -> str:
    """Return the message with which a start is refused whose input is over the limit."""
    return (
        f"The payload size: {found} of workflow: {workflow_id} "
        f"is greater than the permissible limit: {LIMIT} bytes"
    )


def too_large_for_variables(found: int, workflow_id: str) -> str:
    """Return the reason with which a SET_VARIABLE fails that would exceed the limit."""
    return (
        f"The variables payload size: {found} of workflow: {workflow_id} "
        f"is greater than the permissible limit: {VARIABLES_LIMIT // 1024} kilobytes"
    )
