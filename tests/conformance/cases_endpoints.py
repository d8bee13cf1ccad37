"""Section 2 of the contract: the endpoints that a worker uses, row by row; updates are in section 5."""

from black_box import UNKNOWN, Conductor, ids
from conformance_cases import case


@case("2-poll-gives-one-task-or-204-after-100-ms")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    with conductor.took(0.1, 0.2):
        reply = await conductor.request("GET", f"/tasks/poll/{name}?workerid=w")
    assert (reply.status, reply.raw) == (204, b"")
    await conductor.start(name)
    task = await conductor.get(f"/tasks/poll/{name}?workerid=w")
    assert (task["taskType"], task["status"], task["workerId"]) == (name, "IN_PROGRESS", "w")


@case("2-poll-ignores-timeout-and-count")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    with conductor.took(0.1, 0.2):
        assert await conductor.get(f"/tasks/poll/{name}?timeout=5000&count=3") is None
    await conductor.start(name)
    await conductor.start(name)
    with conductor.took(0.0):
        assert (await conductor.get(f"/tasks/poll/{name}?timeout=5000&count=3"))["taskType"] == name
    assert await conductor.size(name) == 1


@case("2-poll-takes-a-domain")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    await conductor.start(name, taskToDomain={name: "d"})
    assert await conductor.get(f"/tasks/poll/{name}") is None
    assert (await conductor.get(f"/tasks/poll/{name}?domain=d"))["domain"] == "d"


@case("2-poll-batch-asks-for-one-task-and-waits-100-ms-by-default")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    with conductor.took(0.1, 0.2):
        reply = await conductor.request("GET", f"/tasks/poll/batch/{name}")
    assert (reply.status, reply.body) == (200, [])
    await conductor.start(name)
    await conductor.start(name)
    assert len(await conductor.get(f"/tasks/poll/batch/{name}")) == 1


@case("2-update-answers-with-the-task-id-as-text")
async def _(conductor: Conductor) -> None:
    _, task = await conductor.begin(await conductor.single())
    reply = await conductor.request("POST", "/tasks", json={**ids(task), "status": "COMPLETED"})
    assert (reply.status, reply.content_type) == (200, "text/plain")
    assert reply.body == task["taskId"]


@case("2-head-on-a-poll-path-is-a-poll")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    reply = await conductor.request("HEAD", f"/tasks/poll/batch/{name}?workerid=head&timeout=1000")
    assert (reply.status, reply.raw) == (200, b"")
    task = await conductor.last(workflow_id)
    assert (task["status"], task["workerId"]) == ("IN_PROGRESS", "head")


# By reference


@case("2-by-reference-answers-with-the-task-id-as-text-and-merges-the-output")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", outputData={"a": 1, "b": 1})
    reply = await conductor.request("POST", f"/tasks/{workflow_id}/{name}/COMPLETED", json={"b": 2, "c": 3})
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain", task["taskId"])
    assert (await conductor.task(task))["outputData"] == {"a": 1, "b": 2, "c": 3}
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("2-by-reference-works-on-a-task-never-polled")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    await conductor.ok("POST", f"/tasks/{workflow_id}/{name}/COMPLETED?workerid=me", {"a": 1})
    task = await conductor.last(workflow_id)
    assert (task["status"], task["pollCount"], task["workerId"]) == ("COMPLETED", 0, "me")
    assert await conductor.poll(name) == []


@case("2-by-reference-needs-a-body")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    body = await conductor.refused(500, "POST", f"/tasks/{workflow_id}/{name}/COMPLETED")
    assert body["message"].startswith("Required request body is missing")


@case("2-by-reference-is-empty-when-nothing-is-pending")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "COMPLETED")
    for path in (f"/tasks/{workflow_id}/{name}/FAILED", f"/tasks/{workflow_id}/nosuch/COMPLETED"):
        reply = await conductor.request("POST", path, json={"a": 1})
        assert (reply.status, reply.raw) == (200, b"")
    assert (await conductor.task(task))["status"] == "COMPLETED"


@case("2-by-reference-is-empty-when-the-workflow-is-unknown")
async def _(conductor: Conductor) -> None:
    reply = await conductor.request("POST", f"/tasks/{UNKNOWN}/x/COMPLETED", json={})
    assert (reply.status, reply.raw) == (200, b"")


@case("2-by-reference-refuses-a-status-that-no-worker-may-send")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    for status in ("TIMED_OUT", "completed", "SCHEDULED"):
        await conductor.refused(500, "POST", f"/tasks/{workflow_id}/{name}/{status}", {})
    assert await conductor.statuses(workflow_id) == ["SCHEDULED"]


@case("2-by-reference-sync-answers-with-the-workflow")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    workflow = await conductor.ok("POST", f"/tasks/{workflow_id}/{name}/COMPLETED/sync?workerid=y", {"b": 2})
    assert (workflow["workflowId"], workflow["status"]) == (workflow_id, "COMPLETED")
    assert workflow["output"] == {"b": 2}
    assert (await conductor.task(task))["workerId"] == "y"


@case("2-by-reference-sync-is-404-when-nothing-is-pending")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "COMPLETED")
    for owner in (workflow_id, UNKNOWN):
        await conductor.refused(404, "POST", f"/tasks/{owner}/{name}/COMPLETED/sync", {})


# Reading tasks


@case("2-get-task-shows-a-cancellation")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    assert await conductor.task(task) == task
    await conductor.ok("DELETE", f"/workflow/{workflow_id}")
    assert (await conductor.task(task))["status"] == "CANCELED"


@case("2-get-task-is-404-after-its-workflow-was-removed")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(await conductor.single())
    await conductor.ok("DELETE", f"/workflow/{workflow_id}/remove?archiveWorkflow=false")
    await conductor.refused(404, "GET", f"/tasks/{task['taskId']}")


# External storage


@case("2-externalstoragelocation-has-a-path-and-no-uri")
async def _(conductor: Conductor) -> None:
    path = "/tasks/externalstoragelocation?path=a%2Fb&operation={}&payloadType={}"
    for operation, kind in (("READ", "TASK_INPUT"), ("WRITE", "TASK_OUTPUT"), ("read", "task_input")):
        found = await conductor.get(path.format(operation, kind))
        assert list(found) == ["path"]
        assert found["path"].startswith("a/b")
        assert found["path"].endswith(".json")


@case("2-externalstoragelocation-needs-its-parameters")
async def _(conductor: Conductor) -> None:
    path = "/tasks/externalstoragelocation"
    await conductor.refused(500, "GET", path)
    await conductor.refused(500, "GET", f"{path}?path=a")
    await conductor.refused(500, "GET", f"{path}?path=a&operation=READ")
    body = await conductor.refused(400, "GET", f"{path}?path=a&operation=BOGUS&payloadType=TASK_INPUT")
    assert body["message"] == "Invalid input - Operation: BOGUS, PayloadType: TASK_INPUT"
