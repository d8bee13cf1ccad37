"""From what a function returned to the outcome of its call."""

from msgspec import UNSET

from anyworker import context as task_context
from anyworker.conductor.models import Task, TaskResult
from anyworker.context import TaskContext, TaskInProgress
from anyworker.policy.outcome import Completed, InProgress, Outcome, Returned, Terminal, checked
from anyworker.values.payload import to_output


def outcome_of(value: object, context: TaskContext, task: Task) -> Outcome:
    """Return what a call came to whose function returned a value.

    Raises:
        SerializationError: The value cannot be opened.
        TypeError, ValueError: A TaskResult that cannot be sent.
    """
    if isinstance(value, TaskInProgress):
        return InProgress(value.output, value.callback_after_seconds)
    if isinstance(value, TaskResult):
        if value.task_id not in {"", task.task_id}:
            error = ValueError(
                f"returned a TaskResult of another task: {value.task_id}, while running {task.task_id}"
            )
            return Terminal(str(error), error)
        result = checked(value)
        result.callback_after_seconds = task_context.callback_seconds(result.callback_after_seconds)
        if context.callback_after is not None and value.status in {UNSET, "IN_PROGRESS"}:
            result.status = "IN_PROGRESS"
            result.callback_after_seconds = result.callback_after_seconds or context.callback_after
        return Returned(result)
    output = to_output(value)
    if value is None and context.has_output:
        output = {}
    if context.callback_after is not None:
        return InProgress(output, context.callback_after)
    return Completed(output)
