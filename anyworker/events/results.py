"""Events of results on their way to the server."""

from dataclasses import dataclass

from anyworker.conductor.models import TaskResult
from anyworker.events.kinds import TaskEvent, TaskRunnerEvent


@dataclass(frozen=True, kw_only=True)
class TaskUpdateFailure(TaskEvent):
    """A result could not be delivered in all attempts; `ResultStored` follows where the outbox has it.

    Once more at the end of the process, if the outbox could not deliver it either, nor outlives it.
    """

    cause: Exception
    retry_count: int
    """Attempts that were made."""
    task_result: TaskResult


@dataclass(frozen=True, kw_only=True)
class ResultStored(TaskEvent):
    """The outbox has taken over a result that could not be delivered; it is sent again in the background."""

    cause: Exception
    is_persistent: bool
    """Whether it survives the process."""


@dataclass(frozen=True, kw_only=True)
class ResultReplayed(TaskEvent):
    """The server has taken a result from the outbox."""

    waited_ms: float


@dataclass(frozen=True, kw_only=True)
class ResultRefused(TaskEvent):
    """The server will never take a result: it does not know the task, the task has ended otherwise, or the
    call of a plain function was given up whose thread has come to it after all.
    """

    reason: str
    """The server's words, or why the call was given up."""
    task_result: TaskResult
    is_persistent: bool
    """Whether the outbox keeps it beyond the process."""


@dataclass(frozen=True, kw_only=True)
class OutboxFailure(TaskRunnerEvent):
    """The outbox's file cannot be used, so results are in memory; the task type is empty."""

    cause: Exception
