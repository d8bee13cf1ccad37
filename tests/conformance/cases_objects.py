"""Section 3 of the contract: fields: what is needed, what the defaults are, what is kept."""

from typing import Any

from black_box import Conductor, ids
from conformance_cases import CaseFunction, case

INDEXED = ("dev", "sqlite", "postgres")
NO_LOGS = "13: Redis has no index, so logs are dropped"

# TaskResult


@case("3-taskresult-needs-both-ids")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    for name in ("workflowInstanceId", "taskId"):
        for value in (None, ""):
            body = {**ids(task), "status": "COMPLETED", name: value}
            (violation,) = (await conductor.refused(400, "POST", "/tasks", body))["validationErrors"]
            assert violation["path"].endswith(name)
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("3-taskresult-status-is-one-of-five-in-upper-case")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    for status in ("completed", "SCHEDULED", "TIMED_OUT", "COMPLETED_WITH_ERRORS", "SKIPPED", "", None):
        await conductor.refused(500, "POST", "/tasks", {**ids(task), "status": status})
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"
    for status in ("COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "CANCELED"):
        _, task = await conductor.begin(await conductor.single(retryCount=0))
        await conductor.update(task, status)
        assert (await conductor.task(task))["status"] == status


@case("3-taskresult-output-must-be-an-object")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    for output in ([1], "text", "", 1, True):
        body = {**ids(task), "status": "COMPLETED", "outputData": output}
        await conductor.refused(500, "POST", "/tasks", body)
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("3-taskresult-output-absent-or-null-is-empty")
async def _(conductor: Conductor) -> None:
    for fields in ({}, {"outputData": None}):
        _, task = await conductor.begin(await conductor.single())
        await conductor.update(task, "COMPLETED", **fields)
        assert (await conductor.task(task))["outputData"] == {}


@case("3-taskresult-output-keeps-nulls-numbers-and-characters")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    output = {
        "null": None,
        "large": 12345678901234567890,
        "huge": 1.0e300,
        "fraction": 0.1,
        "zero": 0,
        "false": False,
        "empty": "",
        "nested": {"list": [1, [None, {}]], "text": 'é世😀\n"\\'},
    }
    await conductor.update(task, "COMPLETED", outputData=output)
    assert (await conductor.task(task))["outputData"] == output


@case("3-taskresult-reason-is-cut-at-500-and-kept-with-completed-too")
async def _(conductor: Conductor) -> None:
    for length, kept in ((499, 499), (500, 500), (501, 500), (2000, 500)):
        _, task = await conductor.begin(await conductor.single())
        await conductor.update(task, "COMPLETED", reasonForIncompletion="x" * length)
        assert (await conductor.task(task))["reasonForIncompletion"] == "x" * kept


def callback(value: Any, seconds: int) -> CaseFunction:
    async def show(conductor: Conductor) -> None:
        _, task = await conductor.begin(await conductor.single())
        await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=value)
        assert (await conductor.task(task))["callbackAfterSeconds"] == seconds

    return show


case("3-taskresult-callback-with-a-fraction-is-truncated")(callback(61.9, 61))
case("3-taskresult-callback-as-text-is-a-number")(callback("62", 62))
case("3-taskresult-callback-null-is-0")(callback(None, 0))
case("3-taskresult-callback-of-empty-text-is-0")(callback("", 0))


@case("3-taskresult-callback-that-is-no-number-is-refused")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    for value in ("x", "1.5", True, [1], {}):
        body = {**ids(task), "status": "IN_PROGRESS", "callbackAfterSeconds": value}
        await conductor.refused(500, "POST", "/tasks", body)
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("3-taskresult-worker-id-is-kept")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", workerId="another")
    assert (await conductor.task(task))["workerId"] == "another"


@case("3-taskresult-execution-metadata-is-accepted-and-not-kept")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", executionMetadata={"additionalContext": {"a": 1}})
    kept = (await conductor.task(task))["executionMetadata"]
    assert kept == {"additionalContext": {}, "additionalContextMap": {}, "empty": True}


@case("3-taskresult-unknown-properties-are-ignored")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", nosuch={"a": [1]}, outputData={"b": 2})
    assert (await conductor.task(task))["outputData"] == {"b": 2}


@case("3-taskresult-sub-workflow-id-is-kept")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", subWorkflowId="sub-1")
    assert (await conductor.task(task))["subWorkflowId"] == "sub-1"


@case("3-taskresult-external-output-path-under-which-nothing-is")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    body = {**ids(task), "status": "COMPLETED", "externalOutputPayloadStoragePath": "nosuch/path.json"}
    await conductor.refused(500, "POST", "/tasks", body)
    found = await conductor.task(task)
    assert (found["status"], found["externalOutputPayloadStoragePath"]) == ("COMPLETED", "nosuch/path.json")
    assert await conductor.get(f"/workflow/{workflow_id}/status") == {
        "workflowId": workflow_id,
        "status": "RUNNING",
    }


