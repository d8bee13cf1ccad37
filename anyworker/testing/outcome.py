"""What a test looks at after a function has run for a task."""

from typing import Any

import attrs
import msgspec

from anyworker.conductor.models import ResultStatus, Task, TaskResult
from anyworker.events import TaskRunnerEvent
from anyworker.policy.cancellation import CancelReason
from anyworker.policy.outcome import HAND_BACKS_KEY, Abandoned, Dropped, Failed, HandedBack, Sent, Terminal
from anyworker.runner.in_hand import Execution
from anyworker.runner.parcel import Parcel


@attrs.frozen(kw_only=True)
class TaskOutcome:
    """What a function made of a task, as the server would learn of it."""

    status: ResultStatus | None
    """None where the server would be told nothing: the task is no longer ours, or a thread still has it."""
    output: dict[str, Any]
    """As the server would have it: what JSON makes of the values."""
    reason: str | None = None
    """Why the task failed."""
    logs: list[str]
    """All lines of the task's log, a traceback included."""
    callback_after_seconds: int = 0
    """When the function asked to be called again."""
    exception: BaseException | None = None
    """What the function raised, or what else failed the task: a bad input or output, a timeout."""
    cancel_reason: CancelReason | None = None
    """Why the call was cancelled."""
    is_handed_back: bool = False
    """Whether another worker may have the task at once: it was not run to an end."""
    is_abandoned: bool = False
    """Whether a thread that could not be stopped was left behind with the task."""
    events: list[TaskRunnerEvent] = attrs.field(repr=False)
    """What listeners heard."""
    result: TaskResult | None = attrs.field(repr=False)
    """What would go out."""
    task: Task = attrs.field(repr=False)
    """As it was polled."""

    def next_task(self) -> Task:
        """Return the task as the next poll brings it: one poll later, with this output.

        Raises:
            ValueError: The task has ended.
        """
        if self.result is None or self.status != "IN_PROGRESS":
            message = f"the task is not polled again: its status is {self.status}"
            raise ValueError(message)
        return msgspec.structs.replace(
            self.task,
            poll_count=self.task.poll_count + 1,
            output_data=self.result.output_data,
            reason_for_incompletion=self.result.reason_for_incompletion,
        )


def unsaid(
    execution: Execution, outcome: Dropped | Abandoned, events: list[TaskRunnerEvent], task: Task
) -> TaskOutcome:
    """Return what is left of a call of which the server would be told nothing."""
    return TaskOutcome(
        status=None,
        output={},
        logs=[line.log for line in execution.draft.logs],
        cancel_reason=execution.draft.cancel_reason,
        is_abandoned=isinstance(outcome, Abandoned),
        events=events,
        result=None,
        task=task,
    )


def reported(
    execution: Execution, outcome: Sent, parcel: Parcel, events: list[TaskRunnerEvent], task: Task
) -> TaskOutcome:
    """Return what the server would be told.

    Args:
        execution: The task in hand.
        outcome: What its call came to.
        parcel: The result, ready to be sent.
        events: What listeners heard.
        task: As it was polled.
    """
    sent = msgspec.json.decode(parcel.body, type=TaskResult)
    cause = outcome.cause if isinstance(outcome, Failed | Terminal) else parcel.refusal
    return TaskOutcome(
        status=None if sent.status is msgspec.UNSET else sent.status,
        output={key: value for key, value in sent.output_data.items() if key != HAND_BACKS_KEY},
        reason=sent.reason_for_incompletion,
        logs=[*(line.log for line in sent.logs), *parcel.surplus_logs],
        callback_after_seconds=sent.callback_after_seconds,
        exception=cause,
        cancel_reason=execution.draft.cancel_reason,
        is_handed_back=isinstance(outcome, HandedBack),
        events=events,
        result=sent,
        task=task,
    )
