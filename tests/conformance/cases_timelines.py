"""Section 11 of the contract: the golden timelines."""

from black_box import Conductor, ids
from conformance_cases import case


@case("11.1-plain")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id = await conductor.start(name)
    waiting = await conductor.last(workflow_id)
    assert (waiting["status"], waiting["seq"], waiting["pollCount"]) == ("SCHEDULED", 1, 0)
    task = await conductor.take(name)
    assert (task["status"], task["pollCount"]) == ("IN_PROGRESS", 1)
    body = {**ids(task), "status": "COMPLETED", "outputData": {"a": 1}}
    reply = await conductor.request("POST", "/tasks", json=body)
    assert (reply.status, reply.content_type, reply.body) == (200, "text/plain", task["taskId"])
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["output"]) == ("COMPLETED", {"a": 1})


@case("11.2-failed-twice-with-a-fixed-delay")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=3, retryDelaySeconds=2)
    workflow_id = await conductor.start(name)
    for _ in range(2):
        await conductor.update(await conductor.take(name, timeout=4000), "FAILED")
        with conductor.took(2.0, 2.2):
            assert await conductor.poll(name, timeout=1000) == []
            task = await conductor.take(name, timeout=4000)
            await conductor.update(task, "IN_PROGRESS")
    await conductor.update(await conductor.take(name), "COMPLETED")
    tasks = (await conductor.workflow(workflow_id))["tasks"]
    assert [(task["status"], task["retryCount"], task["retried"]) for task in tasks] == [
        ("FAILED", 0, True),
        ("FAILED", 1, True),
        ("COMPLETED", 2, False),
    ]


@case("11.3-failed-for-good")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(retryCount=1, retryDelaySeconds=0)
    workflow_id = await conductor.start(name)
    for _ in range(2):
        task = await conductor.take(name)
        await conductor.update(task, "FAILED")
    found = await conductor.workflow(workflow_id)
    assert [task["status"] for task in found["tasks"]] == ["FAILED", "FAILED"]
    assert (found["status"], found["failedReferenceTaskNames"]) == ("FAILED", [name])
    assert task["taskId"] in found["reasonForIncompletion"]


@case("11.4-response-timeout")
async def _(conductor: Conductor) -> None:
    name = await conductor.single(responseTimeoutSeconds=1, retryCount=1, retryDelaySeconds=0)
    workflow_id, first = await conductor.begin(name)
    await conductor.elapse(1.15)
    await conductor.decide(workflow_id)
    assert await conductor.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]
    before = await conductor.workflow(workflow_id)
    await conductor.update(first, "COMPLETED", outputData={"late": True})
    assert await conductor.workflow(workflow_id) == before
    await conductor.update(await conductor.take(name), "COMPLETED", outputData={"a": 1})
    found = await conductor.workflow(workflow_id)
    assert (found["status"], found["output"]) == ("COMPLETED", {"a": 1})


@case("11.5-lease-extended-once")
async def _(conductor: Conductor) -> None:
    workflow_id, task = await conductor.begin(
        await conductor.single(responseTimeoutSeconds=4, retryDelaySeconds=0)
    )
    await conductor.elapse(3)
    await conductor.extend(task)
    await conductor.elapse(3)
    await conductor.decide(workflow_id)
    assert (await conductor.task(task))["status"] == "IN_PROGRESS"
    await conductor.elapse(1.2)
    await conductor.decide(workflow_id)
    assert (await conductor.task(task))["status"] == "TIMED_OUT"


@case("11.6-handed-back-with-a-call-back")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.update(task, "IN_PROGRESS", callbackAfterSeconds=2, outputData={"a": 1})
    with conductor.took(2.0, 2.2):
        assert (await conductor.task(task))["status"] == "SCHEDULED"
        assert await conductor.size(name) == 1
        assert await conductor.poll(name) == []
        again = await conductor.take(name, timeout=4000)
    assert (again["taskId"], again["pollCount"]) == (task["taskId"], 2)
    assert (again["startTime"], again["outputData"]) == (task["startTime"], {"a": 1})
    assert again["callbackAfterSeconds"] == 0
    await conductor.update(again, "COMPLETED", outputData={"b": 2})
    assert (await conductor.task(task))["outputData"] == {"b": 2}
    assert (await conductor.workflow(workflow_id))["output"] == {"b": 2}


