"""Section 8 of the contract: task definitions and the rules that they must keep."""

from typing import Any

from black_box import Conductor
from conformance_cases import case

DEFAULTS = {
    "retryCount": 3,
    "retryLogic": "FIXED",
    "retryDelaySeconds": 60,
    "backoffScaleFactor": 1,
    "maxRetryDelaySeconds": 0,
    "backoffJitterMs": 0,
    "totalTimeoutSeconds": 0,
    "timeoutSeconds": 0,
    "timeoutPolicy": "TIME_OUT_WF",
    "responseTimeoutSeconds": 3600,
    "rateLimitPerFrequency": 0,
    "rateLimitFrequencyInSeconds": 1,
    "inputKeys": [],
    "outputKeys": [],
    "inputTemplate": {},
    "enforceSchema": False,
    "runtimeMetadata": [],
    "taskStatusListenerEnabled": True,
}


async def definition(conductor: Conductor, name: str) -> Any:
    """Return a registered task definition."""
    return await conductor.get(f"/metadata/taskdefs/{name}")


async def refusal(conductor: Conductor, **fields: Any) -> list[str]:
    """Try to register a definition that breaks rules, both ways; return what is said."""
    name = conductor.unique()
    await conductor.define(name)
    body = {"name": name, **fields}
    said = []
    for method, sent in (("POST", [body]), ("PUT", body)):
        error = await conductor.refused(400, method, "/metadata/taskdefs", sent)
        said.append(sorted(item["message"] for item in error["validationErrors"]))
    assert said[0] == said[1]
    return said[0]


@case("8-taskdef-post-registers-with-defaults")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    reply = await conductor.request("POST", "/metadata/taskdefs", json=[{"name": name}])
    assert (reply.status, reply.raw) == (200, b"")
    found = await definition(conductor, name)
    assert {key: found[key] for key in DEFAULTS} == DEFAULTS
    assert found["createTime"] > 0


@case("8-taskdef-post-replaces-the-whole-definition")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, retryCount=7, description="old", ownerEmail="a@b.c")
    before = await definition(conductor, name)
    await conductor.elapse(0.01)
    await conductor.define(name, retryDelaySeconds=5)
    after = await definition(conductor, name)
    assert (after["retryCount"], after["retryDelaySeconds"]) == (3, 5)
    assert after.get("description") is after.get("ownerEmail") is None
    assert after["createTime"] > before["createTime"]


@case("8-taskdef-post-is-all-or-nothing")
async def _(conductor: Conductor) -> None:
    good, bad = conductor.unique(), conductor.unique()
    body = [{"name": good}, {"name": bad, "retryCount": -1}]
    await conductor.refused(400, "POST", "/metadata/taskdefs", body)
    await conductor.refused(404, "GET", f"/metadata/taskdefs/{good}")


@case("8-taskdef-post-of-one-object-is-500")
async def _(conductor: Conductor) -> None:
    await conductor.refused(500, "POST", "/metadata/taskdefs", {"name": conductor.unique()})


@case("8-taskdef-post-ignores-overwrite")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, retryCount=1)
    await conductor.ok("POST", "/metadata/taskdefs?overwrite=false", [{"name": name, "retryCount": 2}])
    assert (await definition(conductor, name))["retryCount"] == 2


@case("8-taskdef-put-replaces-all-but-createTime")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, retryCount=7, description="old")
    before = await definition(conductor, name)
    await conductor.elapse(0.01)
    reply = await conductor.request("PUT", "/metadata/taskdefs", json={"name": name, "retryDelaySeconds": 5})
    assert (reply.status, reply.raw) == (200, b"")
    after = await definition(conductor, name)
    assert (after["retryCount"], after["retryDelaySeconds"]) == (3, 5)
    assert "description" not in after
    assert after["createTime"] == before["createTime"] < after["updateTime"]


@case("8-taskdef-put-of-an-unknown-one-is-404")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    error = await conductor.refused(404, "PUT", "/metadata/taskdefs", {"name": name})
    assert error["message"] == f"No such task by name {name}"


@case("8-taskdef-get-of-an-unknown-one-is-404")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    error = await conductor.refused(404, "GET", f"/metadata/taskdefs/{name}")
    assert error["message"] == f"No such taskType found by name: {name}"


@case("8-taskdef-get-of-all")
async def _(conductor: Conductor) -> None:
    names = {conductor.unique(), conductor.unique()}
    await conductor.define(*names)
    assert names <= {item["name"] for item in await conductor.get("/metadata/taskdefs")}


