"""When a task or workflow has taken too long, and what follows; when the next limit may be reached.

The order is the server's: total time, time in work, time in the queue, time without an answer.
"""

from collections.abc import Iterator

import attrs

from anyworker.devserver.definitions import TaskDefinition
from anyworker.devserver.records import RETRIABLE_TASK, TaskRecord, WorkflowRecord

_MAX_INT = 2**31 - 1


@attrs.frozen
class Ending:
    """A workflow is over."""

    status: str
    reason: str | None


def workflow_overdue(workflow: WorkflowRecord, now: int) -> Ending | None:
    """Return how a workflow ends that has reached its own timeout, None if it has not."""
    due = _workflow_due(workflow)
    if due is None or now < due:
        return None
    elapsed = now - (workflow.retried or workflow.created)
    return Ending(
        "TIMED_OUT",
        f"Workflow timed out after {elapsed // 1000} seconds. Timeout configured as "
        f"{workflow.plan.timeout_seconds} seconds. Timeout policy configured to TIME_OUT_WF",
    )


def expire(task: TaskRecord, now: int) -> Ending | None:
    """Time a live task out if a limit is reached; return how the workflow ends if the policy ends it."""
    for due, is_response, reason in _limits(task, now):
        if now < due:
            continue
        task.reason = reason
        task.close("TIMED_OUT", now)
        if not is_response and task.step.definition.timeout_policy == "TIME_OUT_WF":
            return Ending("TIMED_OUT", reason)
        return None
    return None


def next_due(workflow: WorkflowRecord, now: int) -> int | None:
    """Return when a limit of the workflow or of one of its tasks is reached next, None for never."""
    moments: list[int] = []
    due = _workflow_due(workflow)
    if due is not None:
        moments.append(due)
    if workflow.status != "PAUSED":
        for task in workflow.tasks:
            if not task.is_terminal:
                moments.extend(due for due, _, _ in _limits(task, now))
    return min(moments, default=None)


def _workflow_due(workflow: WorkflowRecord) -> int | None:
    seconds = workflow.plan.timeout_seconds
    return (workflow.retried or workflow.created) + seconds * 1000 if seconds > 0 else None


def _limits(task: TaskRecord, now: int) -> Iterator[tuple[int, bool, str]]:
    """Yield each limit of a live task: when, whether it is the response timeout, the reason if it is now."""
    definition = task.step.definition
    policy = definition.timeout_policy
    if policy != "ALERT_ONLY":
        yield from _policy_limits(task, definition, now)
    response = definition.response_timeout_seconds
    if task.status == "IN_PROGRESS" and response > 0:
        yield (
            task.updated + response * 1000,
            True,
            (
                f"responseTimeout: {response} exceeded for the taskId: {task.task_id} "
                f"with Task Definition: {task.step.name}"
            ),
        )


def _policy_limits(task: TaskRecord, definition: TaskDefinition, now: int) -> Iterator[tuple[int, bool, str]]:
    policy, delay = definition.timeout_policy, task.start_delay * 1000
    seconds = definition.total_timeout_seconds
    if seconds > 0:
        elapsed = (now - task.first_scheduled) // 1000
        reason = (
            f"Task {task.step.name}/{task.task_id} exceeded total timeout of {seconds} seconds (elapsed "
            f"{elapsed} seconds across all attempts including retry delays). Timeout policy: {policy}"
        )
        yield task.first_scheduled + seconds * 1000, False, reason
    seconds = definition.timeout_seconds
    if seconds > 0 and task.started > 0:
        since = task.started + delay
        reason = (
            f"Task timed out after {(now - since) // 1000} seconds. Timeout configured as {seconds} seconds. "
            f"Timeout policy configured to {policy}"
        )
        yield since + seconds * 1000, False, reason
    seconds = definition.poll_timeout_seconds
    if seconds > 0 and task.status == "SCHEDULED":
        since = task.scheduled + delay
        reason = (
            f"Task poll timed out after {(now - since) // 1000} seconds. "
            f"Poll timeout configured as {seconds} seconds. Timeout policy configured to {policy}"
        )
        yield since + (seconds + task.callback_after) * 1000, False, reason


def refusal_to_retry(task: TaskRecord, now: int) -> Ending | None:
    """Return how the workflow ends if an unsuccessful task gets no further attempt, None if it gets one."""
    status = {"CANCELED": "TERMINATED", "TIMED_OUT": "TIMED_OUT"}.get(task.status, "FAILED")
    if task.status not in RETRIABLE_TASK or task.step.attempts <= task.attempt:
        reason = "null" if task.reason is None else task.reason
        return Ending(status, f"Task {task.task_id} failed with status: {status} and reason: '{reason}'")
    total = task.step.definition.total_timeout_seconds
    elapsed = now - task.first_scheduled
    if total > 0 and elapsed >= total * 1000:
        return Ending(
            status,
            f"Task {task.task_id}/{task.step.name} exceeded total timeout of {total} seconds (elapsed "
            f"{elapsed // 1000} seconds across all attempts). No further retries will be attempted.",
        )
    return None


def retry_delay(definition: TaskDefinition, attempt: int) -> int:
    """Return the seconds before the attempt after a failed one.

    FIXED: d. LINEAR_BACKOFF: d * scale * (attempt + 1). EXPONENTIAL_BACKOFF: d * 2 ** attempt. The
    arithmetic is that of 32-bit integers, as the server's: below 0 counts as the largest, 0 stays 0.

    Args:
        definition: The task definition.
        attempt: The failed attempt, from 0.
    """
    delay = definition.retry_delay_seconds
    match definition.retry_logic:
        case "LINEAR_BACKOFF":
            delay = _wrapped(delay * definition.backoff_scale_factor * (attempt + 1))
        case "EXPONENTIAL_BACKOFF":
            delay = _wrapped(delay * min(2 ** min(attempt, 32), _MAX_INT))
        case _:
            pass
    if definition.max_retry_delay_seconds > 0:
        delay = min(delay, definition.max_retry_delay_seconds)
    return delay


def _wrapped(number: int) -> int:
    wrapped = (number + 2**31) % 2**32 - 2**31
    return _MAX_INT if wrapped < 0 else wrapped
