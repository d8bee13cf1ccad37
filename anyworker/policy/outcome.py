"""What a call of a function came to, and the result that tells the server so."""

from collections.abc import Callable
from typing import Any, Literal, assert_never, get_args

import attrs
import msgspec

from anyworker.conductor.models import ResultStatus, Task, TaskExecLog, TaskResult
from anyworker.errors import ConversionError, NonRetryableException, SerializationError, message_of
from anyworker.policy.cancellation import CancelReason

HAND_BACKS_KEY = "__anyworker_hand_backs__"
"""Reserved key of a task's output: how many of its polls ended in a hand-back instead of a call."""
REASON_LIMIT = 500
"""Characters of a reason that the server keeps."""


@attrs.frozen
class Completed:
    """The function returned a value."""

    output: dict[str, Any]


@attrs.frozen
class Failed:
    """The task failed; the server may give it to a worker again."""

    reason: str
    cause: BaseException
    details: str | None = None
    """A traceback for the task's log."""


@attrs.frozen
class Terminal:
    """The task failed in a way that trying again cannot mend."""

    reason: str
    cause: BaseException
    details: str | None = None


@attrs.frozen
class InProgress:
    """The function asks to be called again for the same task."""

    output: dict[str, Any]
    callback_after_seconds: int


@attrs.frozen
class Returned:
    """The function made the result itself; it is `checked`."""

    result: TaskResult


@attrs.frozen
class HandedBack:
    """The task was not run to an end here; another worker may have it at once."""

    reason: Literal["shutdown", "surplus", "death", "asked"] = "asked"
    """As `anyworker.events.TaskHandedBack` tells it."""


@attrs.frozen
class Dropped:
    """The task is no longer ours: the server is told nothing."""

    reason: CancelReason
    late: "Sent | None" = None
    """What the call came to all the same, None where it ended as it was told to."""


@attrs.frozen
class Abandoned:
    """A thread that cannot be stopped may still act: nobody else may have the task before its lease ends."""


Sent = Completed | Failed | Terminal | InProgress | Returned | HandedBack
"""What the server is told of."""
Outcome = Sent | Dropped | Abandoned


