"""Section 7 of the contract: in which order tasks come."""

from black_box import Conductor
from conformance_cases import case


async def order(conductor: Conductor, name: str, count: int) -> list[str]:
    """Poll one task after the other; return the ids of their workflows."""
    return [(await conductor.take(name))["workflowInstanceId"] for _ in range(count)]


async def by_priority(conductor: Conductor, *priorities: int) -> list[int]:
    """Start workflows with priorities, one by one; return those of their tasks as they are polled."""
    name = await conductor.single()
    for priority in priorities:
        await conductor.start(name, priority=priority)
        await conductor.elapse(0.02)
    return [(await conductor.take(name))["workflowPriority"] for _ in priorities]


@case("7-first-come-first-served")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    started = []
    for _ in range(5):
        started.append(await conductor.start(name))
        await conductor.elapse(0.01)
    assert await order(conductor, name, 5) == started


@case("7-a-hand-back-goes-to-the-back")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    first = await conductor.start(name)
    await conductor.elapse(0.01)
    second = await conductor.start(name)
    task = await conductor.take(name)
    await conductor.elapse(0.01)
    await conductor.update(task, "IN_PROGRESS")
    assert await order(conductor, name, 2) == [second, first]


@case("7-by-delivery-time-not-by-the-time-of-scheduling")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    first, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=1)
    second = await conductor.start(name)
    await conductor.elapse(1.2)
    third = await conductor.start(name)
    assert await order(conductor, name, 3) == [second, first, third]


@case(
    "7-higher-priorities-first", only=("dev-fill", "dev-socket", "sqlite"), why="13: others order otherwise"
)
async def _(conductor: Conductor) -> None:
    assert await by_priority(conductor, 0, 5, 99, 1) == [99, 5, 1, 0]


@case("7-priorities-do-not-matter-on-postgres", only=("postgres",), why="13: others heed them")
async def _(conductor: Conductor) -> None:
    assert await by_priority(conductor, 0, 5, 99, 1) == [0, 5, 99, 1]


@case(
    "7-low-numbers-first-but-zero-last",
    only=("first",),
    why="13: on Redis 0 counts as no priority",
)
async def _(conductor: Conductor) -> None:
    assert await by_priority(conductor, 0, 5, 99, 1) == [1, 5, 99, 0]


@case("7-the-priority-is-that-of-the-workflow")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name, priority=42)
    assert task["workflowPriority"] == 42
    assert (await conductor.workflow(task["workflowInstanceId"]))["priority"] == 42
