"""Who hears events, and by which methods."""

import re
from typing import Protocol, runtime_checkable

from anyworker.events.definitions import TaskDefRegistered, TaskDefRegistrationFailure
from anyworker.events.kinds import TaskRunnerEvent
from anyworker.events.leases import LeaseExtended, LeaseFailed, LeaseLost
from anyworker.events.polls import PollCompleted, PollFailure, PollStarted
from anyworker.events.processes import ChildExited, ChildReplaced, ChildStarted
from anyworker.events.results import (
    OutboxFailure,
    ResultRefused,
    ResultReplayed,
    ResultStored,
    TaskUpdateFailure,
)
from anyworker.events.tasks import (
    TaskCancelled,
    TaskExecutionCompleted,
    TaskExecutionFailure,
    TaskExecutionStarted,
    TaskHandedBack,
    TaskReclaimed,
)
from anyworker.events.tokens import TokenRefreshed, TokenRefreshFailure
from anyworker.events.workers import (
    LoopBlocked,
    ShutdownStageEntered,
    WorkerPaused,
    WorkerResumed,
    WorkerStarted,
    WorkerStopped,
)


@runtime_checkable
class TaskRunnerEventsListener(Protocol):
    """What listeners may hear; as a base it does nothing, so that a listener overrides what it wants.

    Listeners are called synchronously on the event loop, so they must be quick. What one raises is logged
    and goes no further. Any object with some of these methods is a listener, too.
    """

    # Without their ``return`` type checkers would take the methods for abstract.

    def on_poll_started(self, event: PollStarted) -> None:
        """Hear that a poll is about to be sent."""
        return

    def on_poll_completed(self, event: PollCompleted) -> None:
        """Hear that a poll was answered."""
        return

    def on_poll_failure(self, event: PollFailure) -> None:
        """Hear that a poll failed."""
        return

    def on_task_execution_started(self, event: TaskExecutionStarted) -> None:
        """Hear that a function is about to be called."""
        return

    def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
        """Hear that a function returned."""
        return

    def on_task_execution_failure(self, event: TaskExecutionFailure) -> None:
        """Hear that a task failed."""
        return

    def on_task_cancelled(self, event: TaskCancelled) -> None:
        """Hear that a call was cancelled."""
        return

    def on_task_handed_back(self, event: TaskHandedBack) -> None:
        """Hear that the server has a task back."""
        return

    def on_task_reclaimed(self, event: TaskReclaimed) -> None:
        """Hear that a lost task was found."""
        return

    def on_lease_extended(self, event: LeaseExtended) -> None:
        """Hear that the response timeout of a task was put off."""
        return

    def on_lease_failed(self, event: LeaseFailed) -> None:
        """Hear that a heartbeat failed."""
        return

    def on_lease_lost(self, event: LeaseLost) -> None:
        """Hear that a lease ran out."""
        return

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        """Hear that a result could not be delivered."""
        return

    def on_result_stored(self, event: ResultStored) -> None:
        """Hear that the outbox has taken over a result."""
        return

    def on_result_replayed(self, event: ResultReplayed) -> None:
        """Hear that the server has taken a result from the outbox."""
        return

    def on_result_refused(self, event: ResultRefused) -> None:
        """Hear that the server will never take a result."""
        return

    def on_outbox_failure(self, event: OutboxFailure) -> None:
        """Hear that the outbox's file cannot be used."""
        return

    def on_worker_started(self, event: WorkerStarted) -> None:
        """Hear that a worker begins."""
        return

    def on_worker_paused(self, event: WorkerPaused) -> None:
        """Hear that a worker polls no more."""
        return

    def on_worker_resumed(self, event: WorkerResumed) -> None:
        """Hear that a worker polls again."""
        return

    def on_worker_stopped(self, event: WorkerStopped) -> None:
        """Hear that a worker has ended."""
        return

    def on_shutdown_stage_entered(self, event: ShutdownStageEntered) -> None:
        """Hear that the fleet is further on its way out."""
        return

    def on_loop_blocked(self, event: LoopBlocked) -> None:
        """Hear that the event loop stood still."""
        return

    def on_child_started(self, event: ChildStarted) -> None:
        """Hear that a process was started."""
        return

    def on_child_exited(self, event: ChildExited) -> None:
        """Hear that a process has ended."""
        return

    def on_child_replaced(self, event: ChildReplaced) -> None:
        """Hear that a process has the place of another one."""
        return

    def on_token_refreshed(self, event: TokenRefreshed) -> None:
        """Hear that there is a new token."""
        return

    def on_token_refresh_failure(self, event: TokenRefreshFailure) -> None:
        """Hear that a token could not be had."""
        return

    def on_task_def_registered(self, event: TaskDefRegistered) -> None:
        """Hear that a task definition is on the server."""
        return

    def on_task_def_registration_failure(self, event: TaskDefRegistrationFailure) -> None:
        """Hear that a task definition could not be registered."""
        return


Listener = object
"""Anything with some of the methods of `TaskRunnerEventsListener`."""

KINDS: tuple[type[TaskRunnerEvent], ...] = (
    PollStarted,
    PollCompleted,
    PollFailure,
    TaskExecutionStarted,
    TaskExecutionCompleted,
    TaskExecutionFailure,
    TaskCancelled,
    TaskHandedBack,
    TaskReclaimed,
    LeaseExtended,
    LeaseFailed,
    LeaseLost,
    TaskUpdateFailure,
    ResultStored,
    ResultReplayed,
    ResultRefused,
    OutboxFailure,
    WorkerStarted,
    WorkerPaused,
    WorkerResumed,
    WorkerStopped,
    ShutdownStageEntered,
    LoopBlocked,
    ChildStarted,
    ChildExited,
    ChildReplaced,
    TokenRefreshed,
    TokenRefreshFailure,
    TaskDefRegistered,
    TaskDefRegistrationFailure,
)
"""All kinds of events."""


def method_of(kind: type[TaskRunnerEvent]) -> str:
    """Return the name of the method that hears of events of a kind: ``on_poll_started`` of `PollStarted`."""
    words: list[str] = re.findall("[A-Z][a-z]*", kind.__name__)
    return "_".join(["on", *words]).lower()
