"""Section 9 of the contract: forks and joins. The server looks at a join some tens of milliseconds later."""

from typing import Any

from black_box import Conductor
from conformance_cases import case
from workflow_steps import control, fork, join, simple

ENDED_JOIN = {"CANCELED", "FAILED"}


async def branches(conductor: Conductor, **definition: Any) -> tuple[str, str, str, str]:
    """Define three task types and a workflow that forks into ``a`` and ``b`` and goes on with ``c``."""
    a, b, c = (conductor.unique() for _ in range(3))
    await conductor.define(a, b, c, **{"retryCount": 0} | definition)
    flow = await conductor.flow(fork([simple(a, "a")], [simple(b, "b")]), join("a", "b"), simple(c, "c"))
    return a, b, c, flow


async def becomes(conductor: Conductor, workflow_id: str, status: str, **statuses: str) -> None:
    """Wait until a workflow and its tasks have these states."""

    async def has_become() -> bool:
        found = await conductor.workflow(workflow_id)
        tasks = {task["referenceTaskName"]: task["status"] for task in found["tasks"]}
        return (found["status"], tasks) == (status, statuses)

    await conductor.until(has_become)


async def is_still_joined(conductor: Conductor, workflow_id: str) -> bool:
    """Tell whether a workflow goes on after a branch got a further attempt.

    Often a real server's join looks between the failed attempt and the new one, and fails with it.
    """
    if not conductor.backend.is_dev:
        await conductor.elapse(0.5)
    return await conductor.status(workflow_id) == "RUNNING"


@case("9-fork-schedules-the-first-task-of-each-branch")
async def _(conductor: Conductor) -> None:
    *_, flow = await branches(conductor)
    tasks = (await conductor.workflow(await conductor.start(flow)))["tasks"]
    assert [(task["referenceTaskName"], task["taskType"], task["status"], task["seq"]) for task in tasks] == [
        ("fork", "FORK", "COMPLETED", 1),
        ("a", tasks[1]["taskDefName"], "SCHEDULED", 2),
        ("b", tasks[2]["taskDefName"], "SCHEDULED", 3),
        ("join", "JOIN", "IN_PROGRESS", 4),
    ]


@case("9-join-goes-on-when-the-last-branch-has-ended")
async def _(conductor: Conductor) -> None:
    a, b, c, flow = await branches(conductor)
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(b), "COMPLETED", outputData={"y": 2})
    assert await conductor.poll(c, timeout=300) == []
    await conductor.update(await conductor.take(a), "COMPLETED", outputData={"x": 1})
    with conductor.took(0.0, 1.0):
        await conductor.take(c)
    found = {task["referenceTaskName"]: task for task in (await conductor.workflow(workflow_id))["tasks"]}
    assert found["join"]["status"] == "COMPLETED"
    assert found["join"]["outputData"] == {"a": {"x": 1}, "b": {"y": 2}}
    assert found["join"]["inputData"] == {"joinOn": ["a", "b"]}


@case("9-join-leaves-out-empty-outputs")
async def _(conductor: Conductor) -> None:
    a, b = conductor.unique(), conductor.unique()
    flow = await conductor.flow(fork([simple(a, "a")], [simple(b, "b")]), join("a", "b"))
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(a), "COMPLETED", outputData={"x": 1})
    await conductor.update(await conductor.take(b), "COMPLETED")
    done = "COMPLETED"
    await becomes(conductor, workflow_id, done, fork=done, a=done, b=done, join=done)
    assert (await conductor.workflow(workflow_id))["output"] == {"a": {"x": 1}}


@case("9-join-waits-only-for-joinOn")
async def _(conductor: Conductor) -> None:
    a, b, c = (conductor.unique() for _ in range(3))
    flow = await conductor.flow(fork([simple(a, "a")], [simple(b, "b")]), join("a"), simple(c, "c"))
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(a), "COMPLETED", outputData={"x": 1})
    task = await conductor.take(c, timeout=5000)
    await conductor.update(task, "COMPLETED", outputData={"z": 3})
    assert await conductor.status(workflow_id) == "RUNNING"
    await conductor.update(await conductor.take(b), "COMPLETED", outputData={"y": 2})
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["output"]) == ("COMPLETED", {"z": 3})


