"""Section 4 of the contract: every captured error, its status and each field of its body."""

from collections.abc import Awaitable, Callable
from typing import Any

from black_box import UNKNOWN, Conductor, Reply, ids
from captures import WIRE, Stage
from conformance_cases import CaseFunction, case

Refusal = Callable[[Stage], Awaitable[Reply]]


def sending(method: str, path: str, body: Any = None) -> Refusal:
    """Send JSON; ``<name>`` in the path stands for the case's own name."""

    async def refuse(stage: Stage) -> Reply:
        return await stage.conductor.request(method, own(stage, path), json=body)

    return refuse


def sending_raw(path: str, content: bytes, content_type: str = "application/json") -> Refusal:
    async def refuse(stage: Stage) -> Reply:
        headers = {"content-type": content_type}
        return await stage.conductor.request("POST", path, content=content, headers=headers)

    return refuse


def with_workflow(method: str, path: str, body: Any = None) -> Refusal:
    """Send JSON about a workflow that runs."""

    async def refuse(stage: Stage) -> Reply:
        return await stage.conductor.request(method, path.format(await stage.start()), json=body)

    return refuse


def with_task(**fields: Any) -> Refusal:
    """Send an update of a task in hand."""

    async def refuse(stage: Stage) -> Reply:
        await stage.start()
        return await stage.conductor.request("POST", "/tasks", json=ids(await stage.take()) | fields)

    return refuse


def starting(**fields: Any) -> Refusal:
    async def refuse(stage: Stage) -> Reply:
        return await stage.conductor.request("POST", "/workflow", json={"name": stage["hello"]} | fields)

    return refuse


def registering(**fields: Any) -> Refusal:
    return sending("POST", "/metadata/taskdefs", [fields])


def own(stage: Stage, text: str) -> str:
    for old, new in stage.names.items():
        text = text.replace(f"<{old}>", new)
    return text


async def updating_unknown_task(stage: Stage) -> Reply:
    body = {"workflowInstanceId": await stage.start(), "taskId": UNKNOWN, "status": "COMPLETED"}
    return await stage.conductor.request("POST", "/tasks", json=body)


async def terminating_completed(stage: Stage) -> Reply:
    conductor = stage.conductor
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED")
    return await conductor.request("DELETE", f"/workflow/{workflow_id}")


async def registering_again(stage: Stage) -> Reply:
    body = stage.request("request-workflowdef")
    return await stage.conductor.request("POST", "/metadata/workflow", json=body)


async def registering_twice(stage: Stage) -> Reply:
    body = {"name": stage["x"], "tasks": TWICE}
    return await stage.conductor.request("POST", "/metadata/workflow", json=body)


BAD_NUMBERS = {
    "responseTimeoutSeconds": 0,
    "retryCount": -1,
    "pollTimeoutSeconds": -1,
    "backoffScaleFactor": 0,
}
TWICE = [{"name": "greet", "taskReferenceName": "a"}] * 2
TOTAL = {"timeoutSeconds": 30, "totalTimeoutSeconds": 20, "responseTimeoutSeconds": 1}
LARGE = {"x": "x" * (11 << 20)}

