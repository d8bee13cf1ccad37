"""Changes as the engine tells them, for tests."""

from typing import Any

from anyworker.devserver.records.changes import Change


def change(status: str, at: int = 0, **fields: Any) -> Change:
    """Return the change of a task, or with other fields of something else."""
    values: dict[str, Any] = {
        "workflow_id": "0123456789",
        "workflow_name": "order",
        "task_id": "t1",
        "reference": "charge",
        "task_type": "charge",
        "worker_id": None,
        "reason": None,
    }
    return Change(at=at, status=status, **{**values, **fields})
