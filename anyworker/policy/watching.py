"""When a task in hand is looked up on the server, and what the answer means.

The server accepts heartbeats and results of tasks that it has ended, so only looking tells that a workflow
was terminated. Tasks that end soon are not looked up, and the older one is, the longer it may wait.
"""

from anyworker.conductor.models import Task, TaskStatus
from anyworker.policy.cancellation import CancelReason, LeaseLost, Terminated, TimedOut

FIRST_LOOK = 10.0
"""Seconds after which a task is looked up first, unless its response timeout is over before."""
SHORTEST_PAUSE = 10.0
LONGEST_PAUSE = 60.0
AGE_SHARE = 1 / 6
"""Of a task's age, that passes between two looks."""
JITTER = 0.2
"""Of a wait, taken off at most."""
LOOKS_PER_SECOND = 10.0
"""Of one runner, at most; if more are due, all of them wait longer."""


def earliest_look(response_timeout: float) -> float:
    """Return the seconds within which no task is looked up yet.

    Args:
        response_timeout: The task's responseTimeoutSeconds; 0 for none.
    """
    return first_look(response_timeout, 1.0)


def first_look(response_timeout: float, jitter: float) -> float:
    """Return the seconds after which a task is looked up first."""
    longest = min(FIRST_LOOK, response_timeout) if response_timeout > 0 else FIRST_LOOK
    return longest * (1.0 - JITTER * jitter)


def next_look(age: float, jitter: float) -> float:
    """Return the seconds until a task of an age is looked up again."""
    return min(max(age * AGE_SHARE, SHORTEST_PAUSE), LONGEST_PAUSE) * (1.0 - JITTER * jitter)


def verdict(task: Task, worker_id: str, wire_poll_count: int) -> CancelReason | None:
    """Return why a task is no longer ours, None as long as it is.

    Args:
        task: As the server has it now.
        worker_id: Who polled it.
        wire_poll_count: The server's pollCount of the poll that brought it.
    """
    if task.status == TaskStatus.TIMED_OUT:
        return TimedOut(task.reason_for_incompletion or "")
    if task.status == TaskStatus.SCHEDULED:
        return LeaseLost()
    if task.status != TaskStatus.IN_PROGRESS:
        return Terminated(task.reason_for_incompletion or f"its status is {task.status}")
    has_other_hands = bool(task.worker_id) and task.worker_id != worker_id
    return LeaseLost() if has_other_hands or task.poll_count > wire_poll_count else None
