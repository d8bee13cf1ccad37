"""Traces by OpenTelemetry: a span for each execution, for whatever exporter the program has set up.

::

    run(middleware=[OpenTelemetryMiddleware()])

Where processes are used, each sets up its exporter itself: in a module with workers, or in the lifespan.
"""

from typing import Any

import msgspec

from anyworker import __version__
from anyworker.conductor.models import Task
from anyworker.context import get_task_context
from anyworker.policy.outcome import Completed, Failed, InProgress, Outcome, Returned, Terminal
from anyworker.runner.calling.wrapping import CallNext

try:
    from opentelemetry import trace
    from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ModuleNotFoundError as error:
    message = "anyworker.observe.otel needs OpenTelemetry: pip install 'anyworker[otel]'"
    raise ModuleNotFoundError(message, name=error.name) from error

_CARRIED = ("traceparent", "tracestate")
_propagator = TraceContextTextMapPropagator()


class OpenTelemetryMiddleware:
    """Middleware that makes a span for each execution, current in the function, in its thread, too.

    The span is named ``process TASK_TYPE``, of kind CONSUMER, with OpenTelemetry's attributes for messaging:
    the task type is the destination, the task the message, the workflow the conversation. What fails the task
    is recorded as exception and ``error.type``; its input and output are not.

    Where the task's input has a ``traceparent`` (with ``tracestate``, if it likes), as the W3C defines them,
    that is the span's parent, and the function finds the span's own there, to send on. An input without is
    left alone.

    Args:
        tracer_provider: Makes the spans; by default the process's global one.
    """

    def __init__(self, tracer_provider: TracerProvider | None = None) -> None:
        self._provider = tracer_provider
        self._tracer = trace.get_tracer("anyworker", __version__, tracer_provider)

    def __reduce__(self) -> tuple[Any, ...]:
        """Leave the tracer behind: another process has its own."""
        return type(self), (self._provider,)

    async def __call__(self, call_next: CallNext, task: Task) -> Outcome:
        """Execute a task inside of a span."""
        carrier = {name: value for name in _CARRIED if isinstance(value := task.input_data.get(name), str)}
        span = self._tracer.start_span(
            f"process {task.task_type or task.task_def_name}",
            context=_propagator.extract(carrier),
            kind=SpanKind.CONSUMER,
            attributes=_attributes(task),
        )
        # What fails is an outcome; only a cancellation is raised, which is no error of the span's.
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                outcome = await call_next(_sent_on(task))
            finally:
                if (reason := get_task_context().cancel_reason) is not None:
                    span.set_attribute("conductor.task.cancel_reason", type(reason).__name__)
            _tell(span, outcome)
            return outcome


def _attributes(task: Task) -> dict[str, str | int]:
    attributes: dict[str, str | int | None] = {
        "messaging.system": "conductor",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": task.task_type or task.task_def_name,
        "messaging.message.id": task.task_id,
        "messaging.message.conversation_id": task.workflow_instance_id,
        "messaging.client.id": task.worker_id,
        "conductor.workflow.name": task.workflow_type,
        "conductor.workflow.correlation_id": task.correlation_id,
        "conductor.task.reference_name": task.reference_task_name,
        "conductor.task.domain": task.domain,
        "conductor.task.retry_count": task.retry_count,
        "conductor.task.poll_count": task.poll_count,
    }
    return {name: value for name, value in attributes.items() if value not in {None, ""}}


def _sent_on(task: Task) -> Task:
    """Return the task with the current span in its input, where that has a place for it."""
    if "traceparent" not in task.input_data:
        return task
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    # A copy: whoever tries the task again begins from what was there.
    return msgspec.structs.replace(task, input_data={**task.input_data, **carrier}) if carrier else task


def _tell(span: Span, outcome: Outcome) -> None:
    """Let a span say how its task went."""
    match outcome:
        case Completed():
            span.set_attribute("conductor.task.status", "COMPLETED")
        case InProgress():
            span.set_attribute("conductor.task.status", "IN_PROGRESS")
        case Failed(reason, cause) | Terminal(reason, cause):
            status = "FAILED" if isinstance(outcome, Failed) else "FAILED_WITH_TERMINAL_ERROR"
            span.record_exception(cause)
            _fail(span, status, reason, _name(type(cause)))
        case Returned(result):
            status = str(result.status)
            if status in {"COMPLETED", "IN_PROGRESS"}:
                span.set_attribute("conductor.task.status", status)
            else:
                _fail(span, status, result.reason_for_incompletion, status)
        case _:
            pass


def _fail(span: Span, status: str, reason: str | None, error_type: str) -> None:
    span.set_attributes({"conductor.task.status": status, "error.type": error_type})
    span.set_status(Status(StatusCode.ERROR, reason))


def _name(kind: type[BaseException]) -> str:
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