@case("11.7-both-timeouts-at-once")
async def _(conductor: Conductor) -> None:
    expected = {
        "TIME_OUT_WF": ("TIMED_OUT", ["TIMED_OUT"], "Task timed out after"),
        "RETRY": ("RUNNING", ["TIMED_OUT", "SCHEDULED"], "Task timed out after"),
        "ALERT_ONLY": ("RUNNING", ["TIMED_OUT", "SCHEDULED"], "responseTimeout: 1 exceeded"),
    }
    for policy, (status, statuses, reason) in expected.items():
        name = await conductor.single(
            timeoutSeconds=1, responseTimeoutSeconds=1, timeoutPolicy=policy, retryDelaySeconds=0
        )
        workflow_id, task = await conductor.begin(name)
        await conductor.elapse(1.15)
        await conductor.decide(workflow_id)
        assert await conductor.status(workflow_id) == status, policy
        assert await conductor.statuses(workflow_id) == statuses, policy
        assert (await conductor.task(task))["reasonForIncompletion"].startswith(reason), policy


@case("11.8-terminated-in-work")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    workflow_id, task = await conductor.begin(name)
    await conductor.ok("DELETE", f"/workflow/{workflow_id}?reason=enough")
    before = await conductor.workflow(workflow_id)
    assert [item["status"] for item in before["tasks"]] == ["CANCELED"]
    await conductor.update(task, "COMPLETED", outputData={"a": 1})
    await conductor.update(task, "IN_PROGRESS")
    await conductor.extend(task)
    assert await conductor.workflow(workflow_id) == before
    assert await conductor.poll(name) == []


@case("11.9-paused-in-work")
async def _(conductor: Conductor) -> None:
    first, second = conductor.unique(), conductor.unique()
    workflow_id = await conductor.start(await conductor.flow(first, second))
    task = await conductor.take(first)
    await conductor.ok("PUT", f"/workflow/{workflow_id}/pause")
    await conductor.update(task, "COMPLETED")
    assert await conductor.timeline(workflow_id) == [(first, "COMPLETED", 0)]
    await conductor.ok("PUT", f"/workflow/{workflow_id}/resume")
    assert await conductor.timeline(workflow_id) == [(first, "COMPLETED", 0), (second, "SCHEDULED", 0)]


@case("11.10-update-v2")
async def _(conductor: Conductor) -> None:
    name = await conductor.single()
    for _ in range(2):
        await conductor.start(name)
    first = await conductor.take(name)
    second = await conductor.update_v2(first, "COMPLETED", workerId="w")
    assert (second["status"], second["workerId"]) == ("IN_PROGRESS", "w")
    assert second["taskId"] != first["taskId"]
    for _ in range(2):
        with conductor.took(0.1, 0.1):
            assert await conductor.update_v2(second, "COMPLETED", workerId="w") is None
    with conductor.took(0.0, 0.0):
        body = {**ids(second), "extendLease": True}
        reply = await conductor.request("POST", "/tasks/update-v2", json=body)
    assert (reply.status, reply.raw) == (204, b"")


@case("11.11-domains")
async def _(conductor: Conductor) -> None:
    name, domain = await conductor.single(), conductor.unique("d")
    wanted = {name: f"{domain},NO_DOMAIN"}
    workflow_id = await conductor.start(name, taskToDomain=wanted)
    assert "domain" not in await conductor.last(workflow_id)
    await conductor.take(name)
    await conductor.poll(name, domain=domain)
    workflow_id = await conductor.start(name, taskToDomain=wanted)
    assert (await conductor.last(workflow_id))["domain"] == domain
    assert (await conductor.get("/tasks/queue/all"))[f"{domain}:{name}"] == 1
    assert await conductor.poll(name) == []
    assert (await conductor.take(name, domain=domain))["workflowInstanceId"] == workflow_id
