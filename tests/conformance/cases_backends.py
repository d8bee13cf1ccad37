"""Section 13 of the contract: what differs by the back end, as far as nobody has to wait for a sweeper."""

import anyio
from black_box import Conductor, ids
from conformance_cases import case
from workflow_steps import simple

NOT_POSTGRES = ("dev", "sqlite", "redis")
POSTGRES_STUMBLES = "13: PostgreSQL stores no U+0000 and answers 500"
NUL = "a\0b"


@case(
    "13-one-look-of-a-first-style-has-64-tasks-at-most", only=("first",), why="13: SQL back ends have no cap"
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(70):
        await conductor.start(name)
    first = await conductor.poll(name, count=100, timeout=0)
    second = await conductor.poll(name, count=100, timeout=0)
    assert (len(first), len(second)) == (64, 6)


@case("13-a-task-of-a-poll-that-waits-is-in-work-at-once", only=("first",), why="13: SQL back ends hold it")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    async with anyio.create_task_group() as group:
        group.start_soon(lambda: conductor.poll(name, count=5, timeout=3000))
        await conductor.elapse(0.5)
        workflow_id = await conductor.start(name)
        await conductor.elapse(0.3)
        assert await conductor.statuses(workflow_id) == ["IN_PROGRESS"]


@case("13-a-waiting-poll-gets-its-task-within-a-tenth")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    moments: list[int] = []

    async def wait() -> None:
        await conductor.take(name, timeout=4000)
        moments.append(conductor.now())

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        await conductor.elapse(0.3)
        await conductor.start(name)
        began = conductor.now()
    assert moments[0] - began <= (100 if conductor.backend.is_virtual else 1500)


@case(
    "13-pollers-at-the-same-moment-share-the-limit",
    only=("fill",),
    why="13: on Redis they pass it",
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single(concurrentExecLimit=2)
    for _ in range(6):
        await conductor.start(name)
    await conductor.elapse(1.1)
    taken: list[str] = []

    async def poll() -> None:
        taken.extend(task["taskId"] for task in await conductor.poll(name))

    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(poll)
    assert len(taken) <= 2


@case("13-jitter-is-whole-seconds", only=("fill",), why="13: on Redis it is milliseconds")
async def _(conductor: Conductor) -> None:
    """Less than a second of jitter is none."""
    name = await conductor.single(retryDelaySeconds=1, backoffJitterMs=999)
    _, task = await conductor.begin(name)
    await conductor.update(task, "FAILED")
    with conductor.took(1.0, 1.1):
        await conductor.take(name, timeout=4000)


@case("13-nul-in-an-output-and-a-reason", only=NOT_POSTGRES, why=POSTGRES_STUMBLES)
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", outputData={"x": NUL}, reasonForIncompletion=NUL)
    found = await conductor.task(task)
    assert (found["outputData"], found["reasonForIncompletion"]) == ({"x": NUL}, NUL)
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("13-nul-in-an-output-on-postgres", only=("postgres",), why="13: the others keep it")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    body = {**ids(task), "status": "COMPLETED", "outputData": {"x": NUL}}
    await conductor.refused(500, "POST", "/tasks", body)
    assert await conductor.ok("POST", "/tasks", body) == task["taskId"]
    assert await conductor.status(workflow_id) == "RUNNING"
    # Its index refuses the output again; the workflow moves on before that.
    await conductor.request("PUT", f"/workflow/decide/{workflow_id}")
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("13-nul-in-a-hand-back", only=NOT_POSTGRES, why=POSTGRES_STUMBLES)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", outputData={"x": NUL})
    assert (await conductor.take(name))["outputData"] == {"x": NUL}


@case("13-nul-in-a-log", only=("dev", "sqlite"), why="13: PostgreSQL answers 500, Redis keeps no logs")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", logs=[{"log": NUL}])
    assert [line["log"] for line in await conductor.get(f"/tasks/{task['taskId']}/log")] == [NUL]


@case("13-nul-in-the-input-of-a-workflow", only=NOT_POSTGRES, why=POSTGRES_STUMBLES)
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    flow = await conductor.flow(simple(name, inputParameters={"p": "${workflow.input.x}"}))
    await conductor.start(flow, input={"x": NUL})
    assert (await conductor.take(name))["inputData"] == {"p": NUL}


@case("13-half-a-surrogate-becomes-a-question-mark")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    start = f'{{"workflowInstanceId":"{task["workflowInstanceId"]}","taskId":"{task["taskId"]}"'
    content = start.encode() + b',"status":"IN_PROGRESS","outputData":{"x":"a\\ud83db"}}'
    reply = await conductor.request("POST", "/tasks", content=content)
    assert reply.status == 200
    assert (await conductor.task(task))["outputData"] == {"x": "a?b"}


@case("13-logs-are-kept", only=("dev", "sqlite", "postgres"), why="13: Redis goes without an index")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", logs=[{"log": "one"}, {"log": "two"}])
    found = await conductor.get(f"/tasks/{task['taskId']}/log")
    assert [line["log"] for line in found] == ["one", "two"]


@case("13-logs-are-dropped-on-redis", only=("redis",), why="13: the others have an index")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED", logs=[{"log": "one"}])
    assert await conductor.get(f"/tasks/{task['taskId']}/log") is None


@case("13-a-type-of-256-characters", only=NOT_POSTGRES, why="13: PostgreSQL cannot store it")
async def _(conductor: Conductor) -> None:
    name = conductor.unique() + "x" * 300
    await conductor.define(name)
    await conductor.start(await conductor.flow(simple(name, "t")))
    assert (await conductor.take(name))["taskType"] == name


@case("13-a-second-attempt-times-out-like-the-first")
async def _(conductor: Conductor) -> None:
    """Decided by hand: the sweeper of SQL back ends comes up to minutes later."""
    name = await conductor.single(responseTimeoutSeconds=1, retryDelaySeconds=0, retryCount=2)
    workflow_id = await conductor.start(name)
    for _ in range(2):
        await conductor.take(name)
        await conductor.elapse(1.2)
        await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "TIMED_OUT", "SCHEDULED"]


@case(
    "13-timeout-0-finds-what-is-there", only=("fill",), why="13: Redis may miss it after an empty long poll"
)
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(5):
        await conductor.poll(name, timeout=200)
        await conductor.start(name)
        assert len(await conductor.poll(name, timeout=0)) == 1
