"""Section 3 of the contract: fields of tasks, of definitions and of the request that starts a workflow."""

from black_box import Conductor
from conformance_cases import case

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


@case("3-start-takes-numbers-as-text-and-refuses-what-is-none")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for fields in ({"version": 1.5}, {"priority": "5"}, {"taskToDomain": {"a": 1}}, {"taskToDomain": None}):
        await conductor.start(name, **fields)
    for fields in ({"version": "x"}, {"input": [1]}, {"input": "text"}, {"priority": "high"}):
        await conductor.refused(500, "POST", "/workflow", {"name": name} | fields)


@case("3-start-external-input-path-counts-without-input-only")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    body = {"name": name, "externalInputPayloadStoragePath": "nosuch/in.json"}
    found = await conductor.refused(500, "POST", "/workflow", body)
    assert found["message"] == "Unable to download payload from external storage path: nosuch/in.json"
    workflow_id = await conductor.start(
        name, input={"a": 1}, externalInputPayloadStoragePath="nosuch/in.json"
    )
    assert (await conductor.workflow(workflow_id))["input"] == {"a": 1}
