"""Section 8 of the contract: workflow definitions, and starting by them."""

from typing import Any

from black_box import Conductor
from conformance_cases import case


def body(name: str, *types: str, **fields: Any) -> dict[str, Any]:
    """Return a definition."""
    tasks = [{"name": kind, "taskReferenceName": kind} for kind in types]
    return {"name": name, "tasks": tasks, **fields}


async def register(conductor: Conductor, *, version: int = 1, name: str | None = None, **fields: Any) -> Any:
    """Register a workflow of one task by POST; return its definition as sent."""
    sent = body(name or conductor.unique("w"), conductor.unique(), version=version, **fields)
    reply = await conductor.request("POST", "/metadata/workflow", json=sent)
    assert (reply.status, reply.raw) == (200, b"")
    return sent


@case("8-workflowdef-post-registers-with-defaults")
async def _(conductor: Conductor) -> None:
    sent = await register(conductor)
    found = await conductor.get(f"/metadata/workflow/{sent['name']}")
    shown = {"version": 1, "schemaVersion": 2, "restartable": True, "timeoutPolicy": "ALERT_ONLY"}
    shown |= {"timeoutSeconds": 0, "inputParameters": [], "outputParameters": {}, "variables": {}}
    shown |= {"inputTemplate": {}, "enforceSchema": True, "metadata": {}, "maskedFields": []}
    shown |= {"workflowStatusListenerEnabled": False}
    assert {key: found[key] for key in shown} == shown
    (task,) = found["tasks"]
    shown = {"type": "SIMPLE", "optional": False, "permissive": False, "startDelay": 0, "joinOn": []}
    shown |= {"forkTasks": [], "decisionCases": {}, "defaultCase": [], "asyncComplete": False}
    assert {key: task[key] for key in shown} == shown


@case("8-workflowdef-post-of-a-known-one-is-409")
async def _(conductor: Conductor) -> None:
    sent = await register(conductor)
    await conductor.refused(409, "POST", "/metadata/workflow", sent)


@case("8-workflowdef-post-with-overwrite")
async def _(conductor: Conductor) -> None:
    sent = await register(conductor, description="old")
    await conductor.ok("POST", "/metadata/workflow?overwrite=true", sent | {"description": "new"})
    assert (await conductor.get(f"/metadata/workflow/{sent['name']}"))["description"] == "new"


@case("8-workflowdef-put-registers-and-replaces")
async def _(conductor: Conductor) -> None:
    name = conductor.unique("w")
    for description in ("old", "new"):
        sent = body(name, conductor.unique(), description=description)
        answer = await conductor.ok("PUT", "/metadata/workflow", [sent])
        assert answer == {"bulkErrorResults": {}, "bulkSuccessfulResults": [name]}
        assert (await conductor.get(f"/metadata/workflow/{name}"))["description"] == description


@case("8-workflowdef-get-without-a-version-is-the-latest")
async def _(conductor: Conductor) -> None:
    name = conductor.unique("w")
    for version in (1, 3, 2):
        await register(conductor, name=name, version=version)
    assert (await conductor.get(f"/metadata/workflow/{name}"))["version"] == 3
    assert (await conductor.get(f"/metadata/workflow/{name}?version=2"))["version"] == 2


@case("8-workflowdef-get-of-an-unknown-one-is-404")
async def _(conductor: Conductor) -> None:
    sent = await register(conductor)
    error = await conductor.refused(404, "GET", f"/metadata/workflow/{sent['name']}?version=9")
    assert error["message"] == f"No such workflow found by name: {sent['name']}, version: 9"
    await conductor.refused(404, "GET", f"/metadata/workflow/{conductor.unique()}")


@case("8-workflowdef-delete")
async def _(conductor: Conductor) -> None:
    name = conductor.unique("w")
    for version in (1, 2):
        await register(conductor, name=name, version=version)
    reply = await conductor.request("DELETE", f"/metadata/workflow/{name}/2")
    assert (reply.status, reply.raw) == (200, b"")
    assert (await conductor.get(f"/metadata/workflow/{name}"))["version"] == 1


@case("8-workflowdef-validate")
async def _(conductor: Conductor) -> None:
    name = conductor.unique("w")
    reply = await conductor.request(
        "POST", "/metadata/workflow/validate", json=body(name, conductor.unique())
    )
    assert (reply.status, reply.raw) == (200, b"")
    await conductor.refused(404, "GET", f"/metadata/workflow/{name}")
    await conductor.refused(400, "POST", "/metadata/workflow/validate", {"name": name, "tasks": []})