# Logs of a TaskResult


async def lines(conductor: Conductor, task: Any) -> list[Any]:
    """Return a task's log."""
    return await conductor.get(f"/tasks/{task['taskId']}/log") or []


@case("3-logs-first-ten-of-each-update-are-kept", only=INDEXED, why=NO_LOGS)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    for turn in (1, 2):
        logs = [{"log": f"{turn}-{n}", "createdTime": turn * 100 + n} for n in range(12)]
        await conductor.update(task, "IN_PROGRESS", logs=logs)
        found = {line["log"] for line in await lines(conductor, task)}
        assert found == {f"{past}-{n}" for past in range(1, turn + 1) for n in range(10)}


@case("3-logs-createdtime-is-the-senders-or-0", only=INDEXED, why=NO_LOGS)
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    logs = [{"log": "a", "createdTime": 5}, {"log": "b"}, {"log": "c", "createdTime": None}]
    await conductor.update(task, "COMPLETED", logs=logs)
    found = {line["log"]: line["createdTime"] for line in await lines(conductor, task)}
    assert found == {"a": 5, "b": 0, "c": 0}


@case("3-logs-task-id-is-the-tasks", only=INDEXED, why=NO_LOGS)
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", logs=[{"log": "a", "taskId": "another"}])
    (line,) = await lines(conductor, task)
    assert line["taskId"] == task["taskId"]


@case("3-logs-bare-text-is-a-line", only=INDEXED, why=NO_LOGS)
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", logs=["bare"])
    (line,) = await lines(conductor, task)
    assert line["log"] == "bare"
    assert abs(line["createdTime"] - conductor.now()) < 5000


@case("3-logs-empty-or-null-are-fine")
async def _(conductor: Conductor) -> None:
    for logs in ([], None):
        _, task = await conductor.begin(await conductor.single())
        await conductor.update(task, "COMPLETED", logs=logs)
        assert await lines(conductor, task) == []


@case("3-logs-must-be-a-list-of-lines")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    for logs in ("text", {"log": "x"}, [1]):
        await conductor.refused(500, "POST", "/tasks", {**ids(task), "status": "COMPLETED", "logs": logs})
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("3-logs-of-an-ignored-update-are-dropped")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED")
    await conductor.update(task, "COMPLETED", logs=["late"])
    assert await lines(conductor, task) == []


# Task


@case("3-task-names-its-type-three-times")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    assert task["taskType"] == task["taskDefName"] == task["workflowTask"]["name"]
    assert task["workflowTask"]["type"] == "SIMPLE"


@case("3-task-updatetime-moves-on-poll-and-heartbeat-and-not-on-an-update")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    scheduled = await conductor.last(workflow_id)
    await conductor.elapse(0.05)
    polled = await conductor.take(name)
    assert polled["updateTime"] > scheduled["updateTime"]
    await conductor.elapse(0.05)
    await conductor.extend(polled)
    beaten = await conductor.task(polled)
    assert beaten["updateTime"] > polled["updateTime"]
    await conductor.elapse(0.05)
    await conductor.update(polled, "COMPLETED")
    assert (await conductor.task(polled))["updateTime"] == beaten["updateTime"]


@case("3-task-starttime-is-the-first-poll-and-survives-hand-backs")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    assert (await conductor.last(workflow_id))["startTime"] == 0
    first = await conductor.take(name)
    await conductor.elapse(0.05)
    await conductor.update(first, "IN_PROGRESS")
    second = await conductor.take(name)
    assert second["startTime"] == first["startTime"] > 0


@case("3-task-endtime-is-0-until-the-task-ends")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    assert task["endTime"] == 0
    await conductor.update(task, "IN_PROGRESS")
    assert (await conductor.task(task))["endTime"] == 0
    await conductor.update(task, "COMPLETED")
    assert (await conductor.task(task))["endTime"] >= task["startTime"]


@case("3-task-queuewaittime-is-from-scheduling-to-the-first-poll")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    assert (await conductor.last(workflow_id))["queueWaitTime"] == 0
    await conductor.elapse(0.3)
    task = await conductor.take(name)
    assert task["queueWaitTime"] == task["startTime"] - task["scheduledTime"] >= 280


@case("3-task-executed-is-false-while-the-decider-has-not-gone-past-it")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    assert task["executed"] is False
    await conductor.update(task, "COMPLETED")
    assert (await conductor.task(task))["executed"] is False


@case("3-task-carries-correlation-id-priority-and-seq")
async def _(conductor: Conductor) -> None:
    names = [conductor.unique(), conductor.unique()]
    await conductor.define(*names)
    flow = await conductor.flow(*names)
    workflow_id = await conductor.start(flow, correlationId="c-7", priority=3)
    await conductor.update(await conductor.take(names[0]), "COMPLETED")
    second = await conductor.take(names[1])
    assert (second["correlationId"], second["workflowPriority"], second["seq"]) == ("c-7", 3, 2)
    assert (second["workflowType"], second["workflowInstanceId"]) == (flow, workflow_id)


