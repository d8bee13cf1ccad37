"""Section 5.4 of the contract: update-v2, an update and a poll in one."""

from black_box import UNKNOWN, Conductor, ids
from conformance_cases import case


@case("5.4-gives-the-next-task-in-progress-to-the-results-worker")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    second = await conductor.start(name)
    found = await conductor.update_v2(task, "COMPLETED", workerId="me", outputData={"a": 1})
    assert (found["workflowInstanceId"], found["status"]) == (second, "IN_PROGRESS")
    assert (found["workerId"], found["pollCount"]) == ("me", 1)
    assert (await conductor.workflow(workflow_id))["output"] == {"a": 1}


@case("5.4-without-a-worker-id-the-next-task-has-none")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.start(name)
    assert "workerId" not in await conductor.update_v2(task, "COMPLETED")


@case("5.4-waits-100-ms-and-says-204-when-there-is-nothing")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    with conductor.took(0.1, 0.2):
        reply = await conductor.request("POST", "/tasks/update-v2", json={**ids(task), "status": "COMPLETED"})
    assert (reply.status, reply.raw) == (204, b"")
    assert (await conductor.task(task))["status"] == "COMPLETED"


@case("5.4-hand-back-is-204-at-once-whatever-is-queued")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.start(name)
    with conductor.took(0.0, 0.05):
        assert await conductor.update_v2(task, "IN_PROGRESS", callbackAfterSeconds=60) is None
    assert await conductor.size(name) == 2


@case("5.4-extend-lease-is-204-at-once-whatever-is-queued")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.start(name)
    with conductor.took(0.0, 0.05):
        reply = await conductor.request("POST", "/tasks/update-v2", json={**ids(task), "extendLease": True})
    assert (reply.status, await conductor.size(name)) == (204, 1)


@case("5.4-duplicate-still-polls")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "COMPLETED")
    second = await conductor.start(name)
    assert (await conductor.update_v2(task, "COMPLETED"))["workflowInstanceId"] == second


@case("5.4-late-after-terminate-still-polls")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    second = await conductor.start(name)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert (await conductor.update_v2(task, "FAILED"))["workflowInstanceId"] == second
    assert (await conductor.task(task))["status"] == "CANCELED"


@case("5.4-an-immediate-retry-comes-back-directly")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=1, retryDelaySeconds=0)
    _, task = await conductor.begin(name)
    found = await conductor.update_v2(task, "FAILED")
    assert (found["retriedTaskId"], found["retryCount"]) == (task["taskId"], 1)


@case("5.4-a-successor-of-the-same-type-comes-back-directly")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    steps = [{"name": name, "taskReferenceName": f"r{n}"} for n in (1, 2)]
    workflow_id = await conductor.start(await conductor.flow(*steps))
    found = await conductor.update_v2(await conductor.take(name), "COMPLETED")
    assert (found["workflowInstanceId"], found["referenceTaskName"]) == (workflow_id, "r2")


@case("5.4-a-successor-of-another-type-does-not")
async def _(conductor: Conductor) -> None:
    names = [conductor.unique(), conductor.unique()]
    await conductor.define(*names)
    workflow_id = await conductor.start(await conductor.flow(*names))
    assert await conductor.update_v2(await conductor.take(names[0]), "COMPLETED") is None
    assert await conductor.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]


@case("5.4-polls-the-domain-of-the-task")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    await conductor.start(name, taskToDomain={name: "d"})
    task = await conductor.take(name, domain="d")
    assert await conductor.update_v2(task, "COMPLETED") is None
    await conductor.start(name, taskToDomain={name: "d"})
    assert (await conductor.update_v2(task, "COMPLETED"))["domain"] == "d"


@case("5.4-of-an-unknown-workflow-or-task-is-404")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    body = {**ids(task), "status": "COMPLETED"}
    await conductor.refused(404, "POST", "/tasks/update-v2", body | {"workflowInstanceId": UNKNOWN})
    await conductor.refused(404, "POST", "/tasks/update-v2", body | {"taskId": UNKNOWN})
    assert await conductor.status(workflow_id) == "RUNNING"


@case("5.4-missing-or-empty-ids-are-500")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    body = {**ids(task), "status": "COMPLETED"}
    for name in ("workflowInstanceId", "taskId"):
        for value in (None, ""):
            await conductor.refused(500, "POST", "/tasks/update-v2", body | {name: value})
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("5.4-bad-status-is-500")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    for status in ("completed", None, "TIMED_OUT"):
        await conductor.refused(500, "POST", "/tasks/update-v2", {**ids(task), "status": status})
