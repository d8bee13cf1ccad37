"""Section 5.9 of the contract: finding what was handed out and never arrived."""

from typing import Any
from urllib.parse import quote

from black_box import Conductor
from conformance_cases import case

INDEXED = ("dev", "sqlite")
NOT_INDEXED = "13: search-v2 is always 500 on PostgreSQL and finds nothing on Redis"
SUMMARIES = ("dev", "sqlite", "postgres")
NO_SUMMARIES = "13: without an index, as on Redis, there are no hits"


async def found(conductor: Conductor, query: str, *, path: str = "search-v2") -> list[Any]:
    """Return what a search finds, at most 100 results."""
    answer = await conductor.get(f"/tasks/{path}?start=0&size=100&query={quote(query)}")
    assert answer["totalHits"] == len(answer["results"])
    results: list[Any] = answer["results"]
    return results


async def in_hand(conductor: Conductor, name: str) -> list[str]:
    """Return the ids of the tasks of a type that are in work."""
    return [task["taskId"] for task in await found(conductor, f"taskType={name} AND status=IN_PROGRESS")]


@case("5.9-search-v2-shows-whole-tasks", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    step = {"name": name, "taskReferenceName": "r", "inputParameters": {"p": "${workflow.input.v}"}}
    workflow_id = await conductor.start(await conductor.flow(step), input={"v": [1, {"k": "x"}]})
    task = await conductor.take(name, workerid="w1")
    (hit,) = await found(conductor, f"taskType={name} AND status=IN_PROGRESS")
    assert (hit["taskId"], hit["workerId"], hit["inputData"]) == (
        task["taskId"],
        "w1",
        {"p": [1, {"k": "x"}]},
    )
    assert (hit["workflowInstanceId"], hit["pollCount"]) == (workflow_id, 1)


@case("5.9-search-v2-follows-a-completion", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    assert await in_hand(conductor, name) == [task["taskId"]]
    await conductor.update(task, "COMPLETED")
    assert await in_hand(conductor, name) == []
    (hit,) = await found(conductor, f"taskType={name} AND status=COMPLETED")
    assert hit["taskId"] == task["taskId"]


@case("5.9-search-v2-follows-a-hand-back", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=60)
    assert await in_hand(conductor, name) == []


@case("5.9-search-v2-follows-a-termination", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, _ = await conductor.begin(name)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert await in_hand(conductor, name) == []


@case("5.9-search-v2-finds-several", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(3):
        await conductor.start(name)
    tasks = [await conductor.take(name) for _ in range(2)]
    assert sorted(await in_hand(conductor, name)) == sorted(task["taskId"] for task in tasks)
    await conductor.update(tasks[0], "COMPLETED")
    assert await in_hand(conductor, name) == [tasks[1]["taskId"]]


@case("5.9-what-nothing-has-touched-is-not-found", only=SUMMARIES, why=NO_SUMMARIES)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    assert await found(conductor, f"taskType={name}", path="search") == []
    await conductor.take(name)
    assert len(await found(conductor, f"taskType={name}", path="search")) == 1


@case("5.9-search-v2-cannot-ask-for-a-worker", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.begin(name)
    hits = await found(conductor, f"taskType={name} AND status=IN_PROGRESS AND workerId=other")
    assert [hit["workerId"] for hit in hits] == ["w"]


@case("5.9-search-v2-of-nothing", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    query = quote(f"taskType={conductor.unique()} AND status=IN_PROGRESS")
    answer = await conductor.get(f"/tasks/search-v2?start=0&size=100&query={query}")
    assert answer == {"totalHits": 0, "results": []}


@case("5.9-search-v2-is-500-on-postgres", only=("postgres",), why="13: the others answer")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.refused(500, "GET", f"/tasks/search-v2?start=0&size=100&query=taskType={name}")


@case("5.9-what-an-abandoned-poll-took-can-be-found", only=INDEXED, why=NOT_INDEXED)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.abandon(f"/tasks/poll/batch/{name}?count=1&timeout=5000&workerid=gone", after=0.3)
    workflow_id = await conductor.start(name)
    await conductor.until(lambda: in_hand(conductor, name))
    (hit,) = await found(conductor, f"taskType={name} AND status=IN_PROGRESS")
    assert (hit["workflowInstanceId"], hit["workerId"]) == (workflow_id, "gone")
    await conductor.update(hit, "IN_PROGRESS")
    assert (await conductor.take(name))["taskId"] == hit["taskId"]


@case("5.9-search-gives-summaries-without-a-worker", only=SUMMARIES, why=NO_SUMMARIES)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    (hit,) = await found(conductor, f"taskType={name} AND status=IN_PROGRESS", path="search")
    assert (hit["taskId"], hit["workflowId"], hit["status"]) == (task["taskId"], workflow_id, "IN_PROGRESS")
    assert "workerId" not in hit
    assert (await conductor.task(hit["taskId"]))["workerId"] == "w"


@case("5.9-search-is-as-fresh", only=SUMMARIES, why=NO_SUMMARIES)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    query = f"taskType={name} AND status=IN_PROGRESS"
    await conductor.update(task, "IN_PROGRESS")
    assert await found(conductor, query, path="search") == []
    again = await conductor.take(name)
    assert [hit["taskId"] for hit in await found(conductor, query, path="search")] == [task["taskId"]]
    await conductor.update(again, "COMPLETED")
    assert await found(conductor, query, path="search") == []


@case("5.9-without-an-index-nothing-is-found", only=("redis",), why="13: the SQL back ends have an index")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.begin(name)
    assert await found(conductor, f"taskType={name}") == []
    assert await found(conductor, f"taskType={name}", path="search") == []
