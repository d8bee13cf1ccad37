"""Section 3 of the contract: the objects on the wire, each field of each captured body."""

from black_box import Conductor, ids
from captures import Stage, captured, masked, take_anonymously
from conformance_cases import case


@case("3-task-scheduled-and-its-workflow-running")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    workflow_id = await conductor.ok("POST", "/workflow", stage.request("request-start-workflow"))
    workflow = await conductor.workflow(workflow_id)
    stage.alike(workflow, "workflow-running")
    stage.alike(await conductor.task(workflow["tasks"][0]), "task-scheduled")


@case("3-task-polled")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    await conductor.ok("POST", "/workflow", stage.request("request-start-workflow"))
    task = await stage.take(workerid="w1")
    stage.alike(task, "task-polled")
    stage.alike([task], "batch-polled")
    stage.alike(await conductor.poll(stage["greet"]), "batch-empty")


@case("3-task-handed-back-polled-again-and-completed")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    await conductor.ok("POST", "/workflow", stage.request("request-start-workflow"))
    first = await stage.take(workerid="w1")
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-in-progress", **ids(first)))
    stage.alike(await conductor.task(first), "task-after-callback-scheduled")
    second = await stage.take(workerid="w2")
    stage.alike(second, "task-after-callback-polled")
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-extend-lease", **ids(second)))
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-completed", **ids(second)))
    stage.alike(await conductor.task(second), "task-completed")


@case("3-workflow-completed-and-its-other-forms")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    workflow_id = await conductor.ok("POST", "/workflow", stage.request("request-start-workflow"))
    first = await stage.take(workerid="w1")
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-in-progress", **ids(first)))
    second = await stage.take(workerid="w2")
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-completed", **ids(second)))
    await conductor.update(await stage.take("ship"), "COMPLETED", outputData={"ok": True})
    stage.alike(await conductor.workflow(workflow_id), "workflow-completed")
    stage.alike(await conductor.get(f"/workflow/{workflow_id}?includeTasks=false"), "workflow-without-tasks")
    stage.alike(await conductor.get(f"/workflow/{workflow_id}/status"), "workflow-status")
    page = await conductor.get(f"/workflow/{workflow_id}/tasks?start=0&count=1")
    stage.alike(page, "workflow-tasks-page")


@case("3-taskexeclog", only=("dev", "sqlite", "postgres"), why="13: Redis drops logs")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    await stage.start()
    first = await stage.take()
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-in-progress", **ids(first)))
    second = await stage.take()
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-completed", **ids(second)))
    stage.alike(await conductor.get(f"/tasks/{second['taskId']}/log"), "task-exec-logs")


@case("3-failed-attempts-and-the-failed-workflow")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    workflow_id = await stage.start(input={"name": "Bob"})
    first = await stage.take(workerid="w1")
    await conductor.ok("POST", "/tasks", stage.request("request-task-result-failed", **ids(first)))
    stage.alike(await conductor.task(first), "task-failed-retried")
    stage.alike(await conductor.last(workflow_id), "task-retry-scheduled")
    second = await stage.take(workerid="w1")
    stage.alike(second, "task-retry-polled")
    await conductor.update(second, "FAILED", reasonForIncompletion="no network")
    stage.alike(await conductor.workflow(workflow_id), "workflow-failed")


@case("3-workflow-failed-terminally")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    workflow_id = await stage.start()
    failed = stage.request("request-task-result-failed-terminal", **ids(await stage.take(workerid="w1")))
    await conductor.ok("POST", "/tasks", failed)
    stage.alike(await conductor.workflow(workflow_id), "workflow-failed-terminal")


@case("3-task-timed-out")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor, "slow_wf", "slow")
    fields = {"retryCount": 1, "retryDelaySeconds": 0, "responseTimeoutSeconds": 1, "timeoutPolicy": "RETRY"}
    await conductor.define(stage["slow"], **fields)
    await conductor.flow({"name": stage["slow"], "taskReferenceName": "slow_ref"}, name=stage["slow_wf"])
    workflow_id = await conductor.start(stage["slow_wf"])
    task = await stage.take("slow", workerid="w1")
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    stage.alike(await conductor.task(task), "task-timed-out")


@case("3-workflow-timed-out")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor, "slow_wf", "slow")
    await conductor.define(stage["slow"], timeoutSeconds=1, responseTimeoutSeconds=1)
    await conductor.flow({"name": stage["slow"], "taskReferenceName": "slow_ref"}, name=stage["slow_wf"])
    workflow_id = await conductor.start(stage["slow_wf"])
    await stage.take("slow")
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    # How the definitions were registered is not part of the capture's story.
    definitions = ("workflowDefinition", "workflowTask", "taskDefinition")
    stage.alike(await conductor.workflow(workflow_id), "workflow-timed-out", without=definitions)


@case("3-task-canceled-and-workflow-terminated")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    workflow_id = await stage.start()
    task = await stage.take()
    await conductor.ok("DELETE", f"/workflow/{workflow_id}?reason=not%20needed")
    stage.alike(await conductor.task(task), "task-canceled")
    stage.alike(await conductor.workflow(workflow_id), "workflow-terminated")


@case("3-workflow-paused")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    workflow_id = await stage.start()
    await conductor.ok("PUT", f"/workflow/{workflow_id}/pause")
    stage.alike(await conductor.workflow(workflow_id), "workflow-paused")


