"""Searches over tasks: ``taskType=greet AND status IN (SCHEDULED,IN_PROGRESS)``."""

import datetime
import re
from collections.abc import Callable, Iterable
from typing import Any

from anyworker.devserver.expressions import as_text
from anyworker.devserver.records import TaskRecord
from anyworker.devserver.views import queue_wait

_AND = re.compile(r"\s+AND\s+")
_CONDITION = re.compile(r"(?P<field>\w+)\s*(?:=\s*(?P<one>.*)|IN\s*\((?P<many>[^)]*)\))")

_FIELDS: dict[str, Callable[[TaskRecord], str | None]] = {
    "taskType": lambda task: task.task_type,
    "taskDefName": lambda task: task.step.name,
    "status": lambda task: task.status,
    "taskId": lambda task: task.task_id,
    "workflowId": lambda task: task.workflow.workflow_id,
    "workflowType": lambda task: task.workflow.plan.name,
}


def find(tasks: Iterable[TaskRecord], query: str, free_text: str) -> list[TaskRecord]:
    """Return the tasks that fit a query, the newest first.

    The server indexes a task when it is handed out or ends: one that only waits is not found.

    Args:
        tasks: The oldest first.
        query: Conditions joined with AND; on a field that is not known they are ignored, as the server does.
        free_text: ``*`` for any; else a word to be found in one of the fields.
    """
    conditions = [condition for part in _AND.split(query.strip()) if (condition := _condition(part))]
    found = [
        task
        for task in tasks
        if (task.poll_count > 0 or task.is_terminal)
        and all(_FIELDS[field](task) in values for field, values in conditions)
        and (free_text in {"", "*"} or any(free_text == read(task) for read in _FIELDS.values()))
    ]
    found.reverse()
    return found


def _condition(text: str) -> tuple[str, frozenset[str]] | None:
    found = _CONDITION.fullmatch(text.strip())
    if found is None or found["field"] not in _FIELDS:
        return None
    values = [found["one"]] if found["many"] is None else found["many"].split(",")
    return found["field"], frozenset(value.strip().strip("'\"") for value in values)


def summary(task: TaskRecord, now: int) -> dict[str, Any]:
    """Return a task as ``/tasks/search`` shows it."""
    wire: dict[str, Any] = {
        "workflowId": task.workflow.workflow_id,
        "workflowType": task.workflow.plan.name,
    }
    if task.workflow.correlation_id is not None:
        wire["correlationId"] = task.workflow.correlation_id
    wire["scheduledTime"] = iso(task.scheduled)
    wire["startTime"] = iso(task.started)
    wire["updateTime"] = iso(task.updated)
    wire["endTime"] = iso(task.ended)
    wire["status"] = task.status
    if task.reason is not None:
        wire["reasonForIncompletion"] = task.reason
    wire["executionTime"] = task.ended - task.started if task.ended else 0
    wire["queueWaitTime"] = queue_wait(task, now)
    wire["taskDefName"] = task.step.name
    wire["taskType"] = task.task_type
    wire["input"] = as_text({} if task.external_input else task.input)
    wire["output"] = as_text({} if task.external_output else task.output)
    wire["taskId"] = task.task_id
    wire["workflowPriority"] = task.workflow.priority
    if task.domain is not None:
        wire["domain"] = task.domain
    return wire


def iso(millis: int) -> str:
    """Return a moment as searches show it."""
    moment = datetime.datetime.fromtimestamp(millis // 1000, datetime.UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{millis % 1000:03d}Z"
