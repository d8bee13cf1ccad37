"""A span for each execution, as any exporter of OpenTelemetry gets it."""

import pickle
import subprocess
import sys
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from anyworker import NonRetryableException, Task, TaskInProgress, TaskResult, worker_task
from anyworker.middleware import CallNext, Outcome
from anyworker.observe.otel import OpenTelemetryMiddleware
from anyworker.testing import TaskRun, run_task
from anyworker.testing.clock import BackendName

TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"

on_each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@attrs.frozen
class Traces:
    """What middleware traces by, and what comes of it."""

    exporter: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    provider: TracerProvider = attrs.field(factory=lambda: TracerProvider(shutdown_on_exit=False))

    @property
    def middleware(self) -> list[OpenTelemetryMiddleware]:
        return [OpenTelemetryMiddleware(self.provider)]

    def only(self) -> ReadableSpan:
        [span] = self.exporter.get_finished_spans()
        return span


@pytest.fixture
def traces() -> Traces:
    found = Traces()
    found.provider.add_span_processor(SimpleSpanProcessor(found.exporter))
    return found


def current() -> str:
    """Return the id of the span that is current where this is called."""
    return f"{trace.get_current_span().get_span_context().span_id:016x}"


def greet(name: str) -> str:
    return current()


async def greet_later(name: str) -> str:
    await anyio.lowlevel.checkpoint()
    return current()


def pass_on(traceparent: str) -> str:
    return traceparent


each_kind = pytest.mark.parametrize("function", [greet, greet_later])


def span_id(span: ReadableSpan) -> str:
    return f"{span.get_span_context().span_id:016x}"  # type: ignore[union-attr]  # it has one


@on_each_backend
@each_kind
def test_span_is_current_in_the_function_and_nowhere_after(
    function: Any, backend: BackendName, traces: Traces
) -> None:
    outcome = run_task(function, {"name": "Ada"}, middleware=traces.middleware, backend=backend)
    assert outcome.output == {"result": span_id(traces.only())}
    assert not trace.get_current_span().get_span_context().is_valid


def test_span_describes_the_task_as_a_message(traces: Traces) -> None:
    worker = worker_task("greet")(greet)
    fields = {"domain": "eu", "retry_count": 2, "correlation_id": "order-7"}
    task = run_task(worker, {"name": "Ada"}, middleware=traces.middleware, **fields).task
    span = traces.only()
    assert (span.name, span.kind) == ("process greet", SpanKind.CONSUMER)
    attributes = dict(span.attributes or {})
    assert attributes["messaging.system"] == "conductor"
    assert attributes["messaging.operation.name"] == "process"
    assert attributes["messaging.operation.type"] == "process"
    assert attributes["messaging.destination.name"] == "greet"
    assert attributes["messaging.message.id"] == task.task_id
    assert attributes["messaging.message.conversation_id"] == task.workflow_instance_id
    assert attributes["conductor.task.domain"] == "eu"
    assert attributes["conductor.task.retry_count"] == 2
    assert attributes["conductor.workflow.correlation_id"] == "order-7"
    assert attributes["conductor.task.status"] == "COMPLETED"
    assert span.status.status_code is StatusCode.UNSET
    assert "Ada" not in span.to_json()


@on_each_backend
@each_kind
def test_traceparent_of_the_input_is_the_parent(function: Any, backend: BackendName, traces: Traces) -> None:
    given = {"name": "Ada", "traceparent": PARENT, "tracestate": "vendor=1"}
    run_task(function, given, middleware=traces.middleware, backend=backend)
    span = traces.only()
    assert span.parent is not None
    assert (f"{span.parent.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, "b7ad6b7169203331")
    assert span.parent.trace_state["vendor"] == "1"


def test_function_finds_its_span_in_the_input_to_send_it_on(traces: Traces) -> None:
    outcome = run_task(pass_on, {"traceparent": PARENT}, middleware=traces.middleware)
    assert outcome.output == {"result": f"00-{TRACE}-{span_id(traces.only())}-01"}


def test_input_without_traceparent_is_left_alone(traces: Traces) -> None:
    def whole(task: Task) -> list[str]:
        return sorted(task.input_data)

    assert run_task(whole, {"name": "Ada"}, middleware=traces.middleware).output == {"result": ["name"]}
    assert traces.only().parent is None


@pytest.mark.parametrize("bad", ["", "00-nothing", 7, None, {"a": 1}])
def test_traceparent_that_is_none_begins_a_trace(bad: object, traces: Traces) -> None:
    outcome = run_task(greet, {"name": "Ada", "traceparent": bad}, middleware=traces.middleware)
    assert outcome.status == "COMPLETED"
    assert traces.only().parent is None


class Refused(Exception):
    """An error of the user's."""


@on_each_backend
@pytest.mark.parametrize("kind", ["def", "async def"])
def test_errors_are_recorded(kind: str, backend: BackendName, traces: Traces) -> None:
    def refuse() -> None:
        raise Refused("no")

    async def refuse_later() -> None:
        raise Refused("no")

    function = refuse if kind == "def" else refuse_later
    assert run_task(function, middleware=traces.middleware, backend=backend).status == "FAILED"
    span = traces.only()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "Refused: no")
    assert span.attributes is not None
    assert span.attributes["error.type"] == f"{__name__}.Refused"
    [event] = span.events
    assert event.attributes is not None
    assert (event.name, event.attributes["exception.message"]) == ("exception", "no")
    assert "raise Refused" in str(event.attributes["exception.stacktrace"])


