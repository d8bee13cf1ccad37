"""What a worker tells about itself: frozen events, listeners, and the one place that calls them."""

from anyworker.events.definitions import TaskDefRegistered, TaskDefRegistrationFailure
from anyworker.events.kinds import TaskEvent, TaskRunnerEvent
from anyworker.events.leases import LeaseExtended, LeaseFailed, LeaseLost
from anyworker.events.listener import Listener, TaskRunnerEventsListener
from anyworker.events.polls import PollCompleted, PollFailure, PollStarted
from anyworker.events.processes import ChildExited, ChildReplaced, ChildStarted, ProcessEvent
from anyworker.events.publisher import Publisher
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
    WorkerEvent,
    WorkerPaused,
    WorkerResumed,
    WorkerStarted,
    WorkerStopped,
)

__all__ = [
    "ChildExited",
    "ChildReplaced",
    "ChildStarted",
    "LeaseExtended",
    "LeaseFailed",
    "LeaseLost",
    "Listener",
    "LoopBlocked",
    "OutboxFailure",
    "PollCompleted",
    "PollFailure",
    "PollStarted",
    "ProcessEvent",
    "Publisher",
    "ResultRefused",
    "ResultReplayed",
    "ResultStored",
    "ShutdownStageEntered",
    "TaskCancelled",
    "TaskDefRegistered",
    "TaskDefRegistrationFailure",
    "TaskEvent",
    "TaskExecutionCompleted",
    "TaskExecutionFailure",
    "TaskExecutionStarted",
    "TaskHandedBack",
    "TaskReclaimed",
    "TaskRunnerEvent",
    "TaskRunnerEventsListener",
    "TaskUpdateFailure",
    "TokenRefreshFailure",
    "TokenRefreshed",
    "WorkerEvent",
    "WorkerPaused",
    "WorkerResumed",
    "WorkerStarted",
    "WorkerStopped",
]