@case("3-task-completed-with-errors")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor, "optional_wf")
    await stage.set()
    forgiven = {"name": stage["ship"], "taskReferenceName": "first", "optional": True}
    await conductor.flow(forgiven, stage["greet"], name=stage["optional_wf"])
    await conductor.start(stage["optional_wf"])
    task = await stage.take("ship")
    await conductor.update(task, "FAILED", reasonForIncompletion="no truck")
    stage.alike(await conductor.task(task), "task-completed-with-errors")


@case("3-task-without-a-definition-carries-the-defaults")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor, "no_def_wf", "never_registered")
    step = {"name": stage["never_registered"], "taskReferenceName": "nr"}
    await conductor.flow(step, name=stage["no_def_wf"])
    await conductor.start(stage["no_def_wf"])
    stage.alike(await stage.take("never_registered"), "task-polled-no-taskdef")
    await conductor.refused(404, "GET", f"/metadata/taskdefs/{stage['never_registered']}")


@case("3-task-of-a-domain")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    await stage.start(input={"name": "Eve"}, taskToDomain={stage["greet"]: "blue"})
    stage.alike(await stage.take(workerid="w1", domain="blue"), "task-polled-domain")


@case("3-task-from-update-v2")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    await stage.start(input={"name": "1"})
    first = await stage.take(workerid="w1")
    await stage.start(input={"name": "2"})
    stage.alike(await conductor.update_v2(first, "COMPLETED", workerId="w1"), "update-v2-next-task")


@case("3-externalised-output-and-input")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    await stage.start()
    task = await stage.take()
    await conductor.update(task, "COMPLETED", outputData={"text": "x" * (4 << 20)})
    found = await conductor.task(task)
    assert found["externalOutputPayloadStoragePath"].endswith(".json")
    stage.alike(found, "task-output-externalised", without=("externalOutputPayloadStoragePath",))
    successor = await stage.take("ship")
    assert successor["externalInputPayloadStoragePath"].endswith(".json")
    stage.alike(successor, "task-polled-input-externalised", without=("externalInputPayloadStoragePath",))


@case("3-taskdef-with-every-field")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor, "resize_image")
    await conductor.ok("POST", "/metadata/taskdefs", stage.request("request-taskdefs-all-fields"))
    found = await conductor.get(f"/metadata/taskdefs/{stage['resize_image']}")
    stage.alike(found, "taskdef-all-fields")


@case("3-taskdef-defaults-and-after-put")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor, "plain")
    await conductor.define(stage["plain"])
    path = f"/metadata/taskdefs/{stage['plain']}"
    created = await conductor.get(path)
    stage.alike(created, "taskdef-defaults")
    changed = {"name": stage["plain"], "retryCount": 1, "description": "second"}
    await conductor.ok("PUT", "/metadata/taskdefs", changed)
    found = await conductor.get(path)
    stage.alike(found, "taskdef-after-put")
    assert found["createTime"] == created["createTime"]


@case("3-workflowdef-and-bulkresponse")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor, "hello_put")
    await stage.set()
    stage.alike(await conductor.get(f"/metadata/workflow/{stage['hello']}?version=1"), "workflowdef")
    other = stage.request("request-workflowdef", name=stage["hello_put"])
    stage.alike(await conductor.ok("PUT", "/metadata/workflow", [other]), "bulk-response")


@case("3-polldata")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    path = f"/tasks/poll/batch/{stage['greet']}?timeout=1"
    await conductor.get(f"{path}&workerid=w1")
    await conductor.get(f"{path}&workerid=w2&domain=blue")
    found = await conductor.get(f"/tasks/queue/polldata?taskType={stage['greet']}")
    # One per domain, in no fixed order.
    stage.alike(sorted(found, key=lambda data: data["workerId"]), "poll-data")


@case("3-task-summary-of-a-search", only=("dev", "sqlite", "postgres"), why="13: Redis has no index")
async def _(conductor: Conductor) -> None:
    stage = Stage(conductor)
    await stage.set()
    await conductor.ok("POST", "/workflow", stage.request("request-start-workflow"))
    task = await stage.take()
    await conductor.update(task, "COMPLETED", outputData={"text": "Hello Ada"})
    path = f"/tasks/search?size=1&query=taskType%3D{stage['greet']}"
    await conductor.until(lambda: has_status(conductor, path, "COMPLETED"))
    found = await conductor.get(path)
    assert found["totalHits"] == 1
    stage.alike(found | {"totalHits": captured("task-search")["totalHits"]}, "task-search")


async def has_status(conductor: Conductor, path: str, status: str) -> bool:
    """Return whether a search finds a task in a status: an index may be a moment late."""
    return [task["status"] for task in (await conductor.get(path))["results"]] == [status]


@case("3-health")
async def _(conductor: Conductor) -> None:
    for path in (conductor.outside("/health"), "/health"):
        assert masked(await conductor.get(path)) == masked(captured("health"))


@case("3-workflowtask-of-an-unknown-type-is-polled-under-that-name")
async def _(conductor: Conductor) -> None:
    kind = conductor.unique("KIND")
    name = await conductor.flow({"name": conductor.unique(), "taskReferenceName": "x", "type": kind})
    await conductor.start(name)
    task = await take_anonymously(conductor, kind)
    assert (task["taskType"], task["workflowTask"]["type"]) == (kind, kind)
