"""Section 5.7 of the contract: the limits of a task and of a workflow, seen whenever it is decided."""

from typing import Any

from black_box import Conductor
from conformance_cases import case


async def overdue(conductor: Conductor, seconds: float = 1.2, **definition: Any) -> tuple[Any, Any]:
    """Let a polled task be longer in work than it may; return the workflow then, and the task as polled."""
    definition = {"retryDelaySeconds": 0, "retryCount": 1} | definition
    workflow_id, task = await conductor.begin(await conductor.single(**definition))
    await conductor.elapse(seconds)
    await conductor.decide(workflow_id)
    return await conductor.workflow(workflow_id), task


def states(workflow: Any) -> list[str]:
    """Return the status of the workflow, then those of its tasks."""
    return [workflow["status"], *(task["status"] for task in workflow["tasks"])]


# ---------------------------------------------------------------- timeoutSeconds


@case("5.7-timeoutSeconds-with-RETRY-is-retried")
async def _(conductor: Conductor) -> None:
    found, _ = await overdue(conductor, timeoutSeconds=1, responseTimeoutSeconds=1, timeoutPolicy="RETRY")
    assert states(found) == ["RUNNING", "TIMED_OUT", "SCHEDULED"]
    first, second = found["tasks"]
    reason = (
        "Task timed out after 1 seconds. Timeout configured as 1 seconds. Timeout policy configured to RETRY"
    )
    assert first["reasonForIncompletion"] == second["reasonForIncompletion"] == reason
    assert (first["retried"], second["retryCount"]) == (True, 1)
    assert first["endTime"] > 0


@case("5.7-timeoutSeconds-with-TIME_OUT_WF-ends-the-workflow")
async def _(conductor: Conductor) -> None:
    found, _ = await overdue(
        conductor, timeoutSeconds=1, responseTimeoutSeconds=1, timeoutPolicy="TIME_OUT_WF"
    )
    assert states(found) == ["TIMED_OUT", "TIMED_OUT"]
    assert found["reasonForIncompletion"] == found["tasks"][0]["reasonForIncompletion"]
    assert found["reasonForIncompletion"].endswith("Timeout policy configured to TIME_OUT_WF")


@case("5.7-TIME_OUT_WF-is-the-default")
async def _(conductor: Conductor) -> None:
    found, _ = await overdue(conductor, timeoutSeconds=1, responseTimeoutSeconds=1)
    assert states(found) == ["TIMED_OUT", "TIMED_OUT"]


@case("5.7-timeoutSeconds-with-ALERT_ONLY-does-nothing")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(timeoutSeconds=2, responseTimeoutSeconds=2, timeoutPolicy="ALERT_ONLY")
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1)
    await conductor.extend(task)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["IN_PROGRESS"]


@case("5.7-timeoutSeconds-runs-on-while-handed-back")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(
        timeoutSeconds=1, responseTimeoutSeconds=1, timeoutPolicy="RETRY", retryDelaySeconds=0
    )
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=60)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


@case("5.7-timeoutSeconds-runs-from-the-first-poll")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(timeoutSeconds=2, responseTimeoutSeconds=2, timeoutPolicy="RETRY")
    workflow_id = await conductor.start(name)
    await conductor.elapse(1.5)
    await conductor.take(name)
    await conductor.elapse(1)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["IN_PROGRESS"]


@case("5.7-a-second-poll-does-not-restart-timeoutSeconds")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(
        timeoutSeconds=3, responseTimeoutSeconds=3, timeoutPolicy="RETRY", retryDelaySeconds=0
    )
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.5)
    await conductor.update(task, "IN_PROGRESS")
    again = await conductor.take(name)
    assert again["startTime"] == task["startTime"]
    await conductor.elapse(1.7)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


# ---------------------------------------------------------------- pollTimeoutSeconds


async def unpolled(conductor: Conductor, **definition: Any) -> Any:
    """Leave a task in its queue for longer than it may; return the workflow then."""
    definition = {"retryDelaySeconds": 0, "retryCount": 1} | definition
    workflow_id = await conductor.start(await conductor.single(pollTimeoutSeconds=1, **definition))
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    return await conductor.workflow(workflow_id)


@case("5.7-pollTimeoutSeconds-with-RETRY-costs-an-attempt")
async def _(conductor: Conductor) -> None:
    found = await unpolled(conductor, timeoutPolicy="RETRY")
    assert states(found) == ["RUNNING", "TIMED_OUT", "SCHEDULED"]
    first, second = found["tasks"]
    assert first["reasonForIncompletion"] == (
        "Task poll timed out after 1 seconds. Poll timeout configured as 1 seconds. "
        "Timeout policy configured to RETRY"
    )
    assert (first["pollCount"], first["startTime"], second["retryCount"]) == (0, 0, 1)