REFUSALS: dict[str, Refusal] = {
    "400-empty-ids": sending("POST", "/tasks", {"workflowInstanceId": "", "taskId": "", "status": "FAILED"}),
    "400-long-poll-timeout": sending("GET", "/tasks/poll/batch/<greet>?timeout=5001"),
    "400-missing-ids": sending("POST", "/tasks", {"status": "COMPLETED"}),
    "400-start-no-name": sending("POST", "/workflow", {}),
    "400-start-null-input": starting(input=None),
    "400-start-priority": starting(priority=100),
    "400-taskdef-bad-numbers": registering(name="x", **BAD_NUMBERS),
    "400-taskdef-empty-list": sending("POST", "/metadata/taskdefs", []),
    "400-taskdef-no-name": registering(),
    "400-taskdef-response-timeout": registering(name="x", timeoutSeconds=30),
    "400-taskdef-total-timeout": registering(name="x", **TOTAL),
    "400-workflowdef-duplicate-reference": registering_twice,
    "400-workflowdef-empty": sending("POST", "/metadata/workflow", {}),
    "404-by-reference-sync": with_workflow("POST", "/tasks/{}/nosuch/COMPLETED/sync", {}),
    "404-get-unknown-task": sending("GET", f"/tasks/{UNKNOWN}"),
    "404-get-unknown-workflow": sending("GET", f"/workflow/{UNKNOWN}"),
    "404-retry-running-workflow": with_workflow("POST", "/workflow/{}/retry"),
    "404-start-unknown-workflow": sending("POST", "/workflow", {"name": "nosuch", "version": 1}),
    "404-taskdef-get-unknown": sending("GET", "/metadata/taskdefs/nosuch"),
    "404-taskdef-put-unknown": sending("PUT", "/metadata/taskdefs", {"name": "nosuch"}),
    "404-unknown-path": sending("GET", "/token"),
    "404-update-unknown-task": updating_unknown_task,
    "404-update-unknown-workflow": sending(
        "POST", "/tasks", {"workflowInstanceId": UNKNOWN, "taskId": UNKNOWN, "status": "COMPLETED"}
    ),
    "404-workflowdef-get-unknown": sending("GET", "/metadata/workflow/nosuch"),
    "405-wrong-method": sending("PUT", "/tasks", {}),
    "409-restart-running-workflow": with_workflow("POST", "/workflow/{}/restart"),
    "409-terminate-completed-workflow": terminating_completed,
    "409-workflowdef-exists": registering_again,
    "500-bad-json": sending_raw("/tasks", b'{"taskId":'),
    "500-bad-number-parameter": sending("GET", "/tasks/poll/batch/<greet>?timeout=1.5"),
    "500-bad-status": with_task(status="TIMED_OUT"),
    "500-content-type": sending_raw("/tasks", b"{}", "text/plain"),
    "500-log-without-text": with_task(status="COMPLETED", logs=[{}]),
    "500-missing-parameter": sending("GET", "/tasks/queue/size"),
    "500-nan": sending_raw("/tasks", b'{"outputData":{"x":NaN}}'),
    "500-no-body": sending("POST", "/tasks"),
    "500-no-status": with_task(),
    "500-output-not-an-object": with_task(status="COMPLETED", outputData=[1]),
    "500-resume-not-paused": with_workflow("PUT", "/workflow/{}/resume"),
    "500-start-input-too-large": starting(input=LARGE),
    "500-string-too-long": sending_raw("/tasks", b'{"outputData":{"x":"' + b"x" * 20_000_001 + b'"}}'),
    "500-taskdef-delete-unknown": sending("DELETE", "/metadata/taskdefs/nosuch"),
    "500-taskdef-not-a-list": sending("POST", "/metadata/taskdefs", {"name": "x"}),
    "500-update-v2-missing-ids": sending("POST", "/tasks/update-v2", {}),
}
SQLITE_ONLY = {
    "500-log-without-text": "13: PostgreSQL words it in its own way, Redis misses no log",
    "500-taskdef-delete-unknown": "404 on PostgreSQL and Redis",
}


def refusal(name: str, refuse: Refusal) -> CaseFunction:
    async def compare(conductor: Conductor) -> None:
        stage = Stage(conductor, "x")
        await stage.set()
        reply = await refuse(stage)
        assert reply.status == int(name[:3])
        assert reply.content_type == "application/json"
        stage.alike(reply.body, f"error-{name}")

    return compare


for _name in sorted(path.stem.removeprefix("error-") for path in WIRE.glob("error-*.json")):
    _why = SQLITE_ONLY.get(_name, "")
    case(f"4-{_name}", only=("dev", "sqlite") if _why else (), why=_why)(refusal(_name, REFUSALS[_name]))


