"""What a worker tells about itself: frozen events, listeners, and the one place that calls them."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from anyworker.conductor.models import TaskResult
from anyworker.errors import ConfigurationError
from anyworker.event_kinds import TaskEvent, TaskRunnerEvent
from anyworker.listening import handlers_of, problem_of
from anyworker.tallies import NoTallies, TallySource

if TYPE_CHECKING:
    from anyworker.policy.cancellation import CancelReason

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class PollStarted(TaskRunnerEvent):
    """A batch poll is about to be sent."""

    worker_id: str
    poll_count: int
    """How many tasks are asked for."""


@dataclass(frozen=True, kw_only=True)
class PollCompleted(TaskRunnerEvent):
    """A batch poll was answered, with tasks or without."""

    duration_ms: float
    """Includes the time the server waited for a task."""
    tasks_received: int


@dataclass(frozen=True, kw_only=True)
class PollFailure(TaskRunnerEvent):
    """A batch poll failed."""

    duration_ms: float
    cause: Exception


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
class TaskUpdateFailure(TaskEvent):
    """A result could not be delivered in all attempts; `ResultStored` follows where the outbox has it.

    Once more at the end of the process, if the outbox could not deliver it either, nor outlives it.
    """

    cause: Exception
    retry_count: int
    """Attempts that were made."""
    task_result: TaskResult


@dataclass(frozen=True, kw_only=True)
class LeaseExtended(TaskEvent):
    """The server has put off the response timeout of a task in hand."""

    duration_ms: float


@dataclass(frozen=True, kw_only=True)
class LeaseFailed(TaskEvent):
    """A heartbeat failed; the next follows at once, as long as the lease has not run out."""

    cause: Exception
    attempts: int
    """Heartbeats for this task that have failed in a row."""
    remaining_ms: float
    """Until the lease runs out."""


@dataclass(frozen=True, kw_only=True)
class LeaseLost(TaskEvent):
    """A lease ran out before it could be extended: another worker may have the task by now."""

    response_timeout_seconds: float


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
class TaskCancelled(TaskEvent):
    """A call was cancelled and has ended, or is left behind in its thread."""

    reason: "CancelReason"
    """From `anyworker.policy.cancellation`."""
    late_result: TaskResult | None
    """What the function came to all the same, where nobody else is told of it. That of a thread which is left
    behind comes later, by a `ResultRefused`."""


@dataclass(frozen=True, kw_only=True)
class OutboxFailure(TaskRunnerEvent):
    """The outbox's file cannot be used, so results are in memory; the task type is empty."""

    cause: Exception


@dataclass(frozen=True, kw_only=True)
class TaskReclaimed(TaskEvent):
    """A task was found that the server had given to a lost poll, or to a process that died."""

    outcome: Literal["run", "handed_back", "left"]
    """``left``: it may not run again, and waits for its response timeout."""
    waited_ms: float
    """Since the poll was sent, or the process died."""


@dataclass(frozen=True, kw_only=True)
class TaskDefRegistered(TaskRunnerEvent):
    """A task definition is on the server as it should be."""

    outcome: Literal["created", "updated", "unchanged", "kept"]
    """``kept``: the server's own, which the worker may not overwrite."""
    changed_fields: tuple[str, ...]
    """Of an ``updated`` one, by the names of the wire."""
    has_schema_registry: bool
    """Whether the schemas went to the server's registry; otherwise they are part of the definition."""


@dataclass(frozen=True, kw_only=True)
class TaskDefRegistrationFailure(TaskRunnerEvent):
    """A task definition could not be registered; its worker polls all the same."""

    cause: Exception


