"""Sections 5.6 and 5.7 of the contract: the total timeout, and the order of limits passed at once."""

from typing import Any

from black_box import Conductor
from conformance_cases import case


async def pass_at_once(conductor: Conductor, *, hand_back: bool = False, **definition: Any) -> Any:
    """Let limits pass while the workflow is paused, thus not decided; return the task afterwards."""
    name = await conductor.single(retryCount=1, retryDelaySeconds=0, timeoutPolicy="RETRY", **definition)
    workflow_id, task = await conductor.begin(name)
    if hand_back:
        await conductor.update(task, "IN_PROGRESS")
    await conductor.ok("PUT", f"/workflow/{workflow_id}/pause")
    await conductor.elapse(1.3)
    await conductor.decide(workflow_id)
    assert (await conductor.task(task))["status"] == ("SCHEDULED" if hand_back else "IN_PROGRESS")
    await conductor.ok("PUT", f"/workflow/{workflow_id}/resume")
    found = await conductor.task(task)
    assert found["status"] == "TIMED_OUT"
    return found


@case("5.7-order-total-before-timeoutSeconds")
async def _(conductor: Conductor) -> None:
    found = await pass_at_once(conductor, totalTimeoutSeconds=1, timeoutSeconds=1, responseTimeoutSeconds=1)
    assert found["reasonForIncompletion"].startswith(
        f"Task {found['taskDefName']}/{found['taskId']} exceeded total timeout of 1 seconds (elapsed "
    )
    assert found["retried"] is False


@case("5.7-order-timeoutSeconds-before-pollTimeoutSeconds")
async def _(conductor: Conductor) -> None:
    found = await pass_at_once(
        conductor, hand_back=True, timeoutSeconds=1, responseTimeoutSeconds=1, pollTimeoutSeconds=1
    )
    assert found["reasonForIncompletion"].startswith("Task timed out after 1 seconds.")


@case("5.7-order-timeoutSeconds-before-responseTimeoutSeconds")
async def _(conductor: Conductor) -> None:
    found = await pass_at_once(conductor, timeoutSeconds=1, responseTimeoutSeconds=1)
    assert found["reasonForIncompletion"].startswith("Task timed out after 1 seconds.")
    assert found["retried"] is True


@case("5.7-order-total-before-pollTimeoutSeconds")
async def _(conductor: Conductor) -> None:
    found = await pass_at_once(conductor, hand_back=True, totalTimeoutSeconds=1, pollTimeoutSeconds=1)
    assert "exceeded total timeout of 1 seconds" in found["reasonForIncompletion"]


@case("5.7-the-policy-of-one-limit-is-not-that-of-the-next")
async def _(conductor: Conductor) -> None:
    """With ALERT_ONLY the other three limits are passed over and the response timeout comes to its turn."""
    name = await conductor.single(
        totalTimeoutSeconds=1,
        timeoutSeconds=1,
        responseTimeoutSeconds=1,
        timeoutPolicy="ALERT_ONLY",
        retryCount=1,
        retryDelaySeconds=0,
    )
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.3)
    await conductor.decide(workflow_id)
    found = await conductor.task(task)
    assert found["reasonForIncompletion"].startswith("responseTimeout: 1 exceeded")


# ---------------------------------------------------------------- the total timeout


@case("5.6-total-timeout-passed-a-failure-is-not-retried")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(totalTimeoutSeconds=1, timeoutPolicy="ALERT_ONLY", retryDelaySeconds=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.2)
    await conductor.update(task, "FAILED", reasonForIncompletion="boom")
    found = await conductor.workflow(workflow_id)
    assert (found["status"], len(found["tasks"])) == ("FAILED", 1)
    assert found["reasonForIncompletion"] == (
        f"Task {task['taskId']}/{name} exceeded total timeout of 1 seconds (elapsed 1 seconds across all "
        "attempts). No further retries will be attempted."
    )


@case("5.6-total-timeout-not-yet-passed-a-failure-is-retried")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(totalTimeoutSeconds=60, retryDelaySeconds=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "FAILED")
    assert await conductor.statuses(workflow_id) == ["FAILED", "SCHEDULED"]


@case("5.6-total-timeout-of-a-running-task-is-final-even-with-RETRY")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(totalTimeoutSeconds=1, timeoutPolicy="RETRY", retryDelaySeconds=0)
    workflow_id, _ = await conductor.begin(name)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    found = await conductor.workflow(workflow_id)
    assert (found["status"], [task["status"] for task in found["tasks"]]) == ("TIMED_OUT", ["TIMED_OUT"])


@case("5.6-total-timeout-of-a-waiting-task-is-final-even-with-RETRY")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(totalTimeoutSeconds=1, timeoutPolicy="RETRY", retryDelaySeconds=0)
    workflow_id = await conductor.start(name)
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    found = await conductor.workflow(workflow_id)
    assert (found["status"], [task["status"] for task in found["tasks"]]) == ("TIMED_OUT", ["TIMED_OUT"])
    assert await conductor.size(name) == 0


@case("5.6-total-timeout-runs-over-all-attempts")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(totalTimeoutSeconds=3, timeoutPolicy="RETRY", retryDelaySeconds=0)
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.6)
    await conductor.update(task, "FAILED")
    await conductor.take(name)
    await conductor.elapse(1.6)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["FAILED", "TIMED_OUT"]
    assert await conductor.status(workflow_id) == "TIMED_OUT"
