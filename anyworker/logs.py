"""Log lines that say which task they belong to.

The library logs under ``anyworker`` and installs no handler; ``anyworker run`` does. A program of its own
adds the fields to its lines by a filter of its handler::

    handler = logging.StreamHandler()
    handler.addFilter(TaskFields())
    handler.setFormatter(logging.Formatter("%(levelname)s %(task_type)s %(task_id)s %(message)s"))

or takes `JsonFormatter`, which needs no filter. The fields of a record are ``task_id``, ``workflow_id``,
``task_type`` and ``attempt``, the retry count from 0. No line of the library holds a task's input or output.
"""

import json
import logging
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from anyworker.conductor.models import Task, TaskResult
from anyworker.context import current_task_context

FIELDS = ("task_id", "workflow_id", "task_type", "attempt")

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}
_TELLS_SECRETS = ("hpack", "httpcore")
"""Loggers of HTTP libraries that write headers at DEBUG."""


def fields_of(task: Task) -> dict[str, object]:
    """Return the fields of a line about a task, as ``extra``."""
    return {
        "task_id": task.task_id,
        "workflow_id": task.workflow_instance_id,
        "task_type": task.task_type,
        "attempt": task.retry_count,
    }


def fields_of_result(result: TaskResult, task_type: str, attempt: int | None) -> dict[str, object]:
    """Return the fields of a line about a result, as ``extra``."""
    return {
        "task_id": result.task_id,
        "workflow_id": result.workflow_instance_id,
        "task_type": task_type,
        "attempt": attempt,
    }


def _found(record: logging.LogRecord) -> Mapping[str, object]:
    """Return a record's own fields, and those of the task that runs here unless it names another."""
    own = {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
    if len(own) == len(FIELDS) or (context := current_task_context()) is None:
        return own
    about = fields_of(context.task)
    return {**about, **own} if own.get("task_id", about["task_id"]) == about["task_id"] else own


class TaskFields(logging.Filter):
    """Give every record the fields of the task that it belongs to; let all of them pass.

    Add it to a handler, not to a logger, so that records of all loggers come by. A task's records are those
    that its function logs, in its coroutine or thread, and those of the library about it.

    Args:
        missing: What the fields are outside of tasks.
    """

    def __init__(self, missing: object = "-") -> None:
        super().__init__()
        self.missing = missing

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the fields that are not there."""
        found = _found(record)
        for name in FIELDS:
            setattr(record, name, found.get(name, self.missing))
        return True


class ConsoleFormatter(logging.Formatter):
    """Lines for people: those that a function logs end with its task's type and id."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-8s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - `logging` calls it so
        """Return the line, without traceback."""
        line = super().formatMessage(record)
        if hasattr(record, "task_id") or (context := current_task_context()) is None:
            return line
        return f"{line} [{context.task.task_type} {context.task.task_id}]"


class JsonFormatter(logging.Formatter):
    """One JSON object a line.

    Always there: ``time`` (UTC), ``level``, ``logger``, ``message``, ``process`` (its id) and the fields of
    the task, null outside of tasks. ``exception`` and ``stack`` where there are such; what a line was given
    as ``extra`` under its names.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        found = _found(record)
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{name: _plain(found.get(name)) for name in FIELDS},
            "process": record.process,
        }
        if record.exc_info:
            line["exception"] = record.exc_text or self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        for name, value in vars(record).items():
            if name not in _STANDARD and name not in line:
                line[name] = _plain(value)
        return json.dumps(line)


def _plain(value: Any) -> object:
    """Return a value that JSON has, which may be its text."""
    if value is None or isinstance(value, str | bool | int):
        return value
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return str(value)
    return value


def log_to_stderr(level: int, formatter: logging.Formatter) -> None:
    """Set up the root logger of a process that is ours."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    logging.basicConfig(level=level, handlers=[handler])
    for name in _TELLS_SECRETS:
        logging.getLogger(name).setLevel(logging.INFO)
