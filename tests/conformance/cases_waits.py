"""Section 9 of the contract: WAIT, SUB_WORKFLOW and the failure workflow."""

from typing import Any

from black_box import Conductor, ids
from conformance_cases import case
from workflow_steps import simple, sub_workflow, wait


async def waiting(conductor: Conductor, **given: Any) -> tuple[str, str]:
    """Start a workflow that waits before its only worker's task; return its id and the task's type."""
    name = conductor.unique()
    return await conductor.start(await conductor.flow(wait(**given), simple(name))), name


@case("9-wait-for-a-duration")
async def _(conductor: Conductor) -> None:
    workflow_id, name = await waiting(conductor, duration="1 seconds")
    assert await conductor.timeline(workflow_id) == [("wait", "IN_PROGRESS", 0)]
    with conductor.took(1.0, 1.3):
        await conductor.take(name, timeout=5000)
    assert await conductor.statuses(workflow_id) == ["COMPLETED", "IN_PROGRESS"]


@case("9-wait-spellings-of-a-duration")
async def _(conductor: Conductor) -> None:
    for duration, seconds in (("2s", 2), ("1 minute", 60), ("1 hours 1 minutes 1 seconds", 3661)):
        workflow_id, _ = await waiting(conductor, duration=duration)
        task = await conductor.last(workflow_id)
        assert (task["status"], task["callbackAfterSeconds"]) == ("IN_PROGRESS", seconds), duration


@case("9-wait-for-a-bad-duration-is-refused")
async def _(conductor: Conductor) -> None:
    for duration in ("soon", "PT1S"):
        body = {"name": conductor.unique("w"), "tasks": [wait(duration=duration)]}
        await conductor.refused(400, "POST", "/metadata/workflow", body)


@case("9-wait-until-a-time-that-has-passed")
async def _(conductor: Conductor) -> None:
    workflow_id, name = await waiting(conductor, until="2020-01-01 00:00 GMT")
    with conductor.took(0.0, 1.0):
        await conductor.take(name, timeout=5000)
    assert (await conductor.statuses(workflow_id))[0] == "COMPLETED"


@case("9-wait-for-a-signal-by-an-update")
async def _(conductor: Conductor) -> None:
    workflow_id, name = await waiting(conductor)
    task = await conductor.last(workflow_id)
    assert (task["taskType"], task["status"]) == ("WAIT", "IN_PROGRESS")
    await conductor.update(task, "COMPLETED", outputData={"s": 1})
    assert (await conductor.task(task))["outputData"] == {"s": 1}
    assert len(await conductor.poll(name)) == 1


@case("9-wait-for-a-signal-by-reference")
async def _(conductor: Conductor) -> None:
    workflow_id, name = await waiting(conductor)
    await conductor.ok("POST", f"/tasks/{workflow_id}/wait/COMPLETED", {"s": 1})
    assert (await conductor.workflow(workflow_id))["tasks"][0]["outputData"] == {"s": 1}
    assert len(await conductor.poll(name)) == 1


@case("9-wait-may-be-cut-short")
async def _(conductor: Conductor) -> None:
    workflow_id, name = await waiting(conductor, duration="1 hours")
    await conductor.update(await conductor.last(workflow_id), "COMPLETED")
    assert len(await conductor.poll(name)) == 1


@case("9-wait-may-fail")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await waiting(conductor)
    task = await conductor.last(workflow_id)
    await conductor.update(task, "FAILED", reasonForIncompletion="no")
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["failedReferenceTaskNames"]) == ("FAILED", ["wait"])


@case("9-wait-cannot-be-polled")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await waiting(conductor)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert await conductor.statuses(workflow_id) == ["CANCELED"]


# ---------------------------------------------------------------- SUB_WORKFLOW


async def nested(conductor: Conductor, **fields: Any) -> tuple[str, str, Any]:
    """Start a workflow in a workflow; return the outer one's id, what type follows, and the inner task."""
    inner, after = conductor.unique(), conductor.unique()
    await conductor.define(inner, after, retryCount=0)
    called = await conductor.flow(
        simple(inner, "in", inputParameters={"p": "${workflow.input.k}"}),
        outputParameters={"r": "${in.output.x}"},
    )
    flow = await conductor.flow(sub_workflow(called, k="${workflow.input.v}"), simple(after))
    workflow_id = await conductor.start(flow, **fields)
    return workflow_id, after, await conductor.take(inner)


@case("9-sub-workflow-starts-with-its-input")
async def _(conductor: Conductor) -> None:
    workflow_id, _, task = await nested(conductor, input={"v": [1]}, correlationId="cc")
    assert task["inputData"] == {"p": [1]}
    child = await conductor.workflow(task["workflowInstanceId"])
    (sub,) = (await conductor.workflow(workflow_id))["tasks"]
    assert (sub["taskType"], sub["status"]) == ("SUB_WORKFLOW", "IN_PROGRESS")
    assert sub["subWorkflowId"] == sub["outputData"]["subWorkflowId"] == child["workflowId"]
    assert child["parentWorkflowId"] == workflow_id
    assert child["parentWorkflowTaskId"] == sub["taskId"]
    assert (child["input"], child["correlationId"]) == ({"k": [1]}, "cc")


