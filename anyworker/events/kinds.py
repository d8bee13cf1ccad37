"""What events have in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ParamSpec, TypedDict, TypeVar

from anyworker.conductor.models import Task

P = ParamSpec("P")
E = TypeVar("E", bound="TaskRunnerEvent")


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class TaskRunnerEvent:
    """What all events of a runner carry."""

    task_type: str
    timestamp: datetime = field(default_factory=_utc_now)
    """When it happened, in UTC."""


@dataclass(frozen=True, kw_only=True)
class TaskEvent(TaskRunnerEvent):
    """What all events about one task carry."""

    task_id: str
    worker_id: str
    workflow_instance_id: str


class TaskIdentity(TypedDict):
    """The fields by which all events about a task tell which one it is."""

    task_type: str
    task_id: str
    worker_id: str
    workflow_instance_id: str


def identity_of(task: Task, task_type: str, worker_id: str) -> TaskIdentity:
    """Return what events about a task have in common.

    Args:
        task: The task.
        task_type: Of the worker that has it, or had it.
        worker_id: Of the same.
    """
    return {
        "task_type": task_type,
        "task_id": task.task_id,
        "worker_id": worker_id,
        "workflow_instance_id": task.workflow_instance_id,
    }


def made(kind: Callable[P, E], *_: P.args, **fields: P.kwargs) -> E:
    """Return an event of a kind, as of now; its fields are given as to its class.

    For those that every task has: the class itself, frozen, takes three times as long.
    """
    event: E = object.__new__(kind)  # type: ignore[arg-type]  # a class, whose parameters are what matters
    fields["timestamp"] = datetime.now(UTC)
    object.__setattr__(event, "__dict__", fields)
    return event
