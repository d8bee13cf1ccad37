"""Events of tasks in hand."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from anyworker.conductor.models import TaskResult
from anyworker.events.kinds import TaskEvent

if TYPE_CHECKING:
    from anyworker.policy.cancellation import CancelReason


@dataclass(frozen=True, kw_only=True)
class TaskExecutionStarted(TaskEvent):
    """A function is about to be called for a task."""


@dataclass(frozen=True, kw_only=True)
class TaskExecutionCompleted(TaskEvent):
    """A function returned, its output converted."""

    duration_ms: float
    output_size_bytes: int
    """Length of the output as JSON."""


@dataclass(frozen=True, kw_only=True)
class TaskExecutionFailure(TaskEvent):
    """A task failed: the function raised, or its input or output was refused."""

    cause: BaseException
    duration_ms: float


@dataclass(frozen=True, kw_only=True)
class TaskCancelled(TaskEvent):
    """A call was cancelled and has ended, or is left behind in its thread."""

    reason: "CancelReason"
    """From `anyworker.policy.cancellation`."""
    late_result: TaskResult | None
    """What the function came to all the same, where nobody else is told of it. That of a thread which is left
    behind comes later, by a `ResultRefused`."""


@dataclass(frozen=True, kw_only=True)
class TaskHandedBack(TaskEvent):
    """The server has a task back, for another worker or a later poll."""

    reason: Literal["shutdown", "surplus", "death", "asked"]
    """``shutdown``: the worker ends. ``surplus``: it came where no slot was free for it. ``death``: its
    process died. ``asked``: middleware said so."""
    was_running: bool | None
    """Whether its function was cancelled for that; None where nobody knows."""


@dataclass(frozen=True, kw_only=True)
class TaskReclaimed(TaskEvent):
    """A task was found that the server had given to a lost poll, or to a process that died."""

    outcome: Literal["run", "handed_back", "left"]
    """``left``: it may not run again, and waits for its response timeout."""
    waited_ms: float
    """Since the poll was sent, or the process died."""
