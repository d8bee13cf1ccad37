"""Section 5.2 of the contract: polls, in both ways of waiting."""

from collections.abc import Awaitable, Callable
from typing import Any

import anyio
from black_box import Conductor
from conformance_cases import case

FILL, FIRST = ("fill",), ("first",)
HOLDS = "5.2: SQL back ends hold the answer until it is full or the time is over"
ANSWERS = "5.2: Redis answers at the first task"


async def beside(*actions: Callable[[], Awaitable[object]]) -> None:
    """Do things at the same time."""
    async with anyio.create_task_group() as group:
        for action in actions:
            group.start_soon(action)


async def start_at(conductor: Conductor, name: str, *times: float) -> None:
    """Start workflows at seconds from now."""
    passed = 0.0
    for time in times:
        await conductor.elapse(time - passed)
        passed = time
        await conductor.start(name)


# 5.2: timeout and count


@case("5.2-timeout-of-5000-is-the-longest")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    with conductor.took(5.0, 5.1):
        assert await conductor.poll(name, timeout=5000) == []
    body = await conductor.refused(400, "GET", f"/tasks/poll/batch/{name}?timeout=5001")
    assert body["message"] == "Long Poll Timeout value cannot be more than 5 seconds"


@case("5.2-timeout-of-0-or-less-is-one-look")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for timeout in (0, -1, -5000):
        with conductor.took(0.0, 0.02):
            assert await conductor.poll(name, timeout=timeout) == []


@case("5.2-timeout-of-0-finds-what-is-there", only=FILL, why="13: Redis may miss a task with timeout=0")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for timeout in (0, -1):
        await conductor.start(name)
        with conductor.took(0.0, 0.02):
            assert len(await conductor.poll(name, count=5, timeout=timeout)) == 1


@case("5.2-count-of-0-is-no-task-at-once")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    with conductor.took(0.0, 0.02):
        assert await conductor.poll(name, count=0, timeout=3000) == []
    assert await conductor.size(name) == 1


@case("5.2-count-below-0-is-no-task-when-there-is-none")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    with conductor.took(0.0, 0.02):
        assert await conductor.poll(name, count=-1, timeout=3000) == []


