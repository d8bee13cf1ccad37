"""A worker and a task for it, made of what a test gives."""

from collections.abc import Mapping
from typing import Any, TypedDict, Unpack

import msgspec

from anyworker.conductor.encoding import encode
from anyworker.conductor.models import PolledTaskDef, Task, TaskStatus
from anyworker.errors import DeclarationError
from anyworker.registry import registered_workers
from anyworker.worker import Worker

_decode_task = msgspec.json.Decoder(Task).decode


class TaskFields(TypedDict, total=False):
    """Fields of the task beside its input; those left out are made up."""

    task_id: str
    workflow_instance_id: str
    workflow_type: str
    reference_task_name: str
    correlation_id: str | None
    domain: str | None
    output_data: dict[str, Any]
    """What earlier polls of this task reported."""
    reason_for_incompletion: str | None
    response_timeout_seconds: int
    seq: int
    iteration: int
    workflow_priority: int
    task_definition: PolledTaskDef


def worker_of(source: object) -> Worker:
    """Return the worker that something stands for; of a function without one, a worker is made.

    Args:
        source: A ``Worker``; a function, or an object with ``execute(task)``; a class that was decorated.

    Raises:
        DeclarationError: It is none of these, or stands for several workers.
    """
    if isinstance(source, Worker):
        return source
    declared = [worker for worker in registered_workers() if _is_declared_by(worker, source)]
    if len(declared) > 1:
        names = ", ".join(repr(worker.task_definition_name) for worker in declared)
        problem = f"{_name(source)} declares {len(declared)} workers, {names}: give the Worker that is meant"
        raise DeclarationError(problem)
    if declared:
        return declared[0]
    if isinstance(getattr(source, "task_definition_name", None), str):
        return Worker.of(source)
    return Worker(_name(source), source)


def _is_declared_by(worker: Worker, source: object) -> bool:
    function = worker.execute_function
    if isinstance(source, type):
        return worker.takes_task and type(getattr(function, "__self__", None)) is source
    return function is source


def _name(source: object) -> str:
    name = getattr(source, "__name__", None)
    return name if isinstance(name, str) else type(source).__name__


def task_for(
    worker: Worker,
    input: Mapping[str, Any] | Task | None,
    *,
    poll_count: int,
    retry_count: int,
    **fields: Unpack[TaskFields],
) -> Task:
    """Return a task as a poll would bring it: all its values have been JSON.

    Args:
        worker: Whose task it is.
        input: Its input, or a whole task, which then counts as it is.
        poll_count: How often it was handed out in this attempt, from 1.
        retry_count: The attempt, from 0.
        **fields: More of it.

    Raises:
        SerializationError: A value has no place in JSON.
        TypeError: The input is neither, or there are fields beside a whole task.
        ValueError: A count that no server sends.
    """
    if isinstance(input, Task):
        if fields or (poll_count, retry_count) != (1, 0):
            message = "input is a whole Task: set poll_count, retry_count and its other fields in it"
            raise TypeError(message)
        return _decode_task(encode(input))
    if input is not None and not isinstance(input, Mapping):
        message = f"input is a {type(input).__name__}: expected a dict or a Task"
        raise TypeError(message)
    if poll_count < 1 or retry_count < 0:
        message = f"poll_count={poll_count}, retry_count={retry_count}: polls count from 1, retries from 0"
        raise ValueError(message)
    name = worker.task_definition_name
    made_up: dict[str, Any] = {
        "task_id": "test-task",
        "workflow_instance_id": "test-workflow",
        "workflow_type": "test",
        "reference_task_name": name,
        "response_timeout_seconds": 3600,
        "seq": 1,
        "task_definition": PolledTaskDef(name=name),
    }
    task = Task(
        task_type=name,
        task_def_name=name,
        status=TaskStatus.IN_PROGRESS,
        input_data=dict(input or {}),
        poll_count=poll_count,
        retry_count=retry_count,
        **{**made_up, **fields},
    )
    return _decode_task(encode(task))
