"""Section 2 of the contract: what an index is for, logs and searches."""

from typing import Any
from urllib.parse import quote

from black_box import UNKNOWN, Conductor
from conformance_cases import case

INDEXED = ("dev", "sqlite", "postgres")
NO_INDEX = "13: Redis has no index, so searches find nothing and logs are dropped"


# Logs


async def add_log(conductor: Conductor, task_id: str, text: str, kind: str | None = "text/plain") -> Any:
    """Add a line; return the answer."""
    headers = {} if kind is None else {"content-type": kind}
    return await conductor.request("POST", f"/tasks/{task_id}/log", content=text.encode(), headers=headers)


@case("2-log-takes-text-of-any-content-type-as-sent", only=INDEXED, why=NO_INDEX)
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    lines = [
        ('{"a": 1}', "application/json"),
        ('"quoted"', "application/json"),
        ("plain é", "text/plain; charset=utf-8"),
        ("picture", "image/png"),
    ]
    for text, kind in lines:
        reply = await add_log(conductor, task["taskId"], text, kind)
        assert (reply.status, reply.raw) == (200, b"")
    found = await conductor.get(f"/tasks/{task['taskId']}/log")
    assert sorted(line["log"] for line in found) == sorted(text for text, _ in lines)
    assert {line["taskId"] for line in found} == {task["taskId"]}


@case("2-log-of-a-form-is-stored-percent-encoded", only=INDEXED, why=NO_INDEX)
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await add_log(conductor, task["taskId"], "a b=c&d", "application/x-www-form-urlencoded")
    (line,) = await conductor.get(f"/tasks/{task['taskId']}/log")
    assert line["log"] == "a+b=c&d="


@case("2-log-must-not-be-empty")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.refused(500, "POST", f"/tasks/{task['taskId']}/log")


@case("2-log-of-an-unknown-task-is-accepted", only=INDEXED, why=NO_INDEX)
async def _(conductor: Conductor) -> None:
    task_id = conductor.unique("nosuch")
    assert (await add_log(conductor, task_id, "hey")).status == 200
    (line,) = await conductor.get(f"/tasks/{task_id}/log")
    assert (line["log"], line["taskId"]) == ("hey", task_id)


@case("2-get-log-is-204-when-there-is-none")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    for task_id in (task["taskId"], UNKNOWN):
        reply = await conductor.request("GET", f"/tasks/{task_id}/log")
        assert (reply.status, reply.raw) == (204, b"")


@case("2-get-log-is-in-the-order-of-createdtime", only=("dev", "sqlite"), why="2: of SQLite only")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    lines = [{"log": f"at {time}", "createdTime": time} for time in (30, 10, 20)]
    await conductor.update(task, "IN_PROGRESS", logs=lines)
    found = await conductor.get(f"/tasks/{task['taskId']}/log")
    assert [line["createdTime"] for line in found] == [10, 20, 30]


# Searches


def query(text: str) -> str:
    return quote(text, safe="")


@case(
    "2-search-finds-a-task-from-its-first-poll-on",
    only=INDEXED,
    why=NO_INDEX,
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    path = f"/tasks/search?query={query(f'taskType={name}')}"
    assert await conductor.get(path) == {"totalHits": 0, "results": []}
    task = await conductor.take(name)
    await conductor.until(lambda: hits(conductor, path))
    (found,) = (await conductor.get(path))["results"]
    assert (found["taskId"], found["workflowId"]) == (task["taskId"], workflow_id)
    assert found["scheduledTime"].endswith("Z")


async def hits(conductor: Conductor, path: str) -> int:
    found: int = (await conductor.get(path))["totalHits"]
    return found


@case("2-search-by-type-and-status-in-pages", only=INDEXED, why=NO_INDEX)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(3):
        await conductor.begin(name)
    _, last = await conductor.begin(name)
    await conductor.update(last, "COMPLETED")
    path = f"/tasks/search?query={query(f'taskType={name} AND status=IN_PROGRESS')}"

    async def is_indexed() -> bool:
        return await hits(conductor, path) == 3

    await conductor.until(is_indexed)
    page = await conductor.get(f"{path}&start=2&size=5")
    assert (page["totalHits"], len(page["results"])) == (3, 1)
    page = await conductor.get(f"{path}&start=0&size=2")
    assert (page["totalHits"], len(page["results"])) == (3, 2)