@case("5.7-pollTimeoutSeconds-with-TIME_OUT_WF-ends-the-workflow")
async def _(conductor: Conductor) -> None:
    assert states(await unpolled(conductor)) == ["TIMED_OUT", "TIMED_OUT"]


@case("5.7-pollTimeoutSeconds-with-ALERT_ONLY-does-nothing")
async def _(conductor: Conductor) -> None:
    assert states(await unpolled(conductor, timeoutPolicy="ALERT_ONLY")) == ["RUNNING", "SCHEDULED"]


@case("5.7-pollTimeoutSeconds-ends-with-the-poll")
async def _(conductor: Conductor) -> None:
    found, _ = await overdue(conductor, pollTimeoutSeconds=1)
    assert states(found) == ["RUNNING", "IN_PROGRESS"]


@case("5.7-pollTimeoutSeconds-waits-for-the-call-back")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(pollTimeoutSeconds=3, timeoutPolicy="RETRY", retryDelaySeconds=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=3)
    await conductor.elapse(4)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["SCHEDULED"]
    await conductor.elapse(2.3)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


@case("5.7-a-task-that-timed-out-in-its-queue-is-not-delivered")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(pollTimeoutSeconds=1)
    workflow_id = await conductor.start(name)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert await conductor.size(name) == 0
    assert await conductor.poll(name) == []


@case("5.7-a-retried-task-leaves-its-message-behind")
async def _(conductor: Conductor) -> None:
    """The poll that meets it comes back empty, although the next attempt waits behind it."""
    name = await conductor.single(pollTimeoutSeconds=1, timeoutPolicy="RETRY", retryDelaySeconds=0)
    workflow_id = await conductor.start(name)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert await conductor.size(name) == 2
    with conductor.took(0.0):
        assert await conductor.poll(name, timeout=2500) == []
    assert (await conductor.take(name))["retryCount"] == 1


# ---------------------------------------------------------------- responseTimeoutSeconds


@case("5.7-responseTimeoutSeconds-is-retried-whatever-the-policy")
async def _(conductor: Conductor) -> None:
    for policy in ("RETRY", "TIME_OUT_WF", "ALERT_ONLY"):
        found, task = await overdue(conductor, responseTimeoutSeconds=1, timeoutPolicy=policy)
        assert states(found) == ["RUNNING", "TIMED_OUT", "SCHEDULED"], policy
        assert found["tasks"][0]["reasonForIncompletion"] == (
            f"responseTimeout: 1 exceeded for the taskId: {task['taskId']} "
            f"with Task Definition: {task['taskDefName']}"
        )


@case("5.7-responseTimeoutSeconds-respects-the-retry-delay")
async def _(conductor: Conductor) -> None:
    found, _ = await overdue(conductor, responseTimeoutSeconds=1, retryDelaySeconds=30)
    assert found["tasks"][1]["callbackAfterSeconds"] == 30


@case("5.7-responseTimeoutSeconds-does-not-run-while-handed-back")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(responseTimeoutSeconds=1))
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=60)
    await conductor.elapse(1.5)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["SCHEDULED"]


@case("5.7-responseTimeoutSeconds-runs-from-each-poll")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(responseTimeoutSeconds=3, retryDelaySeconds=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.8)
    await conductor.update(task, "IN_PROGRESS")
    await conductor.take(name)
    await conductor.elapse(1.8)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["IN_PROGRESS"]
    await conductor.elapse(1.4)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


@case("5.7-the-default-response-timeout-is-an-hour", only=("virtual",), why="5.7: nobody waits for that long")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await conductor.begin(await conductor.single())
    await conductor.elapse(3599.9)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["IN_PROGRESS"]
    await conductor.elapse(0.2)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


@case("5.7-limits-are-exact-to-the-millisecond", only=("virtual",), why="5.7: a real server decides later")
async def _(conductor: Conductor) -> None:
    workflow_id, _ = await conductor.begin(await conductor.single(responseTimeoutSeconds=7))
    await conductor.elapse(6.999)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["IN_PROGRESS"]
    await conductor.elapse(0.001)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


# ---------------------------------------------------------------- the workflow's own limit


@case("5.7-the-workflow-timeout-cancels-its-tasks")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    flow = await conductor.flow(name, timeoutSeconds=1, timeoutPolicy="TIME_OUT_WF")
    workflow_id = await conductor.start(flow)
    await conductor.take(name)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    found = await conductor.workflow(workflow_id)
    assert states(found) == ["TIMED_OUT", "CANCELED"]
    assert found["reasonForIncompletion"] == (
        "Workflow timed out after 1 seconds. Timeout configured as 1 seconds. "
        "Timeout policy configured to TIME_OUT_WF"
    )


@case("5.7-the-workflow-timeout-is-only-an-alert-by-default")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    workflow_id = await conductor.start(await conductor.flow(name, timeoutSeconds=1))
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert states(await conductor.workflow(workflow_id)) == ["RUNNING", "SCHEDULED"]
