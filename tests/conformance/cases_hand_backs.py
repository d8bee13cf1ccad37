"""Section 5.3 of the contract, number 6: what ``IN_PROGRESS`` does."""

from black_box import Conductor
from conformance_cases import case

SQLITE = ("dev-fill", "dev-socket", "sqlite")


@case("5.3-6-in-progress-puts-the-task-back-into-its-queue")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", outputData={"a": 1})
    found = await conductor.task(task)
    assert (found["status"], await conductor.size(name)) == ("SCHEDULED", 1)
    again = await conductor.take(name)
    assert (again["taskId"], again["pollCount"]) == (task["taskId"], 2)
    assert again["outputData"] == {"a": 1}


@case("5.3-6-handed-back-at-the-end-of-the-queue")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, first = await conductor.begin(name)
    second = await conductor.start(name)
    await conductor.elapse(0.05)
    await conductor.update(first, "IN_PROGRESS")
    assert (await conductor.take(name))["workflowInstanceId"] == second
    assert (await conductor.take(name))["taskId"] == first["taskId"]


@case("5.3-6-handed-back-task-waits-for-its-callback")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    with conductor.took(1.0, 1.2):
        await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=1)
        assert (await conductor.task(task))["callbackAfterSeconds"] == 1
        again = await conductor.take(name, timeout=3000)
    assert (again["pollCount"], again["callbackAfterSeconds"]) == (2, 0)


@case("5.3-6-negative-callback-is-never-delivered", only=SQLITE, why="13: at once elsewhere")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for seconds in (-1, -5):
        _, task = await conductor.begin(name)
        await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=seconds)
        assert (await conductor.task(task))["status"] == "SCHEDULED"
    assert await conductor.poll(name, timeout=1500) == []


@case(
    "5.3-6-negative-callback-is-delivered-at-once",
    only=("dev-first", "postgres", "redis"),
    why="13: never on SQLite",
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=-5)
    assert (await conductor.take(name))["taskId"] == task["taskId"]


@case("5.3-6-callback-past-the-year-9999-is-never-delivered", only=SQLITE, why="13: else elsewhere")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=2**63 - 1)
    assert (await conductor.task(task))["status"] == "SCHEDULED"
    assert await conductor.poll(name, timeout=1500) == []


@case(
    "5.3-6-callback-past-the-year-9999-is-delivered-at-once",
    only=("dev-first", "redis"),
    why="13: never on SQLite, 500 on PostgreSQL",
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=2**63 - 1)
    assert (await conductor.take(name))["taskId"] == task["taskId"]


@case("5.3-6-handed-back-twice-two-workers-run-it")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS")
    second = await conductor.take(name, workerid="second")
    await conductor.update(task, "IN_PROGRESS")
    third = await conductor.take(name, workerid="third")
    assert (second["pollCount"], third["pollCount"]) == (2, 3)
    await conductor.update(second, "COMPLETED", outputData={"by": "second"})
    await conductor.update(third, "COMPLETED", outputData={"by": "third"})
    assert (await conductor.workflow(workflow_id))["output"] == {"by": "second"}


@case("5.3-6-completing-a-waiting-task-empties-its-queue")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS")
    await conductor.update(task, "COMPLETED")
    assert await conductor.size(name) == 0
    assert await conductor.poll(name) == []
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("5.3-6-hand-back-after-the-poll-timeout-times-the-task-out")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(
        pollTimeoutSeconds=1, retryCount=1, retryDelaySeconds=0, timeoutPolicy="RETRY"
    )
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.2)
    await conductor.update(task, "IN_PROGRESS")
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


@case("5.3-6-hand-back-before-poll-timeout-and-callback-have-passed-is-one")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(
        pollTimeoutSeconds=1, retryCount=1, retryDelaySeconds=0, timeoutPolicy="RETRY"
    )
    workflow_id, task = await conductor.begin(name)
    await conductor.elapse(1.2)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=60)
    assert await conductor.statuses(workflow_id) == ["SCHEDULED"]