@case("8-taskdef-delete")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    reply = await conductor.request("DELETE", f"/metadata/taskdefs/{name}")
    assert (reply.status, reply.raw) == (200, b"")
    await conductor.refused(404, "GET", f"/metadata/taskdefs/{name}")


@case("8-taskdef-times-are-the-servers")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, createTime=1, updateTime=2, createdBy="me", updatedBy="me")
    found = await definition(conductor, name)
    assert found["createTime"] > 1_000_000_000_000
    assert (found["updateTime"], found["createdBy"], found.get("updatedBy")) == (0, "", None)


@case("8-taskdef-a-running-workflow-keeps-its-own")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.define(name, retryCount=5, retryDelaySeconds=0)
    await conductor.update(task, "FAILED")
    assert await conductor.status(workflow_id) == "FAILED"


@case("8-taskdef-schemas-are-kept-and-not-enforced")
async def _(conductor: Conductor) -> None:
    schema = {"name": "s", "version": 1, "type": "JSON", "data": {"required": ["a"]}}
    name = await conductor.single(inputSchema=schema, enforceSchema=True)
    assert (await definition(conductor, name))["inputSchema"] == schema | {"createTime": 0, "updateTime": 0}
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "COMPLETED")
    assert await conductor.status(workflow_id) == "COMPLETED"


# ---------------------------------------------------------------- rules


@case("8-rule-responseTimeoutSeconds-at-least-1")
async def _(conductor: Conductor) -> None:
    for value in (0, -1):
        (said,) = await refusal(conductor, responseTimeoutSeconds=value)
        assert "responseTimeoutSeconds" in said
    await conductor.define(conductor.unique(), responseTimeoutSeconds=1)


@case("8-rule-responseTimeoutSeconds-at-most-timeoutSeconds")
async def _(conductor: Conductor) -> None:
    (said,) = await refusal(conductor, timeoutSeconds=10, responseTimeoutSeconds=11)
    assert "responseTimeoutSeconds" in said
    await conductor.define(conductor.unique(), timeoutSeconds=10, responseTimeoutSeconds=10)


@case("8-rule-timeoutSeconds-30-alone-is-refused")
async def _(conductor: Conductor) -> None:
    assert len(await refusal(conductor, timeoutSeconds=30)) == 1
    await conductor.define(conductor.unique(), timeoutSeconds=3600)


@case("8-rule-timeoutSeconds-at-most-totalTimeoutSeconds")
async def _(conductor: Conductor) -> None:
    fields = {"timeoutSeconds": 10, "responseTimeoutSeconds": 1}
    (said,) = await refusal(conductor, totalTimeoutSeconds=9, **fields)
    assert "totalTimeoutSeconds" in said
    await conductor.define(conductor.unique(), totalTimeoutSeconds=10, **fields)


@case("8-rule-retryCount-not-negative")
async def _(conductor: Conductor) -> None:
    (said,) = await refusal(conductor, retryCount=-1)
    assert "retryCount" in said
    await conductor.define(conductor.unique(), retryCount=0)


@case("8-rule-pollTimeoutSeconds-not-negative")
async def _(conductor: Conductor) -> None:
    (said,) = await refusal(conductor, pollTimeoutSeconds=-1)
    assert "pollTimeoutSeconds" in said
    await conductor.define(conductor.unique(), pollTimeoutSeconds=0)


@case("8-rule-backoffScaleFactor-at-least-1")
async def _(conductor: Conductor) -> None:
    (said,) = await refusal(conductor, backoffScaleFactor=0)
    assert "ackoff" in said


@case("8-rule-name-not-empty")
async def _(conductor: Conductor) -> None:
    for body in ({}, {"name": ""}, {"name": None}):
        error = await conductor.refused(400, "POST", "/metadata/taskdefs", [body])
        assert error["message"] == "Validation failed, check below errors for detail."


@case("8-rule-all-broken-ones-are-named-at-once")
async def _(conductor: Conductor) -> None:
    said = await refusal(conductor, retryCount=-1, responseTimeoutSeconds=0, backoffScaleFactor=0)
    assert len(said) == 3


@case("8-rule-an-unknown-policy-is-500")
async def _(conductor: Conductor) -> None:
    for fields in ({"timeoutPolicy": "NEVER"}, {"retryLogic": "SOMETIMES"}):
        await conductor.refused(500, "POST", "/metadata/taskdefs", [{"name": conductor.unique(), **fields}])


@case("8-rule-ownerEmail-may-be-anything-or-absent")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name, ownerEmail="nobody")
    assert (await definition(conductor, name))["ownerEmail"] == "nobody"