@case("9-fork-branches-of-several-tasks")
async def _(conductor: Conductor) -> None:
    a, b, c, d = (conductor.unique() for _ in range(4))
    flow = await conductor.flow(
        fork([simple(a, "a"), simple(b, "b")], [simple(c, "c")]), join("b", "c"), simple(d, "d")
    )
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(c), "COMPLETED")
    await conductor.update(await conductor.take(a), "COMPLETED", outputData={"x": 1})
    await conductor.update(await conductor.take(b), "COMPLETED")
    await conductor.update(await conductor.take(d, timeout=5000), "COMPLETED")
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("9-fork-inside-a-fork")
async def _(conductor: Conductor) -> None:
    a, b, c, d = (conductor.unique() for _ in range(4))
    inner = [
        control("FORK_JOIN", "fork2", forkTasks=[[simple(b, "b")], [simple(c, "c")]]),
        control("JOIN", "join2", joinOn=["b", "c"]),
    ]
    flow = await conductor.flow(fork([simple(a, "a")], inner), join("a", "join2"), simple(d, "d"))
    workflow_id = await conductor.start(flow)
    tasks = (await conductor.workflow(workflow_id))["tasks"]
    assert [task["referenceTaskName"] for task in tasks] == ["fork", "a", "fork2", "b", "c", "join2", "join"]
    for name in (b, c, a):
        await conductor.update(await conductor.take(name), "COMPLETED", outputData={"x": 1})
    await conductor.take(d, timeout=5000)
    found = {task["referenceTaskName"]: task for task in (await conductor.workflow(workflow_id))["tasks"]}
    both = {"b": {"x": 1}, "c": {"x": 1}}
    assert found["join2"]["outputData"] == both
    assert found["join"]["outputData"] == {"a": {"x": 1}, "join2": both}


@case("9-fork-a-failed-branch-cancels-the-rest")
async def _(conductor: Conductor) -> None:
    a, b, _, flow = await branches(conductor)
    workflow_id = await conductor.start(flow)
    task = await conductor.take(a)
    other = await conductor.take(b)
    await conductor.update(task, "FAILED", reasonForIncompletion="boom")
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "FAILED"
    assert [item["status"] for item in found["tasks"]][:3] == ["COMPLETED", "FAILED", "CANCELED"]
    # A real join may have seen the failure before it was canceled.
    assert found["tasks"][3]["status"] in ({"CANCELED"} if conductor.backend.is_virtual else ENDED_JOIN)
    assert found["reasonForIncompletion"] == (
        f"Task {task['taskId']} failed with status: FAILED and reason: 'boom'"
    )
    assert [name for name in found["failedReferenceTaskNames"] if name != "join"] == ["a"]
    assert (await conductor.task(other))["status"] == "CANCELED"


@case("9-fork-a-canceled-branch-is-not-delivered")
async def _(conductor: Conductor) -> None:
    a, b, _, flow = await branches(conductor)
    await conductor.start(flow)
    await conductor.update(await conductor.take(a), "FAILED_WITH_TERMINAL_ERROR")
    assert await conductor.poll(b) == []
    assert await conductor.size(b) == 0


@case("9-fork-a-branch-is-retried-by-itself")
async def _(conductor: Conductor) -> None:
    for _ in range(10):
        a, b, c, flow = await branches(conductor, retryCount=3, retryDelaySeconds=0)
        workflow_id = await conductor.start(flow)
        await conductor.update(await conductor.take(a), "FAILED")
        if await is_still_joined(conductor, workflow_id):
            break
    for name in (a, b):
        await conductor.update(await conductor.take(name), "COMPLETED", outputData={"x": name})
    await conductor.take(c, timeout=5000)
    assert await conductor.timeline(workflow_id) == [
        ("fork", "COMPLETED", 0),
        ("a", "FAILED", 0),
        ("b", "COMPLETED", 0),
        ("join", "COMPLETED", 0),
        ("a", "COMPLETED", 1),
        ("c", "IN_PROGRESS", 0),
    ]
    joined = (await conductor.workflow(workflow_id))["tasks"][3]
    assert joined["outputData"] == {"a": {"x": a}, "b": {"x": b}}


