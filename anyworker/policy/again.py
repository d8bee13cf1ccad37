"""Which tasks may be given to somebody else although they are in hand here.

A task whose function has not begun always may. One whose function has begun may if it may run again: if the
worker says so, or if it says nothing and the task would get another attempt, too, if it failed. Neither helps
where the server would take it as not polled in time: it counts that from the first scheduling on.
"""

from anyworker.conductor.models import Task


def why_not_again(task: Task, restartable: bool | None, *, held: float = 0.0) -> str | None:
    """Return why a task whose function has begun may not be given back, as a clause; None if it may.

    Args:
        task: As polled.
        restartable: The worker's option: True allows it, False forbids it, None leaves it to the definition.
        held: Seconds since the task's ``update_time``.
    """
    if restartable is False:
        return "restartable=False forbids it"
    if (limit := poll_limit(task)) and (task.update_time - task.scheduled_time) / 1000 + held >= limit:
        return f"its pollTimeoutSeconds ({limit}) have passed, so that the server would time it out"
    if restartable or _attempts_left(task) > 0:
        return None
    return "its definition allows no further attempt"


def poll_limit(task: Task) -> int:
    """Return the seconds since its scheduling after which a task that is given back times out; 0 for none."""
    definition = task.task_definition
    if definition is None or definition.timeout_policy == "ALERT_ONLY":
        return 0
    return definition.poll_timeout_seconds or 0


def _attempts_left(task: Task) -> int:
    """Return how many attempts would follow if this one failed.

    The step of the workflow may set another number than the task's definition, also 0.
    """
    if task.workflow_task is not None and task.workflow_task.retry_count is not None:
        return task.workflow_task.retry_count - task.retry_count
    if task.task_definition is not None:
        return task.task_definition.retry_count - task.retry_count
    return 1  # nobody says
