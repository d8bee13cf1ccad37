"""Traces: a span for each task, below the one that started the workflow.

    python examples/tracing.py

It needs ``pip install 'anyworker[otel]' opentelemetry-sdk``; the exporter here prints, yours sends. With
``trio`` behind it, it runs on trio.
"""

import sys

import anyio
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult

from anyworker import worker_task
from anyworker.observe.otel import OpenTelemetryMiddleware
from anyworker.testing import Conductor


class Printing(SpanExporter):
    """Prints names and parents; the SDK's ConsoleSpanExporter prints all of it."""

    def export(self, spans: "list[ReadableSpan]") -> SpanExportResult:  # type: ignore[override] # a sequence
        """Print spans as they end."""
        for span in spans:
            print(f"{span.name}{' in a trace' if span.parent else ''}")
        return SpanExportResult.SUCCESS


@worker_task("charge")
async def charge(cents: int) -> int:
    """Charge, with a span of its own inside of the task's."""
    with trace.get_tracer(__name__).start_as_current_span("ask the bank"):
        await anyio.sleep(0.01)
    return cents


async def main() -> None:
    """Run one task on a server in this process; yours says ``run(middleware=[...])`` with the same."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(Printing()))
    trace.set_tracer_provider(provider)
    conductor = Conductor()
    async with conductor.workers(charge, middleware=[OpenTelemetryMiddleware()]):
        await conductor.run_async(charge, {"cents": 500}, workers=[])


if __name__ == "__main__":
    anyio.run(main, backend="trio" if "trio" in sys.argv[1:] else "asyncio")
