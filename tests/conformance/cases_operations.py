"""Section 8 of the contract: reading and steering workflows."""

from typing import Any

import anyio
from black_box import UNKNOWN, Conductor
from conformance_cases import case


async def ended(conductor: Conductor, status: str, **definition: Any) -> tuple[str, str]:
    """Run a workflow of one task to its end; return the id and the name."""
    name = await conductor.single(retryCount=0, **definition)
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, status)
    return workflow_id, name


@case("8-read-with-and-without-tasks")
async def _(conductor: Conductor) -> None:
    workflow_id = await conductor.start(await conductor.single())
    whole = await conductor.get(f"/workflow/{workflow_id}")
    bare = await conductor.get(f"/workflow/{workflow_id}?includeTasks=false")
    assert (len(whole["tasks"]), bare["tasks"]) == (1, [])
    assert whole | {"tasks": []} == bare


@case("8-read-of-an-unknown-workflow-is-404")
async def _(conductor: Conductor) -> None:
    for path in ("", "/status", "/tasks"):
        error = await conductor.refused(404, "GET", f"/workflow/{UNKNOWN}{path}")
        assert error["message"] == f"No such workflow found by id: {UNKNOWN}"


@case("8-read-status")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await ended(conductor, "COMPLETED")
    found = await conductor.get(f"/workflow/{workflow_id}/status")
    assert (found["workflowId"], found["status"]) == (workflow_id, "COMPLETED")


@case("8-read-tasks-by-pages")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryDelaySeconds=0)
    workflow_id = await conductor.start(name)
    for _ in range(2):
        await conductor.update(await conductor.take(name), "FAILED")
    found = await conductor.get(f"/workflow/{workflow_id}/tasks?start=1&count=1")
    assert (found["totalHits"], [task["retryCount"] for task in found["results"]]) == (3, [1])


@case("8-read-running-workflows-of-a-name")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    going, over = await conductor.start(name), await conductor.start(name)
    await conductor.ok("DELETE", f"/workflow/{over}")
    assert await conductor.get(f"/workflow/running/{name}") == [going]


@case(
    "8-read-workflows-of-a-correlation",
    only=("dev", "sqlite", "postgres"),
    why="13: Redis goes without an index",
)
async def _(conductor: Conductor) -> None:
    name, mark = await conductor.single(), conductor.unique("c")
    workflow_id = await conductor.start(name, correlationId=mark)
    await conductor.start(name, correlationId=conductor.unique("c"))
    found = await conductor.get(f"/workflow/{name}/correlated/{mark}?includeClosed=true&includeTasks=true")
    assert [(item["workflowId"], len(item["tasks"])) for item in found] == [(workflow_id, 1)]


@case(
    "8-search-workflows",
    only=("dev", "sqlite", "postgres"),
    why="13: Redis goes without an index",
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    found = await conductor.get(f"/workflow/search?query=workflowType={name}&size=5000")
    assert [item["workflowId"] for item in found["results"]] == [workflow_id]
    await conductor.refused(400, "GET", f"/workflow/search?query=workflowType={name}&size=5001")


@case("8-execute-answers-when-the-workflow-ends")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    found: list[Any] = []

    async def execute() -> None:
        path = f"/workflow/execute/{name}/1?waitForSeconds=10"
        found.append(await conductor.ok("POST", path, {"name": name, "version": 1}))

    async with anyio.create_task_group() as group:
        group.start_soon(execute)
        task = await conductor.take(name)
        await conductor.update(task, "COMPLETED", outputData={"a": 1})
    assert (found[0]["status"], found[0]["output"]) == ("COMPLETED", {"a": 1})


@case("8-execute-answers-after-its-time")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    path = f"/workflow/execute/{name}/1?waitForSeconds=1"
    with conductor.took(1.0, 1.2):
        found = await conductor.ok("POST", path, {"name": name, "version": 1})
    assert found["status"] == "RUNNING"
    assert "targetWorkflowStatus" in found


@case("8-decide-of-an-ended-workflow")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await ended(conductor, "COMPLETED")
    before = await conductor.workflow(workflow_id)
    reply = await conductor.request("PUT", f"/workflow/decide/{workflow_id}")
    assert (reply.status, reply.raw) == (200, b"")
    assert await conductor.workflow(workflow_id) == before


@case("8-pause-and-resume")
async def _(conductor: Conductor) -> None:
    workflow_id = await conductor.start(await conductor.single())
    for _ in range(2):
        reply = await conductor.request("PUT", f"/workflow/{workflow_id}/pause")
        assert (reply.status, reply.raw) == (200, b"")
        assert await conductor.status(workflow_id) == "PAUSED"
    reply = await conductor.request("PUT", f"/workflow/{workflow_id}/resume")
    assert (reply.status, reply.raw) == (200, b"")
    assert await conductor.status(workflow_id) == "RUNNING"
    await conductor.refused(500, "PUT", f"/workflow/{workflow_id}/resume")


@case("8-pause-of-an-ended-workflow-is-409")
async def _(conductor: Conductor) -> None:
    for status in ("COMPLETED", "FAILED"):
        workflow_id, _ = await ended(conductor, status)
        await conductor.refused(409, "PUT", f"/workflow/{workflow_id}/pause")


@case("8-retry-of-a-running-workflow-is-404")
async def _(conductor: Conductor) -> None:
    workflow_id = await conductor.start(await conductor.single())
    await conductor.refused(404, "POST", f"/workflow/{workflow_id}/retry")


@case("8-retry-with-nothing-to-retry-is-409")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await ended(conductor, "COMPLETED")
    await conductor.refused(409, "POST", f"/workflow/{workflow_id}/retry")


@case("8-retry-of-a-terminated-workflow")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}?reason=why")
    reply = await conductor.request("POST", f"/workflow/{workflow_id}/retry")
    assert (reply.status, reply.raw) == (204, b"")
    assert await conductor.timeline(workflow_id) == [(name, "CANCELED", 0), (name, "SCHEDULED", 1)]
    assert await conductor.status(workflow_id) == "RUNNING"


