"""What listeners are told whenever a task or a workflow gets another status."""

from collections.abc import Callable

import attrs


@attrs.frozen
class Change:
    """A task or a workflow has a new status."""

    at: int
    """Epoch milliseconds."""
    workflow_id: str
    workflow_name: str
    task_id: str | None
    """None: it is the workflow itself that has changed."""
    reference: str | None
    """The task's reference name."""
    task_type: str | None
    status: str
    worker_id: str | None
    """Who polled the task or reported on it last."""
    reason: str | None
    """Why the task or the workflow is incomplete."""


Listener = Callable[[Change], None]
"""Called with each change while it is made: it must neither call the engine nor raise."""
