"""Structured-concurrency workers for Conductor, on asyncio and trio."""

from typing import TYPE_CHECKING

from anyworker.lazy import loader

if TYPE_CHECKING:
    from anyworker.conductor.models import Task, TaskDef, TaskExecLog, TaskResult
    from anyworker.configuration import AuthenticationSettings, Configuration
    from anyworker.context import TaskContext, TaskInProgress, check_cancelled, get_task_context
    from anyworker.errors import AnyworkerError, ConfigurationError, LifespanError, NonRetryableException
    from anyworker.events import (
        ChildExited,
        ChildReplaced,
        ChildStarted,
        LeaseExtended,
        LeaseFailed,
        LeaseLost,
        LoopBlocked,
        OutboxFailure,
        PollCompleted,
        PollFailure,
        PollStarted,
        ResultRefused,
        ResultReplayed,
        ResultStored,
        ShutdownStageEntered,
        TaskCancelled,
        TaskDefRegistered,
        TaskDefRegistrationFailure,
        TaskExecutionCompleted,
        TaskExecutionFailure,
        TaskExecutionStarted,
        TaskHandedBack,
        TaskReclaimed,
        TaskRunnerEventsListener,
        TaskUpdateFailure,
        TokenRefreshed,
        TokenRefreshFailure,
        WorkerPaused,
        WorkerResumed,
        WorkerStarted,
        WorkerStopped,
    )
    from anyworker.fleet.discovery.discovery import WorkerLoader, auto_discover_workers, scan_for_workers
    from anyworker.fleet.handler import TaskHandler
    from anyworker.fleet.run import run
    from anyworker.fleet.serving import serving
    from anyworker.observe.collector import MetricsCollector, PrometheusMetricsCollector
    from anyworker.observe.settings import MetricsSettings
    from anyworker.outbox_settings import OutboxSettings
    from anyworker.values.custom import register_type
    from anyworker.values.markers import FromLifespan, WholeInput
    from anyworker.worker import Worker, worker_task

__version__ = "0.1.0"

__all__ = [
    "AnyworkerError",
    "AuthenticationSettings",
    "ChildExited",
    "ChildReplaced",
    "ChildStarted",
    "Configuration",
    "ConfigurationError",
    "FromLifespan",
    "LeaseExtended",
    "LeaseFailed",
    "LeaseLost",
    "LifespanError",
    "LoopBlocked",
    "MetricsCollector",
    "MetricsSettings",
    "NonRetryableException",
    "OutboxFailure",
    "OutboxSettings",
    "PollCompleted",
    "PollFailure",
    "PollStarted",
    "PrometheusMetricsCollector",
    "ResultRefused",
    "ResultReplayed",
    "ResultStored",
    "ShutdownStageEntered",
    "Task",
    "TaskCancelled",
    "TaskContext",
    "TaskDef",
    "TaskDefRegistered",
    "TaskDefRegistrationFailure",
    "TaskExecLog",
    "TaskExecutionCompleted",
    "TaskExecutionFailure",
    "TaskExecutionStarted",
    "TaskHandedBack",
    "TaskHandler",
    "TaskInProgress",
    "TaskReclaimed",
    "TaskResult",
    "TaskRunnerEventsListener",
    "TaskUpdateFailure",
    "TokenRefreshFailure",
    "TokenRefreshed",
    "WholeInput",
    "Worker",
    "WorkerLoader",
    "WorkerPaused",
    "WorkerResumed",
    "WorkerStarted",
    "WorkerStopped",
    "auto_discover_workers",
    "check_cancelled",
    "get_task_context",
    "register_type",
    "run",
    "scan_for_workers",
    "serving",
    "worker_task",
]

# Each name is loaded when it is first used. What runs workers brings the HTTP stack along, which who only
# declares them need not wait for; and pytest, which finds the plugin in this package, need not wait at all.
_HOMES = {
    "anyworker.conductor.models": ("Task", "TaskDef", "TaskExecLog", "TaskResult"),
    "anyworker.configuration": ("AuthenticationSettings", "Configuration"),
    "anyworker.context": ("TaskContext", "TaskInProgress", "check_cancelled", "get_task_context"),
    "anyworker.errors": ("AnyworkerError", "ConfigurationError", "LifespanError", "NonRetryableException"),
    "anyworker.events": (
        "ChildExited",
        "ChildReplaced",
        "ChildStarted",
        "LeaseExtended",
        "LeaseFailed",
        "LeaseLost",
        "LoopBlocked",
        "OutboxFailure",
        "PollCompleted",
        "PollFailure",
        "PollStarted",
        "ResultRefused",
        "ResultReplayed",
        "ResultStored",
        "ShutdownStageEntered",
        "TaskCancelled",
        "TaskDefRegistered",
        "TaskDefRegistrationFailure",
        "TaskExecutionCompleted",
        "TaskExecutionFailure",
        "TaskExecutionStarted",
        "TaskHandedBack",
        "TaskReclaimed",
        "TaskRunnerEventsListener",
        "TaskUpdateFailure",
        "TokenRefreshFailure",
        "TokenRefreshed",
        "WorkerPaused",
        "WorkerResumed",
        "WorkerStarted",
        "WorkerStopped",
    ),
    "anyworker.fleet.discovery.discovery": ("WorkerLoader", "auto_discover_workers", "scan_for_workers"),
    "anyworker.fleet.handler": ("TaskHandler",),
    "anyworker.fleet.run": ("run",),
    "anyworker.fleet.serving": ("serving",),
    "anyworker.observe.collector": ("MetricsCollector", "PrometheusMetricsCollector"),
    "anyworker.observe.settings": ("MetricsSettings",),
    "anyworker.outbox_settings": ("OutboxSettings",),
    "anyworker.values.custom": ("register_type",),
    "anyworker.values.markers": ("FromLifespan", "WholeInput"),
    "anyworker.worker": ("Worker", "worker_task"),
}
__getattr__ = loader(globals(), _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