def final() -> None:
    raise NonRetryableException("never")


def reported() -> TaskResult:
    return TaskResult(status="FAILED", reason_for_incompletion="closed")


def unfit(name: int) -> None:
    """Is given something else."""


@pytest.mark.parametrize(
    ("function", "error", "description"),
    [
        (final, "anyworker.errors.NonRetryableException", "never"),
        (reported, "FAILED", "closed"),
        (unfit, "anyworker.errors.ConversionError", None),
    ],
)
def test_each_way_to_fail_is_an_error(
    function: Any, error: str, description: str | None, traces: Traces
) -> None:
    run_task(function, {"name": "Ada"}, middleware=traces.middleware)
    span = traces.only()
    assert span.status.status_code is StatusCode.ERROR
    assert description in {None, span.status.description}
    assert span.attributes is not None
    assert span.attributes["error.type"] == error


def test_timeout_is_an_error(traces: Traces) -> None:
    @worker_task("endless", timeout=2.0)
    async def endless() -> None:
        await anyio.sleep_forever()

    run_task(endless, middleware=traces.middleware, virtual_time=True)
    span = traces.only()
    assert span.attributes is not None
    assert span.attributes["error.type"] == "anyworker.errors.ExecutionTimeout"


@pytest.mark.parametrize("value", [TaskInProgress(5), TaskResult(status="IN_PROGRESS")])
def test_progress_is_no_error(value: object, traces: Traces) -> None:
    run_task(lambda: value, middleware=traces.middleware)
    span = traces.only()
    assert span.attributes is not None
    assert span.attributes["conductor.task.status"] == "IN_PROGRESS"
    assert span.status.status_code is StatusCode.UNSET


@pytest.mark.virtual_time
async def test_span_of_a_cancelled_function_ends_with_the_reason(traces: Traces) -> None:
    async def endless() -> None:
        await anyio.sleep_forever()

    async with TaskRun(endless, middleware=traces.middleware) as run:
        await anyio.sleep(1)
        run.drain()
    assert run.outcome.is_handed_back
    span = traces.only()
    assert span.attributes is not None
    assert span.attributes["conductor.task.cancel_reason"] == "Draining"
    assert span.status.status_code is StatusCode.UNSET


def test_attempts_of_one_execution_are_siblings(traces: Traces) -> None:
    attempts = []

    async def again(call_next: CallNext, task: Task) -> Outcome:
        await call_next(task)
        return await call_next(task)

    def fail_once(traceparent: str) -> None:
        attempts.append(traceparent)
        if len(attempts) == 1:
            raise Refused

    middleware = [again, *traces.middleware]
    assert run_task(fail_once, {"traceparent": PARENT}, middleware=middleware).status == "COMPLETED"
    spans = traces.exporter.get_finished_spans()
    assert [span.parent and f"{span.parent.span_id:016x}" for span in spans] == ["b7ad6b7169203331"] * 2


def test_spans_of_the_function_are_children_across_threads(traces: Traces) -> None:
    def work() -> None:
        with traces.provider.get_tracer("app").start_as_current_span("query"):
            pass

    run_task(work, middleware=traces.middleware)
    inner, outer = traces.exporter.get_finished_spans()
    assert (inner.name, inner.parent) == ("query", outer.get_span_context())


def test_errors_of_middleware_inside_are_recorded(traces: Traces) -> None:
    async def failing(call_next: CallNext, task: Task) -> Outcome:
        raise Refused("early")

    outcome = run_task(greet, {"name": "Ada"}, middleware=[*traces.middleware, failing])
    assert isinstance(outcome.exception, Refused)
    assert traces.only().status.description == "Refused: early"


def test_without_a_provider_nothing_changes() -> None:
    outcome = run_task(pass_on, {"traceparent": PARENT}, middleware=[OpenTelemetryMiddleware()])
    assert outcome.output == {"result": PARENT}


def test_it_reaches_other_processes() -> None:
    restored = pickle.loads(pickle.dumps(OpenTelemetryMiddleware()))
    assert run_task(greet, {"name": "Ada"}, middleware=[restored]).status == "COMPLETED"


def test_extra_that_is_missing_is_named() -> None:
    code = "import sys; sys.modules['opentelemetry'] = None; import anyworker.observe.otel"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "anyworker.observe.otel needs OpenTelemetry: pip install 'anyworker[otel]'" in done.stderr
