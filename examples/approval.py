"""Wait for somebody outside: look again and again, without holding a slot between two looks.

    anyworker dev examples/approval.py --start await_approval --input '{"document": "contract"}' --once

Here the third look finds the approval; yours would ask a service.
"""

from anyworker import NonRetryableException, TaskInProgress, get_task_context, worker_task

LONGEST_WAIT_IN_LOOKS = 100


async def approver_of(document: str, look: int) -> str | None:
    """Return who has approved a document, None as long as nobody has."""
    return f"Grace, of {document}" if look >= 3 else None


@worker_task("await_approval", thread_count=50)
async def await_approval(document: str) -> dict[str, str] | TaskInProgress:
    """Return who approved."""
    look = get_task_context().get_poll_count()
    approver = await approver_of(document, look)
    if approver is not None:
        return {"approved_by": approver}
    if look >= LONGEST_WAIT_IN_LOOKS:
        reason = f"nobody approved {document}"
        raise NonRetryableException(reason)
    return TaskInProgress(callback_after_seconds=1, output={"looks": look})