class TaskRunnerEventsListener:
    """Base of listeners: override what you want to hear.

    Listeners are called synchronously on the event loop, so they must be quick. What one raises is logged
    and goes no further. Any object with some of these methods is a listener, too.
    """

    def on_poll_started(self, event: PollStarted) -> None:
        """Hear that a poll is about to be sent."""

    def on_poll_completed(self, event: PollCompleted) -> None:
        """Hear that a poll was answered."""

    def on_poll_failure(self, event: PollFailure) -> None:
        """Hear that a poll failed."""

    def on_task_execution_started(self, event: TaskExecutionStarted) -> None:
        """Hear that a function is about to be called."""

    def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
        """Hear that a function returned."""

    def on_task_execution_failure(self, event: TaskExecutionFailure) -> None:
        """Hear that a task failed."""

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        """Hear that a result could not be delivered."""

    def on_lease_extended(self, event: LeaseExtended) -> None:
        """Hear that the response timeout of a task was put off."""

    def on_lease_failed(self, event: LeaseFailed) -> None:
        """Hear that a heartbeat failed."""

    def on_lease_lost(self, event: LeaseLost) -> None:
        """Hear that a lease ran out."""

    def on_result_stored(self, event: ResultStored) -> None:
        """Hear that the outbox has taken over a result."""

    def on_result_replayed(self, event: ResultReplayed) -> None:
        """Hear that the server has taken a result from the outbox."""

    def on_result_refused(self, event: ResultRefused) -> None:
        """Hear that the server will never take a result."""

    def on_task_cancelled(self, event: TaskCancelled) -> None:
        """Hear that a call was cancelled."""

    def on_outbox_failure(self, event: OutboxFailure) -> None:
        """Hear that the outbox's file cannot be used."""

    def on_task_reclaimed(self, event: TaskReclaimed) -> None:
        """Hear that a lost task was found."""

    def on_task_def_registered(self, event: TaskDefRegistered) -> None:
        """Hear that a task definition is on the server."""

    def on_task_def_registration_failure(self, event: TaskDefRegistrationFailure) -> None:
        """Hear that a task definition could not be registered."""


Listener = object
"""Anything with some of the methods of `TaskRunnerEventsListener`."""

_METHODS: dict[type[TaskRunnerEvent], str] = {
    PollStarted: "on_poll_started",
    PollCompleted: "on_poll_completed",
    PollFailure: "on_poll_failure",
    TaskExecutionStarted: "on_task_execution_started",
    TaskExecutionCompleted: "on_task_execution_completed",
    TaskExecutionFailure: "on_task_execution_failure",
    TaskUpdateFailure: "on_task_update_failure",
    LeaseExtended: "on_lease_extended",
    LeaseFailed: "on_lease_failed",
    LeaseLost: "on_lease_lost",
    ResultStored: "on_result_stored",
    ResultReplayed: "on_result_replayed",
    ResultRefused: "on_result_refused",
    TaskCancelled: "on_task_cancelled",
    OutboxFailure: "on_outbox_failure",
    TaskReclaimed: "on_task_reclaimed",
    TaskDefRegistered: "on_task_def_registered",
    TaskDefRegistrationFailure: "on_task_def_registration_failure",
}


class Publisher:
    """Bring events to the listeners that want them, in the order in which they were given.

    Args:
        listeners: Who hears them.
        tallies: What counts beside them.

    Raises:
        ConfigurationError: Something given as a listener cannot be one.
    """

    def __init__(self, listeners: Iterable[Listener] = (), tallies: TallySource | None = None) -> None:
        self.tallies: TallySource = tallies or NoTallies()
        listeners, names = tuple(listeners), _METHODS.values()
        problems = [problem for listener in listeners if (problem := problem_of(listener, names))]
        if problems:
            raise ConfigurationError(problems)
        self._handlers: dict[type[TaskRunnerEvent], tuple[Callable[[Any], object], ...]] = {
            kind: tuple(handlers_of(listeners, name, TaskRunnerEventsListener))
            for kind, name in _METHODS.items()
        }

    def hears(self, kind: type[TaskRunnerEvent]) -> bool:
        """Return whether anybody listens, so that no event is built for nobody."""
        return bool(self._handlers[kind])

    def publish(self, event: TaskRunnerEvent) -> None:
        """Call each listener; what one raises is logged and reaches neither the others nor the worker."""
        for handler in self._handlers[type(event)]:
            try:
                handler(event)
            except (Exception, SystemExit):
                logger.exception("A listener failed on %s: %r", type(event).__name__, handler)
