"""Section 7 of the contract: how large inputs and outputs may be."""

from black_box import Conductor
from conformance_cases import case

KIB = 1024


def text(kibibytes: int) -> str:
    """Return text of a length."""
    return "x" * (kibibytes * KIB)


@case("7-an-output-of-3000-KiB-stays-inline")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", outputData={"x": text(3000)})
    found = await conductor.task(task)
    assert len(found["outputData"]["x"]) == 3000 * KIB
    assert "externalOutputPayloadStoragePath" not in found


@case("7-an-output-of-3200-KiB-is-stored-elsewhere")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", outputData={"x": text(3200)})
    found = await conductor.task(task)
    assert (found["status"], found["outputData"]) == ("COMPLETED", {})
    assert found["externalOutputPayloadStoragePath"].endswith(".json")
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("7-an-output-of-10300-KiB-fails-the-task-with-200")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single(retryDelaySeconds=0))
    await conductor.update(task, "COMPLETED", outputData={"x": text(10300)})
    found = await conductor.task(task)
    assert (found["status"], found["outputData"]) == ("FAILED_WITH_TERMINAL_ERROR", {})
    assert "is greater than the permissible limit: 10485760 bytes" in found["reasonForIncompletion"]
    assert await conductor.status(workflow_id) == "FAILED"
    assert await conductor.statuses(workflow_id) == ["FAILED_WITH_TERMINAL_ERROR"]


@case("7-a-task-input-of-3200-KiB-is-stored-elsewhere")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.define(name)
    flow = await conductor.flow(
        {"name": name, "taskReferenceName": name, "inputParameters": {"x": "${workflow.input.x}"}}
    )
    await conductor.start(flow, input={"x": text(3200)})
    task = await conductor.take(name)
    assert task["inputData"] == {}
    assert task["externalInputPayloadStoragePath"].endswith(".json")


@case("7-a-workflow-input-of-5200-KiB-is-stored-elsewhere")
async def _(conductor: Conductor) -> None:
    workflow_id = await conductor.start(await conductor.single(), input={"x": text(5200)})
    found = await conductor.workflow(workflow_id)
    assert found["input"] == {}
    assert found["externalInputPayloadStoragePath"].endswith(".json")


@case("7-a-workflow-input-of-10300-KiB-is-refused")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.refused(500, "POST", "/workflow", {"name": name, "input": {"x": text(10300)}})
    assert await conductor.size(name) == 0