@case("8-workflowdef-rules")
async def _(conductor: Conductor) -> None:
    kind = conductor.unique()
    twice = body(conductor.unique(), kind, kind)
    for sent in (
        body(conductor.unique()),
        twice,
        body("", kind),
        body(conductor.unique(), kind, schemaVersion=1),
    ):
        await conductor.refused(400, "POST", "/metadata/workflow", sent)
        await conductor.refused(400, "PUT", "/metadata/workflow", [sent])


@case("8-workflowdef-an-unknown-type-is-a-queue-of-that-name")
async def _(conductor: Conductor) -> None:
    kind, name = conductor.unique("KIND"), conductor.unique()
    flow = await conductor.flow({"name": name, "taskReferenceName": name, "type": kind})
    await conductor.start(flow)
    assert await conductor.poll(name) == []
    task = await conductor.take(kind)
    assert (task["taskType"], task["taskDefName"]) == (kind, name)


@case("8-workflowdef-a-running-workflow-keeps-its-own")
async def _(conductor: Conductor) -> None:
    first, second, third = (conductor.unique() for _ in range(3))
    flow = await conductor.flow(first, second)
    workflow_id = await conductor.start(flow)
    await conductor.flow(first, third, name=flow)
    await conductor.update(await conductor.take(first), "COMPLETED")
    assert (await conductor.last(workflow_id))["taskType"] == second


@case("8-workflowdef-an-inline-task-definition-is-used")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, retryCount=5, retryDelaySeconds=0)
    inline = {"name": name, "retryCount": 0}
    flow = await conductor.flow({"name": name, "taskReferenceName": name, "taskDefinition": inline})
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(name), "FAILED")
    assert await conductor.status(workflow_id) == "FAILED"


# ---------------------------------------------------------------- starting


@case("8-start-answers-the-id-as-text")
async def _(conductor: Conductor) -> None:
    reply = await conductor.request("POST", "/workflow", json={"name": await conductor.single(), "input": {}})
    assert (reply.status, reply.content_type, len(reply.raw)) == (200, "text/plain", 36)


@case("8-start-by-name-takes-the-input-as-body")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    path = f"/workflow/{name}?version=1&correlationId=cc&priority=7"
    workflow_id = await conductor.ok("POST", path, {"a": [1]})
    found = await conductor.workflow(workflow_id)
    assert (found["input"], found["correlationId"], found["priority"]) == ({"a": [1]}, "cc", 7)


@case("8-start-without-a-version-takes-the-latest")
async def _(conductor: Conductor) -> None:
    name = conductor.unique("w")
    for version in (1, 2):
        await register(conductor, name=name, version=version)
    for fields, version in (({}, 2), ({"version": 1}, 1), ({"version": "1"}, 1), ({"version": None}, 2)):
        found = await conductor.workflow(await conductor.start(name, **fields))
        assert found["workflowVersion"] == version, fields


@case("8-start-with-an-inline-definition-stores-none")
async def _(conductor: Conductor) -> None:
    name, kind = conductor.unique("w"), conductor.unique()
    workflow_id = await conductor.start(name, workflowDef=body(name, kind))
    await conductor.update(await conductor.take(kind), "COMPLETED")
    assert await conductor.status(workflow_id) == "COMPLETED"
    await conductor.refused(404, "GET", f"/metadata/workflow/{name}")


@case("8-start-priority-from-0-to-99")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for priority in (0, 99):
        await conductor.start(name, priority=priority)
    for priority in (-1, 100):
        await conductor.refused(400, "POST", "/workflow", {"name": name, "priority": priority})


@case("8-start-idempotencyKey-has-no-effect")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    ids = {await conductor.start(name, idempotencyKey="k") for _ in range(2)}
    assert len(ids) == 2


@case("8-start-of-an-unknown-workflow-is-404")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    error = await conductor.refused(404, "POST", "/workflow", {"name": name, "version": 2})
    assert error["message"] == f"No such workflow defined. name={name}, version=2"
    error = await conductor.refused(404, "POST", f"/workflow/{name}?version=2", {})
    assert error["message"] == f"No such workflow found by name: {name}, version: 2"


@case("8-start-input-template-fills-what-is-absent-or-null")
async def _(conductor: Conductor) -> None:
    flow = await conductor.flow(conductor.unique(), inputTemplate={"a": 1, "b": 2, "c": 3})
    found = await conductor.workflow(await conductor.start(flow, input={"b": None, "c": 0}))
    assert found["input"] == {"a": 1, "b": 2, "c": 0}


@case("8-start-input-null-is-400")
async def _(conductor: Conductor) -> None:
    await conductor.refused(400, "POST", "/workflow", {"name": await conductor.single(), "input": None})
