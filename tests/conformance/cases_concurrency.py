"""Section 7 of the contract: limits of how many tasks of a type are in work, or handed out in a time.

A task that is held back comes again after ``taskExecutionPostponeDuration``, which is 2 s on the servers that
this suite starts; the poll that met it brings one task less than it might.
"""

from typing import Any

from black_box import Conductor
from conformance_cases import case

KEEPS = "7, 13: on Redis a task that is handed back frees its place"
FREES = "7, 13: on SQL back ends a task that is handed back keeps its place"
POSTPONED = 2.0
"""Seconds."""


async def several(conductor: Conductor, started: int, **definition: Any) -> str:
    """Start workflows of one task; return its type."""
    name = await conductor.single(**definition)
    for _ in range(started):
        await conductor.start(name)
        # A task must be among the oldest of its type, which SQLite tells by whole seconds.
        await conductor.elapse(1.1)
    return name


async def next_task(conductor: Conductor, name: str) -> Any:
    """Poll until a task comes."""
    found: list[Any] = []

    async def has_come() -> list[Any]:
        found.extend(await conductor.poll(name))
        return found

    await conductor.until(has_come, within=2 * POSTPONED + 1)
    (task,) = found
    return task


@case("7-concurrentExecLimit-holds-back-the-surplus")
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 4, concurrentExecLimit=2)
    polled = [*await conductor.poll(name, count=4), *await conductor.poll(name, count=4)]
    assert len(polled) == 2
    assert await conductor.size(name) == 2


@case("7-concurrentExecLimit-is-never-passed")
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 5, concurrentExecLimit=2)
    polled: list[Any] = []
    for _ in range(4):
        polled += await conductor.poll(name, count=5, timeout=300)
        await conductor.elapse(0.5)
    assert len(polled) == 2


@case("7-concurrentExecLimit-the-next-comes-when-one-ends")
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 2, concurrentExecLimit=1)
    task = await conductor.take(name)
    assert await conductor.poll(name) == []
    await conductor.update(task, "COMPLETED")
    with conductor.took(0.0, POSTPONED + 0.1):
        again = await next_task(conductor, name)
    assert again["taskId"] != task["taskId"]


@case("7-concurrentExecLimit-all-get-through")
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 4, concurrentExecLimit=1)
    seen = set()
    for _ in range(4):
        task = await next_task(conductor, name)
        seen.add(task["workflowInstanceId"])
        await conductor.update(task, "COMPLETED")
    assert len(seen) == 4


@case("7-concurrentExecLimit-a-handed-back-task-keeps-its-place", only=("fill",), why=KEEPS)
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 2, concurrentExecLimit=1)
    task = await conductor.take(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=4)
    await conductor.elapse(1)
    assert await conductor.poll(name) == []
    await conductor.elapse(1.5)
    assert await conductor.poll(name) == []
    assert (await next_task(conductor, name))["taskId"] == task["taskId"]


@case("7-concurrentExecLimit-a-handed-back-task-frees-its-place", only=("first",), why=FREES)
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 2, concurrentExecLimit=1)
    task = await conductor.take(name)
    await conductor.poll(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=6)
    assert (await next_task(conductor, name))["taskId"] != task["taskId"]


@case("7-concurrentExecLimit-is-per-type")
async def _(conductor: Conductor) -> None:
    one = await several(conductor, 1, concurrentExecLimit=1)
    two = await several(conductor, 1, concurrentExecLimit=1)
    assert len(await conductor.poll(one)) == len(await conductor.poll(two)) == 1


@case("7-rateLimitPerFrequency-has-no-effect", only=("dev", "sqlite", "postgres"), why="13: it has on Redis")
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 3, rateLimitPerFrequency=1, rateLimitFrequencyInSeconds=60)
    assert len(await conductor.poll(name, count=3)) == 3


@case("7-rateLimitPerFrequency-holds-tasks-back", only=("redis",), why="13: no effect on SQL back ends")
async def _(conductor: Conductor) -> None:
    name = await several(conductor, 3, rateLimitPerFrequency=2, rateLimitFrequencyInSeconds=6)
    polled = [task for _ in range(4) for task in await conductor.poll(name)]
    assert len(polled) == 2
    with conductor.took(2.0, 7.0):
        await conductor.until(lambda: conductor.poll(name, timeout=1000), within=9)
