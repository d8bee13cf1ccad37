"""Section 5.3 of the contract: updates, in the order in which the server looks at them."""

import anyio
from black_box import UNKNOWN, Conductor, ids
from conformance_cases import case


@case("5.3-1-extend-lease-ignores-all-else")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    more = {"outputData": {"a": 1}, "reasonForIncompletion": "r", "callbackAfterSeconds": 9, "workerId": "x"}
    body = {**ids(task), "extendLease": True, "status": "COMPLETED", "logs": ["line"], **more}
    assert await conductor.ok("POST", "/tasks", body) == task["taskId"]
    found = await conductor.task(task)
    assert found == task | {"updateTime": found["updateTime"]}
    assert await conductor.get(f"/tasks/{task['taskId']}/log") is None


@case("5.3-2-unknown-workflow-then-unknown-task")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    body = {"workflowInstanceId": UNKNOWN, "taskId": UNKNOWN, "status": "COMPLETED"}
    found = await conductor.refused(404, "POST", "/tasks", body)
    assert found["message"] == f"No such workflow found by id: {UNKNOWN}"
    found = await conductor.refused(404, "POST", "/tasks", body | {"workflowInstanceId": workflow_id})
    assert found["message"] == f"No such task found by id: {UNKNOWN}"
    await conductor.refused(404, "POST", "/tasks", body | {"taskId": task["taskId"]})
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("5.3-2-removed-workflow-is-unknown")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.ok("DELETE", f"/workflow/{workflow_id}/remove?archiveWorkflow=false")
    await conductor.refused(404, "POST", "/tasks", {**ids(task), "status": "COMPLETED"})


@case("5.3-2-task-of-another-workflow-is-completed-and-its-own-not-moved-on")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    other = await conductor.start(await conductor.single())
    await conductor.update(task | {"workflowInstanceId": other}, "COMPLETED")
    assert await conductor.statuses(workflow_id) == ["COMPLETED"]
    assert await conductor.status(workflow_id) == "RUNNING"
    await conductor.decide(workflow_id)
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("5.3-3-duplicate-changes-nothing")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", outputData={"a": 1})
    before = await conductor.task(task)
    await conductor.update(task, "COMPLETED", outputData={"a": 2}, workerId="x")
    assert await conductor.task(task) == before


@case("5.3-3-contradiction-changes-nothing")
async def _(conductor: Conductor) -> None:
    names = [conductor.unique(), conductor.unique()]
    await conductor.define(*names, retryDelaySeconds=0)
    workflow_id = await conductor.start(await conductor.flow(*names))
    task = await conductor.take(names[0])
    await conductor.update(task, "COMPLETED", outputData={"a": 1})
    before = await conductor.task(task)
    for status in ("FAILED", "IN_PROGRESS", "CANCELED", "FAILED_WITH_TERMINAL_ERROR"):
        await conductor.update(task, status, outputData={"a": 2}, reasonForIncompletion="no")
    assert await conductor.task(task) == before
    assert await conductor.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]


@case("5.3-3-late-after-a-timeout-changes-nothing")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(responseTimeoutSeconds=1, retryCount=1, retryDelaySeconds=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.15)
    await conductor.decide(workflow_id)
    await conductor.update(task, "COMPLETED", outputData={"a": 1})
    found = await conductor.task(task)
    assert (found["status"], found["outputData"]) == ("TIMED_OUT", {})
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


@case("5.3-3-late-after-terminate-changes-nothing")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    before = await conductor.task(task)
    for status in ("COMPLETED", "FAILED", "IN_PROGRESS"):
        await conductor.update(task, status, outputData={"a": 1})
    assert await conductor.task(task) == before
    assert before["status"] == "CANCELED"


@case("5.3-4-accepted-without-a-poll")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    await conductor.update(await conductor.last(workflow_id), "COMPLETED", outputData={"a": 1})
    workflow = await conductor.workflow(workflow_id)
    assert (workflow["status"], workflow["output"]) == ("COMPLETED", {"a": 1})
    assert await conductor.poll(name) == []


@case("5.3-4-accepted-from-a-worker-that-had-it-before")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", workerId="w")
    again = await conductor.take(name, workerid="other")
    assert again["workerId"] == "other"
    await conductor.update(task, "COMPLETED", workerId="w")
    assert (await conductor.task(task))["workerId"] == "w"
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("5.3-5-what-is-absent-is-emptied")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    more = {"outputData": {"a": 1}, "reasonForIncompletion": "r", "callbackAfterSeconds": 0, "workerId": "x"}
    await conductor.update(task, "IN_PROGRESS", **more)
    found = await conductor.task(task)
    assert {key: found[key] for key in more} == more
    await conductor.update(await conductor.take(name), "COMPLETED", outputData={"b": 2})
    found = await conductor.task(task)
    assert (found["outputData"], found["callbackAfterSeconds"]) == ({"b": 2}, 0)
    assert not {"reasonForIncompletion", "workerId"} & set(found)


@case("5.3-7-terminal-status-ends-the-task-and-decides-the-workflow")
async def _(conductor: Conductor) -> None:
    names = [conductor.unique(), conductor.unique()]
    await conductor.define(*names)
    workflow_id = await conductor.start(await conductor.flow(*names))
    task = await conductor.take(names[0])
    await conductor.update(task, "COMPLETED", callbackAfterSeconds=60)
    found = await conductor.task(task)
    assert found["endTime"] > 0
    assert found["callbackAfterSeconds"] == 60
    assert await conductor.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]
    assert await conductor.size(names[1]) == 1


@case("5.3-8-concurrent-duplicates-never-schedule-two-successors")
async def _(conductor: Conductor) -> None:
    for status, after in (("COMPLETED", ["COMPLETED", "SCHEDULED"]), ("FAILED", ["FAILED", "SCHEDULED"])):
        names = [conductor.unique(), conductor.unique()]
        await conductor.define(*names, retryDelaySeconds=0)
        workflow_id = await conductor.start(await conductor.flow(*names))
        task = await conductor.take(names[0])
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(conductor.update, task, status)
        await conductor.decide(workflow_id)
        assert await conductor.statuses(workflow_id) == after


@case(
    "5.3-log-without-text-is-refused-after-storing-and-before-the-decide",
    only=("dev", "sqlite", "postgres"),
    why="13: Redis has no index and misses no log",
)
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    body = {**ids(task), "status": "COMPLETED", "outputData": {"a": 1}, "logs": [{}]}
    await conductor.refused(500, "POST", "/tasks", body)
    found = await conductor.task(task)
    assert (found["status"], found["outputData"]) == ("COMPLETED", {"a": 1})
    assert await conductor.status(workflow_id) == "RUNNING"
    await conductor.update(task, "COMPLETED")
    assert await conductor.status(workflow_id) == "RUNNING"
    await conductor.decide(workflow_id)
    assert await conductor.status(workflow_id) == "COMPLETED"


# Bodies


@case("1-body-may-be-any-kind-of-json-with-a-byte-order-mark")
async def _(conductor: Conductor) -> None:
    kinds = ("application/json", "application/json; charset=utf-8", "application/vnd.x+json")
    for kind in kinds:
        _, task = await conductor.begin(await conductor.single())
        text = f'{{"workflowInstanceId":"{task["workflowInstanceId"]}","taskId":"{task["taskId"]}",'
        content = b"\xef\xbb\xbf" + f'{text}"status":"FAILED","status":"COMPLETED"}}'.encode()
        reply = await conductor.request("POST", "/tasks", content=content, headers={"content-type": kind})
        assert reply.status == 200
        assert (await conductor.task(task))["status"] == "COMPLETED"
