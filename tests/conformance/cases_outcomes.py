"""Section 5.6 of the contract: what follows from the end of a task."""

from black_box import Conductor
from conformance_cases import case


def gone_wrong(task: object, status: str, reason: str) -> str:
    """Return the sentence that a workflow gives as its reason when it ends with a task."""
    assert isinstance(task, dict)
    return f"Task {task['taskId']} failed with status: {status} and reason: '{reason}'"


@case("5.6-failed-with-attempts-left-is-retried")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(retryDelaySeconds=0))
    await conductor.update(task, "FAILED", reasonForIncompletion="boom", outputData={"a": 1})
    first, second = (await conductor.workflow(workflow_id))["tasks"]
    assert (first["status"], first["retried"], first["outputData"]) == ("FAILED", True, {"a": 1})
    assert (second["status"], second["retried"]) == ("SCHEDULED", False)
    assert await conductor.status(workflow_id) == "RUNNING"


@case("5.6-the-new-attempt-begins-afresh")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(retryDelaySeconds=30))
    await conductor.update(
        task, "FAILED", reasonForIncompletion="boom", outputData={"a": 1}, callbackAfterSeconds=9
    )
    again = await conductor.last(workflow_id)
    assert again["taskId"] != task["taskId"] == again["retriedTaskId"]
    assert (again["retryCount"], again["pollCount"], again["outputData"]) == (1, 0, {})
    assert again["reasonForIncompletion"] == "boom"
    assert (again["callbackAfterSeconds"], again["startDelayInSeconds"]) == (30, 30)
    assert (again["startTime"], again["endTime"], again["updateTime"]) == (0, 0, 0)
    assert again["seq"] == task["seq"] + 1
    assert "workerId" not in again


@case("5.6-the-new-attempt-is-delivered-after-its-delay")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryDelaySeconds=2)
    _, task = await conductor.begin(name)
    with conductor.took(2.0, 2.2):
        await conductor.update(task, "FAILED")
        assert await conductor.poll(name, timeout=500) == []
        again = await conductor.take(name, timeout=4000)
    assert again["retryCount"] == 1
    assert again["startTime"] - again["scheduledTime"] == again["queueWaitTime"] >= 1900


@case("5.6-attempts-are-retryCount-plus-one")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=2, retryDelaySeconds=0)
    workflow_id = await conductor.start(name)
    for _ in range(3):
        await conductor.update(await conductor.take(name), "FAILED")
    found = await conductor.workflow(workflow_id)
    assert [(task["status"], task["retried"]) for task in found["tasks"]] == [
        ("FAILED", True),
        ("FAILED", True),
        ("FAILED", False),
    ]
    assert found["status"] == "FAILED"


@case("5.6-failed-without-attempts-left-fails-the-workflow")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "FAILED", reasonForIncompletion="boom", outputData={"a": 1})
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "FAILED"
    assert found["reasonForIncompletion"] == gone_wrong(task, "FAILED", "boom")
    assert (found["failedReferenceTaskNames"], found["failedTaskNames"]) == ([name], [name])
    assert found["output"] == {"a": 1}
    assert found["endTime"] > 0


@case("5.6-failed-without-a-reason-says-null")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(retryCount=0))
    await conductor.update(task, "FAILED")
    found = await conductor.workflow(workflow_id)
    assert found["reasonForIncompletion"] == gone_wrong(task, "FAILED", "null")


@case("5.6-what-has-failed-stands-in-the-order-of-a-java-set")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, retryCount=0)
    # Their places in a table of 16: 5, 1, 10, 0.
    references = ["r7", "r20", "r1j", "r2"]
    steps = [{"name": name, "taskReferenceName": reference, "permissive": True} for reference in references]
    workflow_id = await conductor.start(await conductor.flow(*steps))
    for _ in references:
        await conductor.update(await conductor.take(name), "FAILED")
    await conductor.decide(workflow_id)
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "FAILED"
    assert found["failedReferenceTaskNames"] == ["r2", "r20", "r7", "r1j"]


@case("5.6-a-terminal-error-is-not-retried")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(retryCount=5, retryDelaySeconds=0))
    await conductor.update(task, "FAILED_WITH_TERMINAL_ERROR", reasonForIncompletion="boom")
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "FAILED"
    assert [task["status"] for task in found["tasks"]] == ["FAILED_WITH_TERMINAL_ERROR"]
    assert found["reasonForIncompletion"] == gone_wrong(task, "FAILED", "boom")


@case("5.6-canceled-by-the-worker-terminates-the-workflow")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(retryCount=5, retryDelaySeconds=0))
    await conductor.update(task, "CANCELED", reasonForIncompletion="boom")
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "TERMINATED"
    assert [task["status"] for task in found["tasks"]] == ["CANCELED"]