@case("4-404-taskdef-delete-unknown", only=("postgres", "redis"), why="500 on SQLite")
async def _(conductor: Conductor) -> None:
    await conductor.refused(404, "DELETE", f"/metadata/taskdefs/{conductor.unique()}")


@case("4-400-page-for-an-unusable-request-line")
async def _(conductor: Conductor) -> None:
    reply = await conductor.request("GET", "/tasks/a%2Fb")
    assert (reply.status, reply.content_type) == (400, "text/html")


@case("4-409-pause-or-resume-of-an-ended-workflow")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED")
    await conductor.refused(409, "PUT", f"/workflow/{workflow_id}/pause")


@case("4-409-retry-with-nothing-to-retry")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.update(task, "COMPLETED")
    await conductor.refused(409, "POST", f"/workflow/{workflow_id}/retry")


@case("4-500-workflowdef-delete-unknown", only=("dev", "sqlite"), why="404 on PostgreSQL and Redis")
async def _(conductor: Conductor) -> None:
    await conductor.refused(500, "DELETE", f"/metadata/workflow/{conductor.unique('w')}/1")


@case("4-404-workflowdef-delete-unknown", only=("postgres", "redis"), why="500 on SQLite")
async def _(conductor: Conductor) -> None:
    await conductor.refused(404, "DELETE", f"/metadata/workflow/{conductor.unique('w')}/1")


@case("4-404-wins-over-what-is-unknown-on-each-path")
async def _(conductor: Conductor) -> None:
    for method, path in (
        ("GET", f"/workflow/{UNKNOWN}/status"),
        ("GET", f"/workflow/{UNKNOWN}/tasks"),
        ("PUT", f"/workflow/decide/{UNKNOWN}"),
        ("PUT", f"/workflow/{UNKNOWN}/pause"),
        ("PUT", f"/workflow/{UNKNOWN}/resume"),
        ("DELETE", f"/workflow/{UNKNOWN}"),
        ("POST", f"/workflow/{UNKNOWN}/retry"),
        ("POST", f"/workflow/{UNKNOWN}/restart"),
        ("GET", "/schema"),
        ("GET", "/token"),
    ):
        body = await conductor.refused(404, method, path)
        assert (body["status"], body["retryable"]) == (404, False)


@case("4-404-start-by-path-of-an-unknown-workflow-names-it")
async def _(conductor: Conductor) -> None:
    name = conductor.unique("w")
    body = await conductor.refused(404, "POST", f"/workflow/{name}?version=7", {})
    assert body["message"] == f"No such workflow found by name: {name}, version: 7"
    body = await conductor.refused(404, "POST", "/workflow", {"name": name, "version": 7})
    assert body["message"] == f"No such workflow defined. name={name}, version=7"


@case("4-500-invalid-utf-8-and-infinity-in-a-body")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    known = f'"workflowInstanceId":"{task["workflowInstanceId"]}","taskId":"{task["taskId"]}"'.encode()
    for value in (b'"\xff"', b"Infinity", b"-Infinity", b"NaN", b"01", b"'x'"):
        content = b"{" + known + b',"status":"COMPLETED","outputData":{"x":' + value + b"}}"
        assert (await conductor.request("POST", "/tasks", content=content)).status == 500
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"


@case("4-connection-is-closed-after-400-and-500-and-not-after-404-405-409")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    replies = {
        400: await conductor.request("GET", f"/tasks/poll/batch/{name}?timeout=5001"),
        404: await conductor.request("GET", f"/tasks/{UNKNOWN}"),
        405: await conductor.request("PUT", "/tasks", json={}),
        500: await conductor.request("GET", "/tasks/queue/size"),
    }
    assert {status: reply.status for status, reply in replies.items()} == {n: n for n in replies}
    closed = {status: reply.headers.get("connection") == "close" for status, reply in replies.items()}
    assert closed == {400: True, 404: False, 405: False, 500: True}
