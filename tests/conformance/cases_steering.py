"""Section 5.8 of the contract: pausing, terminating and removing a workflow whose task is in work."""

from typing import Any

from black_box import Conductor, ids
from conformance_cases import case


async def two_steps(conductor: Conductor) -> tuple[str, str, str]:
    """Start a workflow of two tasks; return their types and its id."""
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second, retryDelaySeconds=0)
    return first, second, await conductor.start(await conductor.flow(first, second))


async def pause(conductor: Conductor, workflow_id: str) -> None:
    """Pause a workflow."""
    await conductor.ok("PUT", f"/workflow/{workflow_id}/pause")
    assert await conductor.status(workflow_id) == "PAUSED"


async def terminated(conductor: Conductor) -> tuple[str, Any]:
    """Terminate a workflow whose task is in work; return its id and the task as polled."""
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.ok("DELETE", f"/workflow/{workflow_id}?reason=enough")
    return workflow_id, task


# ---------------------------------------------------------------- pause


@case("5.8-the-tasks-of-a-paused-workflow-are-delivered")
async def _(conductor: Conductor) -> None:
    first, _, workflow_id = await two_steps(conductor)
    await pause(conductor, workflow_id)
    assert (await conductor.take(first))["status"] == "IN_PROGRESS"


@case("5.8-a-paused-workflow-takes-results-but-schedules-nothing")
async def _(conductor: Conductor) -> None:
    first, second, workflow_id = await two_steps(conductor)
    task = await conductor.take(first)
    await pause(conductor, workflow_id)
    await conductor.update(task, "COMPLETED", outputData={"a": 1})
    await conductor.decide(workflow_id)
    assert await conductor.timeline(workflow_id) == [(first, "COMPLETED", 0)]
    assert await conductor.poll(second) == []
    await conductor.ok("PUT", f"/workflow/{workflow_id}/resume")
    assert (await conductor.take(second))["status"] == "IN_PROGRESS"
    assert await conductor.status(workflow_id) == "RUNNING"


@case("5.8-a-paused-workflow-retries-nothing-until-resumed")
async def _(conductor: Conductor) -> None:
    first, _, workflow_id = await two_steps(conductor)
    task = await conductor.take(first)
    await pause(conductor, workflow_id)
    await conductor.update(task, "FAILED")
    assert await conductor.statuses(workflow_id) == ["FAILED"]
    await conductor.ok("PUT", f"/workflow/{workflow_id}/resume")
    assert await conductor.statuses(workflow_id) == ["FAILED", "SCHEDULED"]


@case("5.8-a-paused-workflow-takes-hand-backs-and-heartbeats")
async def _(conductor: Conductor) -> None:
    first, _, workflow_id = await two_steps(conductor)
    task = await conductor.take(first)
    await pause(conductor, workflow_id)
    await conductor.elapse(0.1)
    await conductor.extend(task)
    assert (await conductor.task(task))["updateTime"] > task["updateTime"]
    await conductor.update(task, "IN_PROGRESS")
    again = await conductor.take(first)
    assert (again["taskId"], again["pollCount"]) == (task["taskId"], 2)


# ---------------------------------------------------------------- terminate


@case("5.8-terminate-cancels-what-is-alive")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await terminated(conductor)
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["reasonForIncompletion"]) == ("TERMINATED", "enough")
    after = await conductor.task(task)
    assert after["status"] == "CANCELED"
    assert after["endTime"] > 0
    assert "reasonForIncompletion" not in after


@case("5.8-terminate-takes-tasks-out-of-their-queues")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    waiting, delayed = await conductor.start(name), await conductor.start(name)
    task = await conductor.take(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=1)
    assert await conductor.size(name) == 2
    for workflow_id in (waiting, delayed):
        await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert await conductor.size(name) == 0
    assert await conductor.poll(name, timeout=1300) == []


@case("5.8-a-canceled-task-takes-no-result")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await terminated(conductor)
    before = await conductor.workflow(workflow_id)
    await conductor.update(task, "COMPLETED", outputData={"late": True})
    await conductor.update(task, "FAILED", reasonForIncompletion="late")
    assert await conductor.workflow(workflow_id) == before


@case("5.8-a-canceled-task-takes-no-heartbeat")
async def _(conductor: Conductor) -> None:
    _, task = await terminated(conductor)
    before = await conductor.task(task)
    await conductor.elapse(0.1)
    await conductor.extend(task)
    assert await conductor.task(task) == before


@case("5.8-a-canceled-task-cannot-be-handed-back")
async def _(conductor: Conductor) -> None:
    _, task = await terminated(conductor)
    await conductor.update(task, "IN_PROGRESS")
    assert (await conductor.task(task))["status"] == "CANCELED"
    assert await conductor.poll(task["taskType"]) == []


@case("5.8-a-canceled-task-by-v2-still-polls")
async def _(conductor: Conductor) -> None:
    _, task = await terminated(conductor)
    assert await conductor.update_v2(task, "COMPLETED", workerId="w") is None
    other = await conductor.start(task["taskType"])
    found = await conductor.update_v2(task, "COMPLETED", workerId="w")
    assert found["workflowInstanceId"] == other


@case("5.8-terminate-without-a-reason")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await conductor.begin(await conductor.single())
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found.get("reasonForIncompletion")) == ("TERMINATED", None)


# ---------------------------------------------------------------- remove


@case("5.8-a-removed-workflow-is-404")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.ok("DELETE", f"/workflow/{workflow_id}/remove?archiveWorkflow=false")
    error = await conductor.refused(404, "GET", f"/workflow/{workflow_id}")
    assert error["message"] == f"No such workflow found by id: {workflow_id}"
    error = await conductor.refused(404, "POST", "/tasks", {**ids(task), "status": "COMPLETED"})
    assert error["message"] == f"No such workflow found by id: {workflow_id}"
    await conductor.refused(404, "GET", f"/tasks/{task['taskId']}")


@case("5.8-a-removed-workflow-leaves-nothing-to-poll")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}/remove?archiveWorkflow=false")
    assert await conductor.poll(name) == []
