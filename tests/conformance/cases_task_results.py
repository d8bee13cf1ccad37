"""Section 3 of the contract: fields of an update: what is needed, what the defaults are, what is kept."""

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