@case(
    "5.2-count-below-0-is-every-task-there-is",
    only=("dev-fill", "dev-socket", "sqlite"),
    why="5.2: to SQLite a negative limit is none",
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(3):
        await conductor.start(name)
    with conductor.took(0.0, 0.02):
        assert len(await conductor.poll(name, count=-2, timeout=3000)) == 3


@case("5.2-count-has-no-cap", only=("dev-fill", "dev-socket", "sqlite", "postgres"), why="13: Redis gives 64")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(70):
        await conductor.start(name)
    assert len(await conductor.poll(name, count=100, timeout=300)) == 70


@case("5.2-count-1-timeout-3000-with-1-task")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    with conductor.took(0.0, 0.05):
        assert len(await conductor.poll(name, timeout=3000)) == 1


@case("5.2-count-5-timeout-3000-with-5-or-6-tasks")
async def _(conductor: Conductor) -> None:
    for available in (5, 6):
        name = await conductor.single()
        for _ in range(available):
            await conductor.start(name)
        with conductor.took(0.0, 0.05):
            assert len(await conductor.poll(name, count=5, timeout=3000)) == 5
        assert await conductor.size(name) == available - 5


@case("5.2-count-5-timeout-3000-with-1-task-is-held", only=FILL, why=ANSWERS)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    with conductor.took(3.0):
        assert len(await conductor.poll(name, count=5, timeout=3000)) == 1


@case("5.2-count-5-timeout-3000-with-1-task-is-answered-at-once", only=FIRST, why=HOLDS)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    with conductor.took(0.0, 0.05):
        assert len(await conductor.poll(name, count=5, timeout=3000)) == 1


@case("5.2-count-3-timeout-2000-with-tasks-at-0.5-and-1")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()

    async def poll() -> None:
        duration, count = (2.0, 2) if conductor.style == "fill" else (0.5, 1)
        with conductor.took(duration, duration + 0.1):
            assert len(await conductor.poll(name, count=3, timeout=2000)) == count

    await beside(poll, lambda: start_at(conductor, name, 0.5, 1.0))


@case("5.2-count-2-timeout-3000-with-tasks-at-0.5-and-1")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()

    async def poll() -> None:
        duration, count = (1.0, 2) if conductor.style == "fill" else (0.5, 1)
        with conductor.took(duration, duration + 0.2):
            assert len(await conductor.poll(name, count=2, timeout=3000)) == count

    await beside(poll, lambda: start_at(conductor, name, 0.5, 1.0))


@case(
    "5.2-timeout-is-in-steps-of-100-ms-rounded-up",
    only=FILL,
    why="13: exact on Redis",
)
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    for timeout, seconds in ((50, 0.1), (150, 0.2), (250, 0.3)):
        with conductor.took(seconds, seconds + 0.05):
            assert await conductor.poll(name, timeout=timeout) == []


@case("5.2-timeout-is-exact", only=FIRST, why="13: SQL back ends look every 100 ms")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    for timeout in (1, 101, 250):
        with conductor.took(timeout / 1000, timeout / 1000 + 0.02):
            assert await conductor.poll(name, timeout=timeout) == []


@case("5.2-count-1-waits-for-its-timeout-when-nothing-comes")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    with conductor.took(1.2):
        assert await conductor.poll(name, timeout=1200) == []


@case("5.2-waiting-poll-gets-a-task-that-appears")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()

    async def poll() -> None:
        with conductor.took(0.5, 0.7):
            assert len(await conductor.poll(name, timeout=4000)) == 1

    await beside(poll, lambda: start_at(conductor, name, 0.5))


@case("5.2-held-tasks-are-scheduled-and-hidden-from-others", only=FILL, why=ANSWERS)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)

    async def poll() -> None:
        assert len(await conductor.poll(name, count=5, timeout=2000, workerid="holder")) == 1

    async def look() -> None:
        await conductor.elapse(0.5)
        assert await conductor.statuses(workflow_id) == ["SCHEDULED"]
        assert await conductor.poll(name) == []

    await beside(poll, look)
    task = await conductor.last(workflow_id)
    assert (task["status"], task["workerId"]) == ("IN_PROGRESS", "holder")


@case("5.2-abandoned-poll-takes-a-task")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    path = f"/tasks/poll/batch/{name}?count=1&timeout=5000&workerid=dead"
    await conductor.abandon(path, after=0.5)
    await conductor.elapse(0.5)
    workflow_id = await conductor.start(name)
    await conductor.until(lambda: is_taken(conductor, workflow_id))
    assert (await conductor.last(workflow_id))["workerId"] == "dead"
    assert await conductor.poll(name) == []


@case("5.2-abandoned-poll-for-several-takes-them-at-its-end", only=FILL, why="13: at once on Redis")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    path = f"/tasks/poll/batch/{name}?count=5&timeout=3000&workerid=dead"
    await conductor.abandon(path, after=0.5)
    workflow_id = await conductor.start(name)
    await conductor.elapse(0.5)
    assert (await conductor.statuses(workflow_id), await conductor.poll(name)) == (["SCHEDULED"], [])
    await conductor.until(lambda: is_taken(conductor, workflow_id), within=4.0)
    assert (await conductor.last(workflow_id))["workerId"] == "dead"


async def is_taken(conductor: Conductor, workflow_id: str) -> bool:
    return await conductor.statuses(workflow_id) == ["IN_PROGRESS"]


@case("5.2-every-task-goes-to-one-of-several-pollers")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(40):
        await conductor.start(name)
    taken: list[Any] = []

    async def poll() -> None:
        while found := await conductor.poll(name, count=3):
            taken.extend(task["taskId"] for task in found)

    await beside(*[poll] * 4)
    assert (len(taken), len(set(taken))) == (40, 40)
