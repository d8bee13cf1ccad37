"""When a task or workflow has taken too long, and what follows; when the next limit is reached.

The order is the server's: total time, time in work, time in the queue, time without an answer.
"""

from collections.abc import Iterator
from typing import Literal

import attrs

from anyworker.devserver.metadata.definitions import TaskDefinition
from anyworker.devserver.records.records import RETRIABLE_TASK, TaskRecord, WorkflowRecord

_MAX_INT = 2**31 - 1
_Limit = Literal["total", "work", "poll", "response"]


@attrs.frozen
class Ending:
    """A workflow is over."""

    status: str
    reason: str | None
    task: TaskRecord | None = None
    """The task that ended it."""


class WorkflowEnds(Exception):  # no error: it leaves the pass of the decider that found it
    """What a pass of the decider found ends the workflow.

    Args:
        ending: How.
    """

    def __init__(self, ending: Ending) -> None:
        self.ending = ending
        super().__init__(ending)


def workflow_due(workflow: WorkflowRecord) -> int | None:
    """Return when a workflow reaches its own timeout, None for never."""
    seconds = workflow.plan.timeout_seconds
    return (workflow.retried or workflow.created) + seconds * 1000 if seconds > 0 else None


def workflow_overdue(workflow: WorkflowRecord, now: int) -> Ending | None:
    """Return how a workflow ends that has reached its own timeout, None if it has not."""
    due = workflow_due(workflow)
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
    for due, limit in _limits(task):
        if now < due:
            continue
        task.reason = _reason(task, limit, now)
        task.close("TIMED_OUT", now)
        if limit != "response" and task.step.definition.timeout_policy == "TIME_OUT_WF":
            return Ending("TIMED_OUT", task.reason, task)
        return None
    if is_late_from_the_start(task, now) and task.status == "IN_PROGRESS":
        task.reason = _reason(task, "response", now)
        task.close("TIMED_OUT", now)
    return None


def next_due(task: TaskRecord) -> int | None:
    """Return when a live task reaches its next limit, None for never."""
    return min((due for due, _ in _limits(task)), default=None)


def _limits(task: TaskRecord) -> Iterator[tuple[int, _Limit]]:
    """Yield each limit of a live task with its moment."""
    definition = task.step.definition
    if definition.timeout_policy != "ALERT_ONLY":
        yield from _policy_limits(task, definition)
    response = definition.response_timeout_seconds
    if task.status == "IN_PROGRESS" and response > 0 and _is_answered_by_somebody(task):
        yield task.updated + (response + task.callback_after) * 1000, "response"


def _is_answered_by_somebody(task: TaskRecord) -> bool:
    """Tell whether an answer can be late: the server looks after its own joins and sub-workflows."""
    step = task.step
    if step.kind in {"JOIN", "WAIT"} and task.updated == 0:
        return False
    return step.kind not in {"JOIN", "SUB_WORKFLOW"} and not (step.is_system and step.wire["asyncComplete"])


def is_late_from_the_start(task: TaskRecord, now: int) -> bool:
    """Tell whether the real server holds a task of its own late as soon as it decides.

    It counts the time of a JOIN or WAIT from the update that a new one has not had; only one whose name has
    a task definition has a response timeout at all.
    """
    step, response = task.step, task.step.definition.response_timeout_seconds
    is_new = task.updated == 0 and step.kind in {"JOIN", "WAIT"} and not step.wire["asyncComplete"]
    return is_new and response > 0 and now >= (response + task.callback_after) * 1000


def _policy_limits(task: TaskRecord, definition: TaskDefinition) -> Iterator[tuple[int, _Limit]]:
    delay = task.start_delay * 1000
    if definition.total_timeout_seconds > 0:
        yield task.first_scheduled + definition.total_timeout_seconds * 1000, "total"
    if definition.timeout_seconds > 0 and task.started > 0:
        yield task.started + delay + definition.timeout_seconds * 1000, "work"
    if definition.poll_timeout_seconds > 0 and task.status == "SCHEDULED":
        seconds = definition.poll_timeout_seconds + task.callback_after
        yield task.scheduled + delay + seconds * 1000, "poll"


def _reason(task: TaskRecord, limit: _Limit, now: int) -> str:
    definition, delay = task.step.definition, task.start_delay * 1000
    policy = definition.timeout_policy
    match limit:
        case "total":
            elapsed = (now - task.first_scheduled) // 1000
            return (
                f"Task {task.step.definition_name}/{task.task_id} exceeded total timeout of "
                f"{definition.total_timeout_seconds} seconds (elapsed {elapsed} seconds across all attempts "
                f"including retry delays). Timeout policy: {policy}"
            )
        case "work":
            elapsed = (now - task.started - delay) // 1000
            return (
                f"Task timed out after {elapsed} seconds. Timeout configured as "
                f"{definition.timeout_seconds} seconds. Timeout policy configured to {policy}"
            )
        case "poll":
            elapsed = (now - task.scheduled - delay) // 1000
            return (
                f"Task poll timed out after {elapsed} seconds. Poll timeout configured as "
                f"{definition.poll_timeout_seconds} seconds. Timeout policy configured to {policy}"
            )
        case "response":
            return (
                f"responseTimeout: {definition.response_timeout_seconds} exceeded for the taskId: "
                f"{task.task_id} with Task Definition: {task.step.definition_name}"
            )


def may_be_retried(task: TaskRecord) -> bool:
    """Tell whether an unsuccessful task has an attempt left."""
    step = task.step
    return task.status in RETRIABLE_TASK and not step.is_built_in and step.attempts > task.attempt


def failure_of(task: TaskRecord) -> Ending:
    """Return how the workflow ends because of an unsuccessful task."""
    status = {"CANCELED": "TERMINATED", "TIMED_OUT": "TIMED_OUT"}.get(task.status, "FAILED")
    reason = "null" if task.reason is None else task.reason
    return Ending(status, f"Task {task.task_id} failed with status: {status} and reason: '{reason}'", task)


def total_time_spent(task: TaskRecord, now: int) -> Ending | None:
    """Return how the workflow ends if the time for all attempts is over, None if there is time left."""
    total = task.step.definition.total_timeout_seconds
    elapsed = now - task.first_scheduled
    if total <= 0 or elapsed < total * 1000:
        return None
    return Ending(
        "TIMED_OUT" if task.status == "TIMED_OUT" else "FAILED",
        f"Task {task.task_id}/{task.step.definition_name} exceeded total timeout of {total} seconds (elapsed "
        f"{elapsed // 1000} seconds across all attempts). No further retries will be attempted.",
        task,
    )


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
