"""What a function can ask and say about the task it runs for."""

import logging
import threading
from collections.abc import Mapping
from contextvars import Context, ContextVar
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import attrs

from anyworker.conductor.models import Task, TaskExecLog
from anyworker.errors import CallCancelled, NoTaskContextError
from anyworker.policy.cancellation import CancelReason, TimeoutExceeded
from anyworker.policy.outcome import Draft

if TYPE_CHECKING:
    import anyio

LONGEST_CALLBACK = 10 * 365 * 24 * 3600
"""Seconds; the server loses tasks whose time to come back lies past the year 9999."""

_NO_RESOURCES: Mapping[str, Any] = MappingProxyType({})

_current: ContextVar["TaskContext | None"] = ContextVar("anyworker_task_context", default=None)


def now_ms() -> int:
    """Return the wall clock in epoch milliseconds, as the server stamps logs."""
    return int(datetime.now(UTC).timestamp() * 1000)


def callback_seconds(value: float) -> int:
    """Return a time to come back in whole seconds.

    Raises:
        ValueError: It is negative, which the server would never deliver, or longer than ten years.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        message = f"callback_after_seconds={value!r}: expected a number of seconds"
        raise TypeError(message)
    if not 0 <= value <= LONGEST_CALLBACK:
        message = f"callback_after_seconds={value!r}: expected seconds from 0 to {LONGEST_CALLBACK}"
        raise ValueError(message)
    return int(value)


def _dict_or_empty(value: dict[str, Any] | None) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, dict):
        return value
    message = f"the output of TaskInProgress is a dict, got {type(value).__name__}"
    raise TypeError(message)


@attrs.frozen
class TaskInProgress:
    """Returned by a function that is not done: the server hands the task out again later.

    Example::

        return TaskInProgress(callback_after_seconds=30, output={"progress": 40})
    """

    callback_after_seconds: int = attrs.field(default=60, converter=callback_seconds)
    """Seconds until the task is handed out again; 0 for at once."""
    output: dict[str, Any] = attrs.field(default=None, converter=_dict_or_empty)
    """Kept as the task's output until the next update."""


@attrs.frozen(eq=False)
class TimeLimit:
    """The worker's ``timeout`` around one call."""

    seconds: float
    scope: "anyio.CancelScope"
    thread_id: int = attrs.field(factory=threading.get_ident)
    """The event loop's thread, the only one that may ask the scope."""

    def is_over(self) -> bool:
        """Return whether it has cancelled the call; False to threads that cannot know."""
        return threading.get_ident() == self.thread_id and self.scope.cancel_called