@case("8-restart-of-a-completed-workflow")
async def _(conductor: Conductor) -> None:
    workflow_id, name = await ended(conductor, "COMPLETED")
    reply = await conductor.request("POST", f"/workflow/{workflow_id}/restart")
    assert (reply.status, reply.raw) == (204, b"")
    await conductor.update(await conductor.take(name), "COMPLETED", outputData={"again": True})
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["output"]) == ("COMPLETED", {"again": True})


@case("8-restart-of-a-running-workflow-is-409")
async def _(conductor: Conductor) -> None:
    workflow_id = await conductor.start(await conductor.single())
    await conductor.refused(409, "POST", f"/workflow/{workflow_id}/restart")


@case("8-resetcallbacks-makes-call-backs-deliverable")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=60)
    assert await conductor.poll(name) == []
    reply = await conductor.request("POST", f"/workflow/{workflow_id}/resetcallbacks")
    assert (reply.status, reply.raw) == (204, b"")
    assert (await conductor.take(name))["pollCount"] == 2


@case("8-terminate-twice-and-after-a-failure")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await ended(conductor, "FAILED")
    for _ in range(2):
        reply = await conductor.request("DELETE", f"/workflow/{workflow_id}?reason=enough")
        assert (reply.status, reply.raw) == (200, b"")
        assert await conductor.status(workflow_id) == "TERMINATED"


@case("8-terminate-a-completed-workflow-is-409")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await ended(conductor, "COMPLETED")
    await conductor.refused(409, "DELETE", f"/workflow/{workflow_id}")


@case("8-terminate-several")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    over, _ = await ended(conductor, "COMPLETED")
    answer = await conductor.ok("POST", "/workflow/bulk/terminate", [workflow_id, over, UNKNOWN])
    assert answer["bulkSuccessfulResults"] == [workflow_id]
    assert set(answer["bulkErrorResults"]) == {over, UNKNOWN}
    assert await conductor.status(workflow_id) == "TERMINATED"


@case("8-rerun-from-a-task")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second, retryCount=0)
    workflow_id = await conductor.start(await conductor.flow(first, second))
    await conductor.update(await conductor.take(first), "COMPLETED", outputData={"a": 1})
    task = await conductor.take(second)
    await conductor.update(task, "FAILED")
    body = {"reRunFromTaskId": task["taskId"]}
    reply = await conductor.request("POST", f"/workflow/{workflow_id}/rerun", json=body)
    assert (reply.status, reply.body) == (200, workflow_id)
    assert await conductor.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]
    assert await conductor.status(workflow_id) == "RUNNING"


@case("8-a-rerun-opens-earlier-attempts-and-does-not-end-before-them")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second, retryCount=1, retryDelaySeconds=0)
    workflow_id = await conductor.start(await conductor.flow(first, second))
    failed = await conductor.take(first)
    await conductor.update(failed, "FAILED")
    await conductor.update(await conductor.take(first), "COMPLETED")
    task = await conductor.take(second)
    await conductor.update(task, "COMPLETED")
    await conductor.ok("POST", f"/workflow/{workflow_id}/rerun", {"reRunFromTaskId": task["taskId"]})
    assert await conductor.statuses(workflow_id) == ["SCHEDULED", "COMPLETED", "SCHEDULED"]
    await conductor.update(await conductor.take(second), "COMPLETED")
    assert await conductor.status(workflow_id) == "RUNNING"
    await conductor.update(await conductor.take(first), "COMPLETED")
    await conductor.decide(workflow_id)
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("8-skip-a-future-task")
async def _(conductor: Conductor) -> None:
    first, second, third = (conductor.unique() for _ in range(3))
    workflow_id = await conductor.start(await conductor.flow(first, second, third))
    reply = await conductor.request("PUT", f"/workflow/{workflow_id}/skiptask/{second}", json={})
    assert (reply.status, reply.raw) == (200, b"")
    await conductor.update(await conductor.take(first), "COMPLETED")
    found = {
        task["referenceTaskName"]: task["status"] for task in (await conductor.workflow(workflow_id))["tasks"]
    }
    assert found == {first: "COMPLETED", second: "SKIPPED", third: "SCHEDULED"}


@case("8-skip-a-task-that-was-scheduled-is-500")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    await conductor.refused(500, "PUT", f"/workflow/{workflow_id}/skiptask/{name}", {})
