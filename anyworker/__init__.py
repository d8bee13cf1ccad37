"""Structured-concurrency workers for Conductor, on asyncio and trio."""

from importlib import import_module
from typing import TYPE_CHECKING

from anyworker.conductor.models import Task, TaskDef, TaskExecLog, TaskResult
from anyworker.configuration import AuthenticationSettings, Configuration
from anyworker.context import TaskContext, TaskInProgress, get_task_context
from anyworker.errors import AnyworkerError, ConfigurationError, NonRetryableException
from anyworker.events import (
    PollCompleted,
    PollFailure,
    PollStarted,
    TaskExecutionCompleted,
    TaskExecutionFailure,
    TaskExecutionStarted,
    TaskRunnerEventsListener,
    TaskUpdateFailure,
)
from anyworker.worker import Worker, worker_task

if TYPE_CHECKING:
    from anyworker.fleet.run import run
    from anyworker.fleet.serving import serving

__version__ = "0.1.0"

__all__ = [
    "AnyworkerError",
    "AuthenticationSettings",
    "Configuration",
    "ConfigurationError",
    "NonRetryableException",
    "PollCompleted",
    "PollFailure",
    "PollStarted",
    "Task",
    "TaskContext",
    "TaskDef",
    "TaskExecLog",
    "TaskExecutionCompleted",
    "TaskExecutionFailure",
    "TaskExecutionStarted",
    "TaskInProgress",
    "TaskResult",
    "TaskRunnerEventsListener",
    "TaskUpdateFailure",
    "Worker",
    "get_task_context",
    "run",
    "serving",
    "worker_task",
]


# What runs workers brings the HTTP stack along; who only declares them need not wait for it.
_LOADED_WHEN_USED = {"run": "anyworker.fleet.run", "serving": "anyworker.fleet.serving"}


def __getattr__(name: str) -> object:
    if name in _LOADED_WHEN_USED:
        return getattr(import_module(_LOADED_WHEN_USED[name]), name)
    message = f"module {__name__!r} has no attribute {name!r}"
    raise AttributeError(message)
