"""Every metric there is: its name, its labels, what it means."""

from typing import Literal

import attrs

Kind = Literal["counter", "gauge", "distribution"]


@attrs.frozen
class Metric:
    """One metric.

    Its identity is its name.
    """

    name: str
    """As Prometheus shows it; a counter's ends in ``_total``."""
    kind: Kind = attrs.field(eq=False)
    help: str = attrs.field(eq=False)
    labels: tuple[str, ...] = attrs.field(default=(), eq=False)
    unit: Literal["seconds", "bytes"] = attrs.field(default="seconds", eq=False)
    histogram_name: str | None = attrs.field(default=None, eq=False)
    """The name that its histogram has, where that is another one."""


_TYPE = ("taskType",)
_WORKER = ("taskType", "domain")

POLL_TIME = Metric(
    "task_poll_time_seconds",
    "distribution",
    "Time from a poll to its answer, the server's own wait for a task included.",
    _TYPE,
)
EXECUTE_TIME = Metric(
    "task_execute_time_seconds",
    "distribution",
    "Time from the call of a function to its outcome. status is SUCCESS or FAILURE.",
    ("taskType", "status"),
)
RESULT_SIZE = Metric(
    "task_result_size_bytes", "distribution", "Length of a task's output as JSON.", _TYPE, unit="bytes"
)
REQUEST_TIME = Metric(
    "http_api_client_request",
    "distribution",
    "Time of a request to the server, by route and HTTP status; status is error where no answer came, "
    "cancelled where nobody waited for it.",
    ("method", "uri", "status"),
    histogram_name="http_api_client_request_seconds",
)
POLLS = Metric("task_poll_total", "counter", "Polls that were sent.", _TYPE)
EMPTY_POLLS = Metric("task_poll_empty_total", "counter", "Polls that brought no task.", _TYPE)
POLL_ERRORS = Metric(
    "task_poll_error_total", "counter", "Polls that failed, by exception class.", ("taskType", "exception")
)
EXECUTE_ERRORS = Metric(
    "task_execute_error_total",
    "counter",
    "Executions that failed, by exception class.",
    ("taskType", "exception"),
)
UPDATE_ERRORS = Metric(
    "task_update_error_total",
    "counter",
    "Results that could not be delivered, by exception class.",
    ("taskType", "exception"),
)
UPDATES = Metric(
    "task_update_attempts_total",
    "counter",
    "How often a result was sent: every attempt, those of the outbox not included.",
    _TYPE,
)
FAILED_UPDATES = Metric(
    "task_update_attempts_failed_total", "counter", "Attempts to send a result that failed.", _TYPE
)
CANCELS = Metric(
    "task_cancel_total",
    "counter",
    "Calls that were cancelled. reason is Terminated, TimedOut, LeaseLost, TimeoutExceeded or Draining.",
    ("taskType", "reason"),
)
HAND_BACKS = Metric(
    "task_hand_back_total",
    "counter",
    "Tasks that the server has back. reason is shutdown, surplus, death of a process, or asked (middleware).",
    ("taskType", "reason"),
)
LEASES = Metric(
    "task_lease_total",
    "counter",
    "Heartbeats of tasks that run long. outcome is extended, failed, or lost for the last word on a lease.",
    ("taskType", "outcome"),
)
STORED_RESULTS = Metric(
    "task_result_outbox_total",
    "counter",
    "Results that were not taken at once. outcome is stored in the outbox, replayed from there, or refused: "
    "nobody will ever take it.",
    ("taskType", "outcome"),
)
OUTBOX_DEPTH = Metric(
    "task_result_outbox_depth",
    "gauge",
    "Results that wait in the outbox. storage is memory, of all processes, or file.",
    ("storage",),
)
RESTARTS = Metric(
    "anyworker_process_restarts_total", "counter", "Processes that took the place of one that died."
)
LOOP_LAG = Metric(
    "anyworker_loop_lag_seconds",
    "distribution",
    "How much later than it should an event loop came to a timer, looked at every second.",
)
SLOTS = Metric("worker_slots", "gauge", "Tasks that a worker may have in hand at once.", _WORKER)
SLOTS_IN_USE = Metric("worker_slots_in_use", "gauge", "Slots that hold a task.", _WORKER)
IN_HAND = Metric(
    "worker_tasks_in_hand", "gauge", "Tasks that were polled and whose results are not delivered.", _WORKER
)
THREADS = Metric(
    "worker_threads",
    "gauge",
    "Threads in which functions run, those that were left behind included.",
    _WORKER,
)
BUILD = Metric("anyworker_build_info", "gauge", "The version that runs; always 1.", ("version", "python"))