@case("9-sub-workflow-completes-with-its-output")
async def _(conductor: Conductor) -> None:
    workflow_id, after, task = await nested(conductor)
    await conductor.update(task, "COMPLETED", outputData={"x": 9})
    await conductor.take(after, timeout=5000)
    sub = (await conductor.workflow(workflow_id))["tasks"][0]
    assert sub["status"] == "COMPLETED"
    assert sub["outputData"] == {"subWorkflowId": sub["subWorkflowId"], "r": 9}


@case("9-sub-workflow-fails-with-the-inner-one")
async def _(conductor: Conductor) -> None:
    workflow_id, _, task = await nested(conductor)
    await conductor.update(task, "FAILED", reasonForIncompletion="boom")

    async def has_failed() -> bool:
        return await conductor.status(workflow_id) == "FAILED"

    await conductor.until(has_failed)
    sub = await conductor.last(workflow_id)
    assert sub["status"] == "FAILED"
    assert "boom" in sub["reasonForIncompletion"]


@case("9-sub-workflow-that-has-failed-and-is-terminated-cancels-its-task")
async def _(conductor: Conductor) -> None:
    workflow_id, _, task = await nested(conductor)
    await conductor.update(task, "FAILED", reasonForIncompletion="boom")

    async def has_failed() -> bool:
        return await conductor.status(workflow_id) == "FAILED"

    await conductor.until(has_failed)
    await conductor.ok("DELETE", f"/workflow/{task['workflowInstanceId']}?reason=enough")
    sub = await conductor.last(workflow_id)
    assert sub["status"] == "CANCELED"
    assert sub["reasonForIncompletion"].endswith("failure reason: enough")
    assert await conductor.status(workflow_id) == "FAILED"


@case("9-sub-workflow-ends-with-the-outer-one")
async def _(conductor: Conductor) -> None:
    workflow_id, _, task = await nested(conductor)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}?reason=enough")

    async def is_canceled() -> bool:
        return (await conductor.task(task))["status"] == "CANCELED"

    await conductor.until(is_canceled)
    assert await conductor.status(task["workflowInstanceId"]) == "TERMINATED"
    assert await conductor.statuses(workflow_id) == ["CANCELED"]


@case("9-sub-workflow-without-a-version-is-the-latest")
async def _(conductor: Conductor) -> None:
    called, old, new = conductor.unique("w"), conductor.unique(), conductor.unique()
    await conductor.flow(old, name=called, version=1)
    await conductor.flow(new, name=called, version=2)
    await conductor.start(await conductor.flow(sub_workflow(called, version=None)))
    assert (await conductor.take(new, timeout=5000))["workflowType"] == called


@case("9-sub-workflow-task-cannot-be-updated-late")
async def _(conductor: Conductor) -> None:
    workflow_id, _, task = await nested(conductor)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    reply = await conductor.request("POST", "/tasks", json={**ids(task), "status": "COMPLETED"})
    assert (reply.status, reply.body) == (200, task["taskId"])


# ---------------------------------------------------------------- failureWorkflow


async def failed(conductor: Conductor, **fields: Any) -> tuple[Any, Any]:
    """Fail a workflow that names another for that; return the task as polled and the other workflow."""
    name, after = conductor.unique(), conductor.unique()
    await conductor.define(name, retryCount=0)
    flow = await conductor.flow(name, failureWorkflow=await conductor.flow(after))
    workflow_id, task = await conductor.start(flow, **fields), await conductor.take(name)
    await conductor.update(task, "FAILED", reasonForIncompletion="boom")
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "FAILED"
    started = await conductor.take(after)
    assert found["output"] == {"conductor.failure_workflow": started["workflowInstanceId"]}
    return task, await conductor.workflow(started["workflowInstanceId"])


@case("9-failure-workflow-is-started-with-what-went-wrong")
async def _(conductor: Conductor) -> None:
    task, found = await failed(conductor, input={"k": 1}, correlationId="cc")
    given = found["input"]
    assert given["workflowId"] == given["failedWorkflow"]["workflowId"] == task["workflowInstanceId"]
    assert (given["failureStatus"], given["failureTaskId"]) == ("FAILED", task["taskId"])
    assert given["reason"] == f"Task {task['taskId']} failed with status: FAILED and reason: 'boom'"
    assert (given["k"], found["correlationId"], found["status"]) == (1, "cc", "RUNNING")


@case("9-failure-workflow-is-not-started-by-a-termination")
async def _(conductor: Conductor) -> None:
    name, after = conductor.unique(), conductor.unique()
    flow = await conductor.flow(name, failureWorkflow=await conductor.flow(after))
    workflow_id = await conductor.start(flow)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert await conductor.poll(after) == []
    assert (await conductor.workflow(workflow_id))["output"] == {}


@case("9-failure-workflow-that-is-not-there")
async def _(conductor: Conductor) -> None:
    name, missing = conductor.unique(), conductor.unique("w")
    await conductor.define(name, retryCount=0)
    workflow_id = await conductor.start(await conductor.flow(name, failureWorkflow=missing))
    await conductor.update(await conductor.take(name), "FAILED")
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "FAILED"
    assert missing in found["output"]["conductor.failure_workflow"]
