"""Section 5.5 of the contract: a heartbeat moves the response timeout, and nothing else."""

import anyio
from black_box import UNKNOWN, Conductor, ids
from conformance_cases import case


@case("5.5-a-heartbeat-sets-updateTime")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    before = await conductor.task(task)
    await conductor.elapse(0.3)
    await conductor.extend(task)
    after = await conductor.task(task)
    assert after["updateTime"] >= before["updateTime"] + 250
    assert after["startTime"] == before["startTime"]


@case("5.5-a-heartbeat-changes-nothing-else")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    before = await conductor.task(task)
    await conductor.extend(task)
    after = await conductor.task(task)
    assert after | {"updateTime": 0} == before | {"updateTime": 0}


@case("5.5-what-else-a-heartbeat-carries-is-ignored")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    more = {"outputData": {"a": 1}, "reasonForIncompletion": "r", "callbackAfterSeconds": 60, "workerId": "x"}
    more |= {"logs": [{"log": "lost"}]}
    await conductor.update(task, "COMPLETED", extendLease=True, **more)
    after = await conductor.task(task)
    assert (after["status"], after["outputData"], after["callbackAfterSeconds"]) == ("IN_PROGRESS", {}, 0)
    assert (after["workerId"], after.get("reasonForIncompletion")) == ("w", None)
    assert await conductor.get(f"/tasks/{task['taskId']}/log") is None
    assert await conductor.status(workflow_id) == "RUNNING"


@case("5.5-a-heartbeat-needs-no-status")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    reply = await conductor.request("POST", "/tasks", json={**ids(task), "extendLease": True})
    assert (reply.status, reply.body) == (200, task["taskId"])


@case("5.5-a-heartbeat-by-v2-answers-204")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    reply = await conductor.request("POST", "/tasks/update-v2", json={**ids(task), "extendLease": True})
    assert (reply.status, reply.raw) == (204, b"")


@case("5.5-a-heartbeat-of-an-ended-task-does-nothing")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", outputData={"a": 1})
    before = await conductor.task(task)
    await conductor.elapse(0.2)
    await conductor.extend(task)
    assert await conductor.task(task) == before


@case("5.5-a-heartbeat-of-a-waiting-task-only-sets-updateTime")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    before = await conductor.last(workflow_id)
    await conductor.extend(before)
    after = await conductor.last(workflow_id)
    assert before["updateTime"] == 0 < after["updateTime"]
    assert after | {"updateTime": 0} == before
    assert await conductor.size(name) == 1


@case("5.5-a-heartbeat-of-an-unknown-task-is-404")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await conductor.begin(await conductor.single())
    body = {"workflowInstanceId": workflow_id, "taskId": UNKNOWN, "extendLease": True}
    error = await conductor.refused(404, "POST", "/tasks", body)
    assert error["message"] == f"No such task found by id: {UNKNOWN}"


@case("5.5-a-heartbeat-does-not-check-the-workflow-id")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.elapse(0.2)
    body = {"workflowInstanceId": UNKNOWN, "taskId": task["taskId"], "extendLease": True}
    assert await conductor.ok("POST", "/tasks", body) == task["taskId"]
    assert (await conductor.task(task))["updateTime"] > task["updateTime"]


@case("5.5-a-heartbeat-without-ids-is-400")
async def _(conductor: Conductor) -> None:
    error = await conductor.refused(400, "POST", "/tasks", {"extendLease": True})
    paths = sorted(item["path"] for item in error["validationErrors"])
    assert paths == ["updateTask.arg0.taskId", "updateTask.arg0.workflowInstanceId"]


@case("5.5-a-heartbeat-moves-the-response-timeout")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(
        await conductor.single(responseTimeoutSeconds=4, retryDelaySeconds=0)
    )
    await conductor.elapse(2.5)
    await conductor.extend(task)
    await conductor.elapse(2.5)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["IN_PROGRESS"]
    await conductor.elapse(1.7)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


@case("5.5-a-heartbeat-does-not-move-timeoutSeconds")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(
        timeoutSeconds=3, responseTimeoutSeconds=3, timeoutPolicy="RETRY", retryDelaySeconds=0
    )
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(2)
    await conductor.extend(task)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]
    assert (await conductor.task(task))["reasonForIncompletion"].startswith("Task timed out after 3 seconds.")


@case("5.5-a-heartbeat-before-the-result-loses-nothing")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.extend(task)
    await conductor.update(task, "COMPLETED", outputData={"a": 1})
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["output"]) == ("COMPLETED", {"a": 1})


@case("5.5-a-heartbeat-beside-the-result-may-lose-it")
async def _(conductor: Conductor) -> None:
    """Both are answered with 200, whatever becomes of the task."""
    workflow_id, task = await conductor.begin(await conductor.single())
    async with anyio.create_task_group() as group:
        group.start_soon(conductor.extend, task)
        group.start_soon(conductor.update, task, "COMPLETED")
    assert (await conductor.task(task))["status"] in {"COMPLETED", "IN_PROGRESS"}
    assert await conductor.status(workflow_id) in {"COMPLETED", "RUNNING"}