# Definitions


@case("3-taskdef-server-sets-its-own-times-and-authors")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, createTime=5, updateTime=6, createdBy="me", updatedBy="you")
    found = await conductor.get(f"/metadata/taskdefs/{name}")
    assert abs(found["createTime"] - conductor.now()) < 5000
    assert (found["updateTime"], found["createdBy"], "updatedBy" in found) == (0, "", False)


@case("3-taskdef-schema-is-kept-and-never-enforced")
async def _(conductor: Conductor) -> None:
    schema = {"name": "s", "version": 1, "type": "JSON", "data": {"required": ["must"]}}
    name = await conductor.single(inputSchema=schema, outputSchema=schema, enforceSchema=True)
    found = await conductor.get(f"/metadata/taskdefs/{name}")
    assert found["inputSchema"] == schema | {"createTime": 0, "updateTime": 0}
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "COMPLETED", outputData={"other": 1})
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("3-taskdef-schema-needs-nothing")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(inputSchema={})
    await conductor.begin(name)


@case("3-taskdef-isolation-group-and-namespace-do-not-change-the-queue")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(isolationGroupId="iso", executionNameSpace="ns")
    await conductor.begin(name)


@case("3-taskdef-owner-email-is-not-checked")
async def _(conductor: Conductor) -> None:
    for fields in ({}, {"ownerEmail": "not an address"}):
        name = conductor.unique()
        await conductor.define(name, **fields)
        assert (await conductor.get(f"/metadata/taskdefs/{name}")).get("ownerEmail") == fields.get(
            "ownerEmail"
        )


@case("3-workflowdef-schema-version-1-is-refused")
async def _(conductor: Conductor) -> None:
    steps = [{"name": "x", "taskReferenceName": "x"}]
    body = {"name": conductor.unique("w"), "tasks": steps, "schemaVersion": 1}
    await conductor.refused(400, "POST", "/metadata/workflow", body)


@case("3-workflowtask-needs-a-name-and-a-reference-name")
async def _(conductor: Conductor) -> None:
    for step in ({"name": "x"}, {"taskReferenceName": "x"}):
        body = {"name": conductor.unique("w"), "tasks": [step]}
        await conductor.refused(400, "POST", "/metadata/workflow", body)


@case("3-workflowtask-retry-count-overrides-the-taskdefs-also-with-0")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, retryCount=3)
    flow = await conductor.flow({"name": name, "taskReferenceName": name, "retryCount": 0})
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(name), "FAILED")
    assert await conductor.statuses(workflow_id) == ["FAILED"]
    assert await conductor.status(workflow_id) == "FAILED"


@case("3-workflowtask-inline-taskdefinition-is-used")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    inline = {"name": name, "responseTimeoutSeconds": 77, "retryCount": 0}
    flow = await conductor.flow({"name": name, "taskReferenceName": name, "taskDefinition": inline})
    await conductor.start(flow)
    assert (await conductor.take(name))["responseTimeoutSeconds"] == 77


# StartWorkflow


@case("3-start-takes-the-latest-version-or-the-given-one-also-as-text")
async def _(conductor: Conductor) -> None:
    name = await conductor.flow(conductor.unique(), version=1)
    await conductor.flow(conductor.unique(), name=name, version=3)
    for fields, version in (({}, 3), ({"version": 1}, 1), ({"version": "1"}, 1)):
        workflow_id = await conductor.start(name, **fields)
        assert (await conductor.workflow(workflow_id))["workflowVersion"] == version


@case("3-start-priority-is-from-0-to-99")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for priority in (0, 99):
        workflow_id = await conductor.start(name, priority=priority)
        assert (await conductor.workflow(workflow_id))["priority"] == priority
    for priority in (-1, 100):
        await conductor.refused(400, "POST", "/workflow", {"name": name, "priority": priority})


@case("3-start-inline-definition-is-used-and-not-stored")
async def _(conductor: Conductor) -> None:
    name, step = conductor.unique("w"), conductor.unique()
    inline = {"name": name, "version": 1, "tasks": [{"name": step, "taskReferenceName": step}]}
    workflow_id = await conductor.start(name, workflowDef=inline)
    assert (await conductor.take(step))["workflowInstanceId"] == workflow_id
    await conductor.refused(404, "GET", f"/metadata/workflow/{name}")


@case("3-start-idempotency-key-has-no-effect")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    key = conductor.unique("key")
    first = await conductor.start(name, idempotencyKey=key)
    assert await conductor.start(name, idempotencyKey=key) != first


@case("3-start-keeps-correlation-id-domains-and-input")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    fields = {"correlationId": "c", "taskToDomain": {"x": "d"}, "input": {"a": [1, None]}}
    workflow = await conductor.workflow(await conductor.start(name, **fields))
    assert {key: workflow[key] for key in fields} == fields