@case("5.6-timed-out-without-attempts-left-times-the-workflow-out")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=0, responseTimeoutSeconds=1)
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "TIMED_OUT"
    reason = found["tasks"][0]["reasonForIncompletion"]
    assert found["reasonForIncompletion"] == gone_wrong(task, "TIMED_OUT", reason)


@case("5.6-an-optional-task-is-retried-first-then-forgiven")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second, retryCount=1, retryDelaySeconds=0)
    flow = await conductor.flow({"name": first, "taskReferenceName": first, "optional": True}, second)
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(first), "FAILED")
    assert await conductor.statuses(workflow_id) == ["FAILED", "SCHEDULED"]
    await conductor.update(await conductor.take(first), "FAILED", outputData={"a": 1})
    assert await conductor.timeline(workflow_id) == [
        (first, "FAILED", 0),
        (first, "COMPLETED_WITH_ERRORS", 1),
        (second, "SCHEDULED", 0),
    ]
    await conductor.update(await conductor.take(second), "COMPLETED")
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("5.6-an-optional-task-forgives-a-terminal-error")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second)
    flow = await conductor.flow({"name": first, "taskReferenceName": first, "optional": True}, second)
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(first), "FAILED_WITH_TERMINAL_ERROR")
    assert await conductor.timeline(workflow_id) == [
        (first, "COMPLETED_WITH_ERRORS", 0),
        (second, "SCHEDULED", 0),
    ]


@case("5.6-an-optional-task-forgives-a-timeout")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, retryCount=0, responseTimeoutSeconds=1)
    await conductor.define(second)
    flow = await conductor.flow({"name": first, "taskReferenceName": first, "optional": True}, second)
    workflow_id = await conductor.start(flow)
    await conductor.take(first)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["COMPLETED_WITH_ERRORS", "SCHEDULED"]


@case("5.6-workers-cannot-send-completed-with-errors")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    body = {"workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"]}
    for status in ("COMPLETED_WITH_ERRORS", "TIMED_OUT", "SCHEDULED", "SKIPPED", "completed"):
        await conductor.refused(500, "POST", "/tasks", body | {"status": status})
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("5.6-a-permissive-task-lets-the-others-go-on-and-fails-at-the-end")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    await conductor.define(first, second, retryCount=0)
    flow = await conductor.flow({"name": first, "taskReferenceName": first, "permissive": True}, second)
    workflow_id = await conductor.start(flow)
    failed = await conductor.take(first)
    await conductor.update(failed, "FAILED", reasonForIncompletion="boom")
    assert await conductor.timeline(workflow_id) == [(first, "FAILED", 0), (second, "SCHEDULED", 0)]
    await conductor.update(await conductor.take(second), "COMPLETED")
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["failedReferenceTaskNames"]) == ("FAILED", [first])
    assert found["reasonForIncompletion"] == gone_wrong(failed, "FAILED", "boom")


@case("5.6-a-workflow-task-overrides-the-retries-of-its-definition")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, retryCount=3, retryDelaySeconds=0)
    flow = await conductor.flow({"name": name, "taskReferenceName": name, "retryCount": 0})
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(name), "FAILED")
    assert await conductor.status(workflow_id) == "FAILED"


@case("5.6-a-late-update-of-an-old-attempt-is-ignored")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(retryDelaySeconds=0))
    await conductor.update(task, "FAILED", reasonForIncompletion="boom")
    before = await conductor.workflow(workflow_id)
    await conductor.update(task, "COMPLETED", outputData={"late": True})
    assert await conductor.workflow(workflow_id) == before


@case("5.6-retry-makes-a-new-attempt-after-the-old-one")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "FAILED")
    reply = await conductor.request("POST", f"/workflow/{workflow_id}/retry")
    assert (reply.status, reply.raw) == (204, b"")
    assert await conductor.timeline(workflow_id) == [(name, "FAILED", 0), (name, "SCHEDULED", 1)]
    again = await conductor.take(name)
    assert again["retriedTaskId"] == task["taskId"]
    await conductor.update(again, "COMPLETED", outputData={"a": 1})
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["output"]) == ("COMPLETED", {"a": 1})
    assert found["lastRetriedTime"] > 0


@case("5.6-restart-replaces-the-tasks")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "FAILED")
    reply = await conductor.request("POST", f"/workflow/{workflow_id}/restart")
    assert (reply.status, reply.raw) == (204, b"")
    found = await conductor.workflow(workflow_id)
    assert [(item["status"], item["retryCount"]) for item in found["tasks"]] == [("SCHEDULED", 0)]
    assert found["tasks"][0]["taskId"] != task["taskId"]
    assert (found["status"], found["output"]) == ("RUNNING", {})
    assert "reasonForIncompletion" not in found
