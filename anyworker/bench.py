"""Measure a server together with a worker beside it: how fast tasks go through, and how long they wait."""

import contextlib
import statistics
import uuid
from collections.abc import AsyncIterator, Callable, Mapping, Sequence

import anyio
import attrs

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.models import TaskDef, Workflow, WorkflowDef, WorkflowTask
from anyworker.configuration import Configuration
from anyworker.fleet.serving import serving
from anyworker.worker import Worker

STEPS = 6
"""Tasks of a chain."""
CHAINS_AT_ONCE = 5
STARTS_AT_ONCE = 10
PAUSE = 0.2
"""Seconds between single tasks, so that each finds the worker idle."""


@attrs.frozen
class Spread:
    """Milliseconds of many measurements."""

    p50: float
    p95: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return that of at least two values."""
        return cls(statistics.median(values), statistics.quantiles(values, n=20, method="inclusive")[-1])


@attrs.frozen
class Figures:
    """What was measured. Times of tasks are by the server's clock."""

    tasks: int
    """How many were run."""
    round_trip_ms: Spread
    """Of a request that the server answers at once."""
    pickup_ms: Spread
    """From the scheduling of a task to its start, the worker being idle."""
    next_step_ms: Spread
    """From the end of a task to the start of the next one of its workflow."""
    tasks_per_second: float
    """Of a backlog, from its first task's start to its last one's end."""


async def measure(
    configuration: Configuration,
    *,
    tasks: int = 200,
    thread_count: int = 50,
    told: Callable[[int], None] = lambda _: None,
) -> Figures:
    """Measure, with definitions of names that nobody else has and that are removed in the end.

    Args:
        configuration: Which server.
        tasks: How many of the backlog; a tenth as many, at least ten, are sent one by one.
        thread_count: Of the worker.
        told: Hears of each number of tasks that have ended.

    Raises:
        ConductorError: The server cannot be asked, or refuses.
    """
    name = f"anyworker-bench-{uuid.uuid4().hex[:12]}"
    worker = Worker(name, _nothing, thread_count=thread_count)
    async with ConductorClient(configuration) as client, _defined(client, name):
        round_trips = [await _round_trip(client, name) for _ in range(20)]
        async with serving(worker, configuration=configuration):
            singles = list[Workflow]()
            for _ in range(max(tasks // 10, 10)):
                await anyio.sleep(PAUSE)
                singles += await _played(client, f"{name}-one", 1, told)
            chains = list[Workflow]()
            for _ in range(max(tasks // (10 * CHAINS_AT_ONCE), 2)):
                chains += await _played(client, f"{name}-chain", CHAINS_AT_ONCE, told)
        backlog = await _started(client, f"{name}-one", tasks)
        async with serving(worker, configuration=configuration):
            flows = await _ended(client, backlog, told)
    seconds = (max(flow.tasks[0].end_time for flow in flows) - min(_began(flow) for flow in flows)) / 1000
    return Figures(
        tasks=len(singles) + len(chains) * STEPS + len(flows),
        round_trip_ms=Spread.of(round_trips),
        pickup_ms=Spread.of([_began(flow) - flow.tasks[0].scheduled_time for flow in singles]),
        next_step_ms=Spread.of([gap for flow in chains for gap in _gaps(flow)]),
        tasks_per_second=tasks / max(seconds, 0.001),
    )


async def _nothing() -> Mapping[str, object]:
    return {}


def _began(flow: Workflow) -> int:
    return flow.tasks[0].start_time


def _gaps(flow: Workflow) -> list[float]:
    pairs = zip(flow.tasks, flow.tasks[1:], strict=False)
    return [float(after.start_time - before.end_time) for before, after in pairs]


@contextlib.asynccontextmanager
async def _defined(client: ConductorClient, name: str) -> AsyncIterator[None]:
    """Have a task type, and workflows of one and of six such tasks, for the block."""
    flows = {f"{name}-one": 1, f"{name}-chain": STEPS}
    await client.register_task_defs([TaskDef(name=name, retry_count=0, response_timeout_seconds=60)])
    try:
        for flow, steps in flows.items():
            steps_of = [WorkflowTask(name=name, task_reference_name=f"step{step}") for step in range(steps)]
            await client.register_workflow_def(WorkflowDef(name=flow, tasks=steps_of), overwrite=True)
        yield
    finally:
        with anyio.CancelScope(shield=True, deadline=anyio.current_time() + 10):
            for flow in flows:
                await client.delete_workflow_def(flow, 1)
            await client.delete_task_def(name)


async def _round_trip(client: ConductorClient, name: str) -> float:
    began = anyio.current_time()
    await client.queue_sizes([name])
    return (anyio.current_time() - began) * 1000


async def _started(client: ConductorClient, flow: str, count: int) -> list[str]:
    found: list[str] = []
    limiter = anyio.CapacityLimiter(STARTS_AT_ONCE)

    async def start() -> None:
        async with limiter:
            found.append(await client.start_workflow(flow, {}))

    async with anyio.create_task_group() as starts:
        for _ in range(count):
            starts.start_soon(start)
    return found


async def _played(
    client: ConductorClient, flow: str, count: int, told: Callable[[int], None]
) -> list[Workflow]:
    return await _ended(client, await _started(client, flow, count), told)


async def _ended(client: ConductorClient, ids: Sequence[str], told: Callable[[int], None]) -> list[Workflow]:
    flows = []
    for each in ids:
        flows.append(await client.wait_for_workflow(each))
        told(len(flows[-1].tasks))
    return flows
