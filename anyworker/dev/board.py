"""What moves on the server, kept for those who show it: pure, from one change to the next."""

import attrs

from anyworker.devserver.records.changes import Change

_RUNNING = frozenset({"RUNNING", "PAUSED"})
_WAITING, _IN_HAND = "SCHEDULED", "IN_PROGRESS"


@attrs.define(eq=False)
class Row:
    """A task, or a workflow where it has no task type, as of its last change."""

    at: int
    """Epoch milliseconds of the last change."""
    began: int
    """When it was scheduled, or when the workflow was started."""
    workflow_id: str
    workflow: str
    task: str | None
    """The reference name, with the type where it is another."""
    task_type: str | None
    status: str
    worker_id: str | None = None
    started: int | None = None
    """When a worker got the task first."""
    reason: str | None = None

    @property
    def is_waiting(self) -> bool:
        """Whether the task waits for a worker."""
        return self.status == _WAITING

    @property
    def is_moving(self) -> bool:
        """Whether there is more to come."""
        return self.status in _RUNNING or self.status in {_WAITING, _IN_HAND}

    def seconds(self, now: int | None = None) -> float | None:
        """Return how long a task has been in hand, or a workflow has been running; None for neither.

        Args:
            now: Epoch milliseconds; the last change's by default.
        """
        since = self.began if self.task is None else self.started
        return None if since is None else max(0, (now or self.at) - since) / 1000


@attrs.define(eq=False)
class Board:
    """The tasks and workflows that are not at their end, and how many have ended how."""

    waiting: dict[str, Row] = attrs.field(factory=dict, init=False)
    """Tasks that no worker has, by id."""
    in_hand: dict[str, Row] = attrs.field(factory=dict, init=False)
    """Tasks that are with a worker, by id."""
    workflows: dict[str, Row] = attrs.field(factory=dict, init=False)
    """Workflows that run, by id."""
    ended: dict[str, int] = attrs.field(factory=dict, init=False)
    """How many tasks came to which end."""

    def apply(self, change: Change) -> Row:
        """Take note of a change; return what it concerns as it is now."""
        if change.task_id is None:
            return self._apply_workflow(change)
        row = self.waiting.pop(change.task_id, None) or self.in_hand.pop(change.task_id, None)
        if row is None:
            row = _row(change)
        else:
            row.at, row.status, row.reason = change.at, change.status, change.reason
        row.worker_id = change.worker_id or row.worker_id
        if row.status == _WAITING:
            self.waiting[change.task_id] = row
        elif row.status == _IN_HAND:
            row.started = row.started or change.at
            self.in_hand[change.task_id] = row
        else:
            self.ended[row.status] = self.ended.get(row.status, 0) + 1
        return row

    def _apply_workflow(self, change: Change) -> Row:
        row = self.workflows.pop(change.workflow_id, None) or _row(change)
        row.at, row.status, row.reason = change.at, change.status, change.reason
        if row.is_moving:
            self.workflows[change.workflow_id] = row
        return row


def _row(change: Change) -> Row:
    task = change.reference
    if change.task_id is not None and change.task_type not in {None, task}:
        task = f"{task} ({change.task_type})"
    return Row(
        at=change.at,
        began=change.at,
        workflow_id=change.workflow_id,
        workflow=change.workflow_name,
        task=task,
        task_type=change.task_type,
        status=change.status,
        reason=change.reason,
    )