class TaskContext:
    """The task that runs, for its function and for whatever it calls."""

    def __init__(
        self,
        draft: Draft,
        limit: TimeLimit | None = None,
        resources: Mapping[str, Any] = _NO_RESOURCES,
        log_level: int | None = None,
    ) -> None:
        self._draft = draft
        self.log_level = log_level
        """From which level on what the function logs is added to the task's log; None for nothing."""
        self.resources = resources
        """What the process's lifespan yielded, by name."""
        self._limit = limit
        self._entered = datetime.now(UTC)
        self._callback_after: int | None = None

    @property
    def task(self) -> Task:
        """The whole task as polled."""
        return self._draft.task

    @property
    def input(self) -> dict[str, Any]:
        """The task's input."""
        return self._draft.task.input_data

    @property
    def domain(self) -> str | None:
        """The domain that the task was polled from; None for the plain queue."""
        return self._draft.task.domain

    @property
    def workflow_name(self) -> str:
        """The name of the workflow that the task belongs to."""
        return self._draft.task.workflow_type

    @property
    def correlation_id(self) -> str | None:
        """The id that whoever started the workflow gave it."""
        return self._draft.task.correlation_id

    @property
    def idempotency_key(self) -> str:
        """What names this step of this workflow run: the same over retries, hand-backs and call-backs.

        Give it to services that do a thing once for each key, so that a step that runs twice acts once.
        A workflow that is restarted or rerun has the same keys again: nothing that comes with a task tells
        its new attempts from retries.
        """
        task = self._draft.task
        return f"{task.workflow_instance_id}:{task.reference_task_name or task.task_def_name}"

    @property
    def deadline(self) -> datetime | None:
        """When the result will no longer count, in UTC; None if it always will.

        The first of: the worker's ``timeout``, the task's ``timeoutSeconds`` since its first poll, and its
        ``responseTimeoutSeconds``.
        """
        task, limits = self._draft.task, []
        if self._limit is not None:
            limits.append(self._limit.seconds)
        if task.task_definition is not None and task.task_definition.timeout_seconds > 0:
            used = (task.update_time - task.start_time) / 1000  # both by the server's clock
            limits.append(task.task_definition.timeout_seconds - max(used, 0.0))
        if task.response_timeout_seconds > 0:
            limits.append(task.response_timeout_seconds)
        return self._entered + timedelta(seconds=min(limits)) if limits else None

    @property
    def cancelled(self) -> bool:
        """Whether this call is cancelled; `cancel_reason` tells why."""
        return self.cancel_reason is not None

    def get_task_id(self) -> str:
        """Return the task's id: new for each attempt, the same over call-backs."""
        return self._draft.task.task_id

    def get_workflow_instance_id(self) -> str:
        """Return the id of the workflow run that the task belongs to."""
        return self._draft.task.workflow_instance_id

    def get_task_def_name(self) -> str:
        """Return the name of the task's definition, which is its type."""
        return self._draft.task.task_def_name

    def get_retry_count(self) -> int:
        """Return the attempt, from 0."""
        return self._draft.task.retry_count

    def get_poll_count(self) -> int:
        """Return how often the function was called in this attempt, this call included: from 1.

        Polls whose task was handed back without a call do not count, so it serves as a checkpoint.
        """
        return self._draft.calls

    def get_input(self) -> dict[str, Any]:
        """Return the task's input."""
        return self.input

    def get_callback_after_seconds(self) -> int:
        """Return what `set_callback_after` set, 0 if nothing."""
        return self._callback_after or 0

    @property
    def callback_after(self) -> int | None:
        """What `set_callback_after` set, None if it was not called."""
        return self._callback_after

    def set_callback_after(self, seconds: float) -> None:
        """Ask to be called again: a value, or a TaskResult without status, is progress then, not the end.

        Raises:
            ValueError: The time is negative or longer than ten years.
        """
        self._callback_after = callback_seconds(seconds)

    def set_output(self, output_data: dict[str, Any]) -> None:
        """Set the task's output; keys that the function returns go over it. Sent with failures, too.

        Raises:
            TypeError: It is not a dict.
        """
        if not isinstance(output_data, dict):
            message = f"set_output takes a dict, got {type(output_data).__name__}"
            raise TypeError(message)
        self._draft.output = dict(output_data)

    @property
    def has_output(self) -> bool:
        """Whether `set_output` set anything."""
        return bool(self._draft.output)

    @property
    def cancel_reason(self) -> CancelReason | None:
        """Why this call is cancelled, None as long as it is not.

        A coroutine function may ask while it cleans up. A plain function is not interrupted: one that runs
        long may ask now and then, and return.
        """
        reason = self._draft.cancel_reason
        if reason is None and self._limit is not None and self._limit.is_over():
            return TimeoutExceeded(self._limit.seconds)
        return reason

    def add_log(self, message: object, level: int | str | None = None) -> None:
        """Add a line to the task's log on the server. It is sent with the result.

        Args:
            message: Any object, as its text.
            level: One of `logging`'s, by number or name, to stand before the message.
        """
        name = logging.getLevelName(level) if isinstance(level, int) else level
        text = str(message) if name is None else f"{name.upper()}: {message}"
        line = TaskExecLog(log=text, task_id=self._draft.task.task_id, created_time=now_ms())
        self._draft.logs.append(line)


def get_task_context() -> TaskContext:
    """Return the context of the task that runs here: in its coroutine, its thread, or what they call.

    Raises:
        NoTaskContextError: No task runs here.
    """
    context = _current.get()
    if context is None:
        raise NoTaskContextError
    return context


def check_cancelled() -> None:
    """Raise if the call that runs here is cancelled, so that a plain function need not look for itself.

    A thread cannot be interrupted: one that runs long ends sooner if it calls this now and then. At a
    shutdown it has a second to do so, in which its task can still be handed back.

    Raises:
        CallCancelled: It is, with the reason.
        NoTaskContextError: No task runs here.
    """
    if (reason := get_task_context().cancel_reason) is not None:
        raise CallCancelled(reason)


def current_task_context() -> TaskContext | None:
    """Return the context of the task that runs here, None if none does."""
    return _current.get()


def task_in(context: Context) -> Task | None:
    """Return the task of the call that another context is for, None if it is for none."""
    found = context.get(_current)
    return None if found is None else found.task


def enter(
    draft: Draft,
    limit: TimeLimit | None = None,
    resources: Mapping[str, Any] = _NO_RESOURCES,
    log_level: int | None = None,
) -> TaskContext:
    """Make this task the current one of the running task of the event loop and of threads it starts."""
    context = TaskContext(draft, limit, resources, log_level)
    _current.set(context)
    return context
