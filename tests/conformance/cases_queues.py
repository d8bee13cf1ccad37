"""Section 2 of the contract: queues, poll data, and how types, workers and domains are spelled."""

from urllib.parse import quote

from black_box import UNKNOWN, Conductor
from conformance_cases import CaseFunction, case

# Queue sizes


@case("2-queue-size-counts-the-waiting-and-the-delayed-but-none-in-progress")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(3):
        await conductor.start(name)
    assert await conductor.size(name) == 3
    task = await conductor.take(name)
    await conductor.take(name)
    assert await conductor.size(name) == 1
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=60)
    assert await conductor.size(name) == 2


@case("2-queue-size-of-an-unknown-type-is-0")
async def _(conductor: Conductor) -> None:
    reply = await conductor.request("GET", f"/tasks/queue/size?taskType={conductor.unique()}")
    assert (reply.status, reply.content_type, reply.raw) == (200, "application/json", b"0")


@case("2-queue-size-is-of-one-domain")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name, taskToDomain={name: "d"})
    assert [await conductor.size(name), await conductor.size(name, domain="d")] == [0, 1]


@case("2-queue-sizes-of-several-types")
async def _(conductor: Conductor) -> None:
    name, unknown = await conductor.single(), conductor.unique()
    await conductor.start(name)
    found = await conductor.get(f"/tasks/queue/sizes?taskType={name}&taskType={unknown}")
    assert found == {name: 1, unknown: 0}
    await conductor.refused(500, "GET", "/tasks/queue/sizes")


@case("2-queue-all-has-every-queue-by-domain-and-type")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    await conductor.start(name)
    await conductor.start(name, taskToDomain={name: "d"})
    found = await conductor.get("/tasks/queue/all")
    assert "_deciderQueue" in found
    assert (found[name], found[f"d:{name}"]) == (2, 1)


@case("2-queue-all-verbose-has-sizes-by-shard", only=("dev", "sqlite", "postgres"), why="500 on Redis")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    found = await conductor.get("/tasks/queue/all/verbose")
    (shard,) = found[name].values()
    assert shard == {"size": 1, "uacked": 0}


@case("2-queue-requeue-delivers-tasks-in-progress-again")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, task = await conductor.begin(name)
    reply = await conductor.request("POST", f"/tasks/queue/requeue/{name}")
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain", "1")
    again = await conductor.take(name, workerid="other")
    assert (again["taskId"], again["pollCount"], again["workerId"]) == (task["taskId"], 2, "other")
    assert again["startTime"] == task["startTime"]


@case("2-queue-requeue-counts-every-live-task-and-keeps-delays")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    _, delayed = await conductor.begin(name)
    await conductor.update(delayed, "IN_PROGRESS", callbackAfterSeconds=60)
    _, done = await conductor.begin(name)
    await conductor.update(done, "COMPLETED")
    _, held = await conductor.begin(name)
    await conductor.start(name)
    assert await conductor.ok("POST", f"/tasks/queue/requeue/{name}") == "3"
    assert await conductor.size(name) == 3
    assert (await conductor.task(held))["status"] == "IN_PROGRESS"
    taken = [(await conductor.take(name))["taskId"] for _ in range(2)]
    assert held["taskId"] in taken
    assert delayed["taskId"] not in taken


@case("2-queue-requeue-of-an-unknown-type-is-0")
async def _(conductor: Conductor) -> None:
    assert await conductor.ok("POST", f"/tasks/queue/requeue/{conductor.unique()}") == "0"


# Poll data


@case("2-polldata-is-one-per-type-and-domain")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    for more in ("", "&domain=d", "", "&domain=d"):
        await conductor.get(f"/tasks/poll/batch/{name}?timeout=1&workerid=w{more}")
    found = await conductor.get(f"/tasks/queue/polldata?taskType={name}")
    assert {(data["queueName"], data.get("domain")) for data in found} == {(name, None), (name, "d")}
    assert len(found) == 2


@case("2-polldata-names-the-last-worker-if-it-had-a-name")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    path = f"/tasks/poll/batch/{name}?timeout=1"
    await conductor.get(f"{path}&workerid=a")
    await conductor.get(f"{path}&workerid=b")
    (found,) = await conductor.get(f"/tasks/queue/polldata?taskType={name}")
    assert found["workerId"] == "b"
    assert abs(found["lastPollTime"] - conductor.now()) < 5000
    await conductor.get(path)
    (found,) = await conductor.get(f"/tasks/queue/polldata?taskType={name}")
    assert "workerId" not in found


@case("2-polldata-of-an-unknown-type-is-empty")
async def _(conductor: Conductor) -> None:
    assert await conductor.get(f"/tasks/queue/polldata?taskType={conductor.unique()}") == []


@case("2-polldata-all-has-every-type")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    await conductor.poll(name, timeout=1)
    found = await conductor.get("/tasks/queue/polldata/all")
    (mine,) = [data for data in found if data["queueName"] == name]
    assert mine["workerId"] == "w"


# Parameters


