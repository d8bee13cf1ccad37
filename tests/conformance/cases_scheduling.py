"""Sections 5.1 and 5.2 of the contract: how a task gets into its queue, and what a poll does to it."""

from black_box import Conductor
from conformance_cases import case

# 5.1


@case("5.1-start-puts-the-task-into-its-queue")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    assert (await conductor.statuses(workflow_id), await conductor.size(name)) == (["SCHEDULED"], 1)


@case("5.1-start-delay-holds-the-task-back")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    flow = await conductor.flow({"name": name, "taskReferenceName": name, "startDelay": 1})
    with conductor.took(1.0, 1.3):
        workflow_id = await conductor.start(flow)
        assert await conductor.statuses(workflow_id) == ["SCHEDULED"]
        assert await conductor.poll(name, timeout=1) == []
        task = await conductor.take(name, timeout=3000)
    assert task["startDelayInSeconds"] == 1


@case("5.1-definitions-are-as-they-were-at-the-start")
async def _(conductor: Conductor) -> None:
    names = [conductor.unique(), conductor.unique()]
    await conductor.define(*names, responseTimeoutSeconds=50)
    flow = await conductor.flow(*names)
    workflow_id = await conductor.start(flow)
    await conductor.define(*names, responseTimeoutSeconds=99)
    await conductor.flow(names[0], name=flow)
    task = await conductor.take(names[0])
    assert task["taskDefinition"]["responseTimeoutSeconds"] == 50
    await conductor.update(task, "COMPLETED")
    successor = await conductor.take(names[1])
    assert (successor["workflowInstanceId"], successor["responseTimeoutSeconds"]) == (workflow_id, 50)


@case("5.1-successor-is-queued-when-the-update-has-returned")
async def _(conductor: Conductor) -> None:
    names = [conductor.unique() for _ in range(4)]
    await conductor.define(*names)
    await conductor.start(await conductor.flow(*names))
    for name in names:
        assert await conductor.size(name) == 1
        await conductor.update(await conductor.take(name), "COMPLETED")


# 5.2: what a poll does to a task


@case("5.2-taken-task-is-in-progress-with-the-pollers-id")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    before = await conductor.last(workflow_id)
    await conductor.elapse(0.05)
    task = await conductor.take(name, workerid="me")
    assert (task["status"], task["pollCount"], task["workerId"]) == ("IN_PROGRESS", 1, "me")
    assert (task["callbackAfterSeconds"], await conductor.size(name)) == (0, 0)
    assert task["startTime"] > before["scheduledTime"]
    assert task["updateTime"] >= task["startTime"]


@case("5.2-poller-without-an-id-leaves-none")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", workerId="before")
    (again,) = await conductor.get(f"/tasks/poll/batch/{name}?timeout=1000")
    assert "workerId" not in again


@case("5.2-taken-task-is-gone-until-its-response-timeout")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(responseTimeoutSeconds=1, retryDelaySeconds=0)
    workflow_id, task = await conductor.begin(name)
    assert await conductor.poll(name) == []
    await conductor.elapse(1.15)
    await conductor.decide(workflow_id)
    assert (await conductor.take(name))["retriedTaskId"] == task["taskId"]


@case("5.2-tasks-of-a-paused-workflow-are-handed-out")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    await conductor.ok("PUT", f"/workflow/{workflow_id}/pause")
    assert (await conductor.take(name))["workflowInstanceId"] == workflow_id


@case("5.2-tasks-of-a-terminated-workflow-are-not-handed-out")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert await conductor.poll(name) == []
    assert await conductor.size(name) == 0
