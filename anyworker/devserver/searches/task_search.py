"""Searches over tasks."""

import datetime
from typing import Any

from anyworker.devserver.records.records import TaskRecord
from anyworker.devserver.records.views import queue_wait
from anyworker.devserver.searches.indexes import Index
from anyworker.devserver.wire.java import as_text
from anyworker.devserver.wire.jsontext import encode


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


TASKS: Index[TaskRecord] = Index(
    {
        "task_id": lambda task: task.task_id,
        "task_type": lambda task: task.task_type,
        "task_def_name": lambda task: task.step.name,
        "status": lambda task: task.status,
        "start_time": lambda task: task.started,
        "update_time": lambda task: task.updated,
        "end_time": lambda task: task.ended,
        "workflow_type": lambda task: task.workflow.plan.name,
    },
    lambda task: encode(summary(task, task.updated)).decode(),
)
"""How the server indexes tasks."""