@case("2-workerid-is-all-lower-case")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    (task,) = await conductor.get(f"/tasks/poll/batch/{name}?workerId=x")
    assert "workerId" not in task


@case("2-workerid-given-twice-is-joined-with-a-comma")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    (task,) = await conductor.get(f"/tasks/poll/batch/{name}?workerid=a&workerid=b")
    assert task["workerId"] == "a,b"


@case("2-workerid-may-have-spaces-unicode-and-200-characters")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    worker = "a b é 世 " + "x" * 200
    await conductor.start(name)
    (task,) = await conductor.get(f"/tasks/poll/batch/{name}?workerid={quote(worker)}")
    assert task["workerId"] == worker


@case("2-empty-domain-is-a-queue-of-its-own")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    assert await conductor.get(f"/tasks/poll/batch/{name}?domain=&timeout=50") == []
    assert await conductor.size(name) == 1


@case("2-empty-timeout-and-count-mean-the-defaults")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    with conductor.took(0.1, 0.2):
        assert await conductor.get(f"/tasks/poll/batch/{name}?timeout=&count=") == []
    await conductor.start(name)
    await conductor.start(name)
    assert len(await conductor.get(f"/tasks/poll/batch/{name}?timeout=&count=")) == 1


# Task types


def polled(task_type: str) -> CaseFunction:
    """Show that a type can be registered, scheduled, polled and looked up; ``<>`` becomes a unique part."""

    async def show(conductor: Conductor) -> None:
        name = task_type.replace("<>", conductor.unique(""))
        workflow_name = await conductor.flow({"name": name, "taskReferenceName": "r"})
        await conductor.define(name)
        await conductor.start(workflow_name)
        task = await conductor.take(quote(name, safe=""))
        assert task["taskType"] == name
        await conductor.update(task, "COMPLETED")
        (data,) = await conductor.get(f"/tasks/queue/polldata?taskType={quote(name, safe='')}")
        assert data["queueName"] == name

    return show


RESERVED = {
    "space": " ",
    "percent": "%",
    "plus": "+",
    "question-mark": "?",
    "hash": "#",
    "semicolon": ";",
    "dot": ".",
    "ampersand": "&",
    "single-quote": "'",
    "double-quote": '"',
    "comma": ",",
    "equals": "=",
    "at": "@",
    "bar": "|",
    "brackets": "[]",
    "braces": "{}",
    "tilde": "~",
    "parentheses": "()",
    "asterisk": "*",
    "dollar": "$",
    "tab": "\t",
    "unicode": "é世😀",
    "percent-2f": "%2F",
}

for _slug, _characters in RESERVED.items():
    case(f"2-type-with-{_slug}")(polled(f"a<>{_characters}b"))
case("2-type-of-200-characters")(polled("x" * 189 + "<>"))
case("2-type-of-300-characters", only=("dev", "sqlite", "redis"), why="13: PostgreSQL takes 255 at most")(
    polled("x" * 289 + "<>")
)


@case("2-type-of-two-dots-and-the-word-batch-can-be-polled")
async def _(conductor: Conductor) -> None:
    for name in ("%2E%2E", "batch"):
        reply = await conductor.request("GET", f"/tasks/poll/batch/{name}?timeout=1")
        assert (reply.status, reply.body) == (200, [])


@case("2-type-with-a-slash-or-backslash-cannot-be-polled")
async def _(conductor: Conductor) -> None:
    for encoded in ("a%2Fb", "a%2fb", "a%5Cb"):
        for path in ("/tasks/poll/batch/", "/tasks/poll/"):
            reply = await conductor.request("GET", path + encoded)
            assert (reply.status, reply.content_type) == (400, "text/html")
    body = await conductor.refused(404, "GET", "/tasks/poll/batch/a/b")
    assert body["message"] == "No static resource api/tasks/poll/batch/a/b."


@case("2-type-with-a-slash-registers-and-schedules")
async def _(conductor: Conductor) -> None:
    name = conductor.unique("a/b\\c")
    await conductor.define(name)
    workflow_id = await conductor.start(await conductor.flow({"name": name, "taskReferenceName": "r"}))
    assert await conductor.statuses(workflow_id) == ["SCHEDULED"]


@case("2-types-are-case-sensitive")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name)
    assert await conductor.poll(name.upper()) == []
    assert len(await conductor.poll(name)) == 1


@case("2-colon-in-a-type-collides-with-domains")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name, taskToDomain={name: "d1"})
    assert (await conductor.take(f"d1%3A{name}"))["taskType"] == name


@case("2-trailing-slash-is-404-and-other-methods-405")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    for path in (f"/tasks/poll/{name}/", "/tasks/", f"/workflow/{UNKNOWN}/"):
        await conductor.refused(404, "GET", path)
    await conductor.refused(405, "POST", f"/tasks/poll/{name}")
    await conductor.refused(405, "DELETE", "/tasks")


@case("1-post-on-a-batch-poll-is-taken-for-an-update-by-reference")
async def _(conductor: Conductor) -> None:
    await conductor.refused(500, "POST", f"/tasks/poll/batch/{conductor.unique()}", {})