def _leaves(error: BaseException) -> list[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


def describe(error: BaseException) -> str:
    """Return a reason for people: class and message, or the message alone where it was written for them."""
    message = message_of(error)
    if isinstance(error, NonRetryableException | ConversionError) and message:
        return message
    name = type(error).__name__
    return f"{name}: {message}" if message else name


def failure(error: BaseException, details: str | None) -> Failed | Terminal:
    """Return the outcome of what a function raised.

    Args:
        error: What it raised; a group is as final as the most final of its leaves.
        details: Its traceback, None where the message says all.
    """
    leaves = _leaves(error)
    final = next((leaf for leaf in leaves if isinstance(leaf, NonRetryableException | ConversionError)), None)
    reason = describe(final or leaves[0])
    if len(leaves) > 1:
        reason = f"{reason} (and {len(leaves) - 1} more)"
    if final is not None:
        return Terminal(reason, final, details)
    if isinstance(error, SerializationError):
        return Failed(f"the output cannot be sent: {error}", error, details)
    return Failed(reason, leaves[0], details)


@attrs.define(eq=False)
class Draft:
    """A task in hand, and what its result has so far."""

    task: Task
    """As the function may see it: without our bookkeeping."""
    worker_id: str
    hand_backs: int = 0
    """Polls of this task that ended in a hand-back instead of a call."""
    output: dict[str, Any] = attrs.field(factory=dict)
    """What the function set in its context; what it returns goes over it."""
    logs: list[TaskExecLog] = attrs.field(factory=list)
    """Lines for the task's log, in order."""
    cancel_reason: CancelReason | None = None
    """Why the call was cancelled, None as long as it is not."""

    @classmethod
    def of(cls, task: Task, worker_id: str) -> "Draft":
        """Take a polled task in hand, our bookkeeping split off."""
        count = task.output_data.pop(HAND_BACKS_KEY, 0)
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            count = 0
        return cls(task, worker_id, hand_backs=count)

    @property
    def calls(self) -> int:
        """How often the function was called in this attempt, from 1: polls less hand-backs."""
        return max(self.task.poll_count - self.hand_backs, 1)


def to_result(outcome: Sent, draft: Draft, *, now_ms: Callable[[], int]) -> TaskResult:
    """Return what the server is told.

    Args:
        outcome: What the call came to.
        draft: The task and what its result has so far.
        now_ms: Tells the wall clock in epoch milliseconds, for a line that the outcome adds to the log.
    """
    task = draft.task
    result = TaskResult(
        task_id=task.task_id,
        workflow_instance_id=task.workflow_instance_id,
        worker_id=draft.worker_id,
        output_data=draft.output,
        logs=draft.logs,
    )
    match outcome:
        case Completed():
            result.status = "COMPLETED"
            result.output_data = {**draft.output, **outcome.output} if draft.output else outcome.output
        case Failed():
            result.status = "FAILED"
            _explain(result, outcome, now_ms)
        case Terminal():
            result.status = "FAILED_WITH_TERMINAL_ERROR"
            _explain(result, outcome, now_ms)
        case InProgress():
            result.status = "IN_PROGRESS"
            result.output_data = _counted({**draft.output, **outcome.output}, draft.hand_backs)
            result.callback_after_seconds = outcome.callback_after_seconds
        case Returned():
            result = _completed(outcome.result, result, draft.hand_backs)
        case HandedBack():
            result.status = "IN_PROGRESS"
            # An update replaces output and reason, so what stood there is said again.
            result.output_data = _counted({**task.output_data, **draft.output}, draft.hand_backs + 1)
            result.reason_for_incompletion = task.reason_for_incompletion
        case _:
            assert_never(outcome)
    if result.status != "IN_PROGRESS" and HAND_BACKS_KEY in result.output_data:
        result.output_data = {k: v for k, v in result.output_data.items() if k != HAND_BACKS_KEY}
    return result


def _explain(result: TaskResult, outcome: Failed | Terminal, now_ms: Callable[[], int]) -> None:
    reason = outcome.reason
    details = outcome.details
    if len(reason) > REASON_LIMIT:
        details = f"{reason}\n{details}" if details else reason
        reason = reason[: REASON_LIMIT - 1] + "…"
    result.reason_for_incompletion = reason
    if details:
        result.logs = [*result.logs, TaskExecLog(log=details, task_id=result.task_id, created_time=now_ms())]


def _completed(given: TaskResult, filled: TaskResult, hand_backs: int) -> TaskResult:
    status = given.status
    output = {**filled.output_data, **given.output_data}
    return TaskResult(
        task_id=filled.task_id,
        workflow_instance_id=filled.workflow_instance_id,
        worker_id=given.worker_id or filled.worker_id,
        status=status,
        output_data=_counted(output, hand_backs) if status == "IN_PROGRESS" else output,
        reason_for_incompletion=given.reason_for_incompletion,
        callback_after_seconds=given.callback_after_seconds,
        logs=[*filled.logs, *given.logs],
        sub_workflow_id=given.sub_workflow_id,
        external_output_payload_storage_path=given.external_output_payload_storage_path,
    )


def checked(result: TaskResult) -> TaskResult:
    """Return a result that a function made, fit to be sent: nothing has looked at its fields so far.

    Raises:
        TypeError: A field has a value of a wrong type.
        ValueError: The status is none that a worker can send.
    """
    status = "COMPLETED" if result.status is msgspec.UNSET else result.status
    if status not in get_args(ResultStatus):
        message = f"TaskResult.status={status!r}: expected one of {', '.join(get_args(ResultStatus))}"
        raise ValueError(message)
    logs = [TaskExecLog(log=line) if isinstance(line, str) else line for line in result.logs]
    given = msgspec.structs.replace(result, status=str(status), logs=logs, output_data={})
    checked_result = msgspec.convert(msgspec.to_builtins(given), TaskResult)
    if not isinstance(result.output_data, dict):
        message = f"TaskResult.output_data is a {type(result.output_data).__name__}: expected a dict"
        raise TypeError(message)
    checked_result.output_data = result.output_data
    return checked_result


def _counted(output: dict[str, Any], count: int) -> dict[str, Any]:
    return {**output, HAND_BACKS_KEY: count} if count else output