@case("9-fork-an-optional-branch-is-forgiven")
async def _(conductor: Conductor) -> None:
    a, b, c = (conductor.unique() for _ in range(3))
    await conductor.define(a, b, c, retryCount=0)
    first = simple(a, "a", optional=True)
    flow = await conductor.flow(fork([first], [simple(b, "b")]), join("a", "b"), simple(c, "c"))
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(a), "FAILED", outputData={"x": 1})
    await conductor.update(await conductor.take(b), "COMPLETED", outputData={"y": 2})
    await conductor.take(c, timeout=5000)
    found = {task["referenceTaskName"]: task for task in (await conductor.workflow(workflow_id))["tasks"]}
    assert found["a"]["status"] == found["join"]["status"] == "COMPLETED_WITH_ERRORS"
    assert found["join"]["outputData"] == {"a": {"x": 1}, "b": {"y": 2}}
    assert found["join"]["reasonForIncompletion"] == f"{a}/{found['a']['taskId']} completed with errors"


@case("5.6-a-permissive-branch-fails-the-workflow-at-the-join")
async def _(conductor: Conductor) -> None:
    a, b, c = (conductor.unique() for _ in range(3))
    await conductor.define(a, b, c, retryCount=0)
    first = simple(a, "a", permissive=True)
    flow = await conductor.flow(fork([first], [simple(b, "b")]), join("a", "b"), simple(c, "c"))
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(a), "FAILED", reasonForIncompletion="boom")
    states = {"fork": "COMPLETED", "a": "FAILED"}
    await becomes(conductor, workflow_id, "RUNNING", **states, b="SCHEDULED", join="IN_PROGRESS")
    await conductor.update(await conductor.take(b), "COMPLETED")
    await becomes(conductor, workflow_id, "FAILED", **states, b="COMPLETED", join="FAILED")


@case("5.6-other-live-tasks-are-canceled-with-their-end")
async def _(conductor: Conductor) -> None:
    a, b, _, flow = await branches(conductor)
    await conductor.start(flow)
    other = await conductor.take(b)
    await conductor.update(await conductor.take(a), "FAILED")
    after = await conductor.task(other)
    assert after["status"] == "CANCELED"
    assert after["endTime"] > 0
    assert "reasonForIncompletion" not in after


@case("5.7-an-update-elsewhere-in-the-workflow-sees-a-timeout")
async def _(conductor: Conductor) -> None:
    a, b = conductor.unique(), conductor.unique()
    await conductor.define(a, responseTimeoutSeconds=1, retryDelaySeconds=0)
    await conductor.define(b)
    flow = await conductor.flow(fork([simple(a, "a")], [simple(b, "b")]), join("a", "b"))
    await conductor.start(flow)
    task, other = await conductor.take(a), await conductor.take(b)
    await conductor.elapse(1.2)
    await conductor.update(other, "COMPLETED")
    assert (await conductor.task(task))["status"] == "TIMED_OUT"


@case("8-retry-of-a-failed-fork")
async def _(conductor: Conductor) -> None:
    for _ in range(10):
        a, b, c, flow = await branches(conductor)
        workflow_id = await conductor.start(flow)
        await conductor.update(await conductor.take(a), "FAILED")
        await conductor.ok("POST", f"/workflow/{workflow_id}/retry")
        if await is_still_joined(conductor, workflow_id):
            break
    timeline = await conductor.timeline(workflow_id)
    assert timeline[3][:2] == ("join", "IN_PROGRESS")
    assert [step for step in timeline if step[0] != "join"] == [
        ("fork", "COMPLETED", 0),
        ("a", "FAILED", 0),
        ("b", "CANCELED", 0),
        ("a", "SCHEDULED", 1),
        ("b", "SCHEDULED", 1),
    ]
    for name in (a, b, c):
        # A busy server may miss the workflow's lock after an update, and leave it to its sweeper.
        await conductor.decide(workflow_id)
        await conductor.update(await conductor.take(name, timeout=5000), "COMPLETED")
    await conductor.decide(workflow_id)
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("8-terminate-a-fork")
async def _(conductor: Conductor) -> None:
    *_, flow = await branches(conductor)
    workflow_id = await conductor.start(flow)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert await conductor.statuses(workflow_id) == ["COMPLETED", "CANCELED", "CANCELED", "CANCELED"]
