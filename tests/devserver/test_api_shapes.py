"""Successful answers, key for key in the order of the real server's."""

from typing import Any

import pytest
from devserver_rig import Rig, captured, ids, masked


def greeting() -> Rig:
    """Return a server with the definitions that the captures were made with."""
    rig = Rig()
    rig.ok("POST", "/metadata/taskdefs", captured("request-taskdefs"))
    rig.ok("POST", "/metadata/workflow", captured("request-workflowdef"))
    return rig


def begin(rig: Rig) -> str:
    workflow_id: str = rig.ok("POST", "/workflow", captured("request-start-workflow"))
    return workflow_id


def take(rig: Rig, task_type: str = "greet", worker: str = "&workerid=w1", **query: str) -> Any:
    more = "".join(f"&{key}={value}" for key, value in query.items())
    (task,) = rig.get(f"/tasks/poll/batch/{task_type}?count=1&timeout=100{worker}{more}")
    return task


def alike(found: Any, name: str) -> None:
    assert masked(found) == masked(captured(name))


def test_life_of_a_task_looks_as_captured() -> None:
    rig = greeting()
    workflow_id = begin(rig)
    alike(rig.workflow(workflow_id), "workflow-running")
    (scheduled,) = rig.workflow(workflow_id)["tasks"]
    alike(rig.task(scheduled), "task-scheduled")
    rig.sleep(0.5)
    task = take(rig)
    alike(task, "task-polled")
    alike([task], "batch-polled")
    alike(rig.get("/tasks/poll/batch/greet?timeout=0"), "batch-empty")
    rig.sleep(0.5)
    report = captured("request-task-result-in-progress") | ids(task)
    rig.ok("POST", "/tasks", report)
    alike(rig.task(task), "task-after-callback-scheduled")
    rig.sleep(1)
    task = take(rig, worker="&workerid=w2")
    alike(task, "task-after-callback-polled")
    rig.ok("POST", "/tasks", captured("request-task-result-extend-lease") | ids(task))
    rig.ok("POST", "/tasks", captured("request-task-result-completed") | ids(task))
    alike(rig.task(task), "task-completed")
    alike(rig.get(f"/tasks/{task['taskId']}/log"), "task-exec-logs")
    rig.report(take(rig, "ship", ""), "COMPLETED", outputData={"ok": True})
    alike(rig.workflow(workflow_id), "workflow-completed")
    alike(rig.get(f"/workflow/{workflow_id}?includeTasks=false"), "workflow-without-tasks")
    alike(rig.get(f"/workflow/{workflow_id}/status"), "workflow-status")
    alike(rig.get(f"/workflow/{workflow_id}/tasks?start=0&count=1"), "workflow-tasks-page")
    found = rig.get("/tasks/search?size=1&query=taskType=greet")
    assert masked(found["results"]) == masked(captured("task-search")["results"])


def test_failed_attempts_look_as_captured() -> None:
    rig = greeting()
    workflow_id = rig.start("hello", input={"name": "Bob"})
    first = take(rig)
    rig.sleep(0.1)
    rig.ok("POST", "/tasks", captured("request-task-result-failed") | ids(first))
    alike(rig.task(first), "task-failed-retried")
    alike(rig.workflow(workflow_id)["tasks"][1], "task-retry-scheduled")
    second = take(rig)
    alike(second, "task-retry-polled")
    rig.report(second, "FAILED", reasonForIncompletion="no network")
    alike(rig.workflow(workflow_id), "workflow-failed")


def test_terminal_failure_looks_as_captured() -> None:
    rig = greeting()
    workflow_id = rig.start("hello")
    rig.ok("POST", "/tasks", captured("request-task-result-failed-terminal") | ids(take(rig)))
    alike(rig.workflow(workflow_id), "workflow-failed-terminal")


@pytest.mark.parametrize(
    ("policy", "capture"), [("RETRY", "task-timed-out"), ("TIME_OUT_WF", "workflow-timed-out")]
)
def test_timeouts_look_as_captured(policy: str, capture: str) -> None:
    rig = Rig()
    limit = {"timeoutSeconds": 1} if policy == "TIME_OUT_WF" else {}
    rig.define(
        "slow", retryCount=1, retryDelaySeconds=0, responseTimeoutSeconds=1, timeoutPolicy=policy, **limit
    )
    rig.flow("slow_wf", {"name": "slow", "taskReferenceName": "slow_ref"})
    workflow_id = rig.start("slow_wf")
    task = take(rig, "slow", "&workerid=w1" if policy == "RETRY" else "")
    rig.sleep(1.2)
    if policy == "RETRY":
        alike(rig.task(task), capture)
        return
    found, expected = rig.workflow(workflow_id), captured(capture)
    # How the definition was registered and with how many retries is not part of the capture's story.
    for workflow in (found, expected):
        del workflow["workflowDefinition"]
        for task in workflow["tasks"]:
            del task["workflowTask"], task["taskDefinition"]
    assert masked(found) == masked(expected)


def test_terminated_and_paused_look_as_captured() -> None:
    rig = greeting()
    workflow_id = rig.start("hello")
    task = take(rig, worker="")
    rig.sleep(0.1)
    rig.ok("DELETE", f"/workflow/{workflow_id}?reason=not%20needed")
    alike(rig.task(task), "task-canceled")
    alike(rig.workflow(workflow_id), "workflow-terminated")
    paused = rig.start("hello")
    rig.ok("PUT", f"/workflow/{paused}/pause")
    alike(rig.workflow(paused), "workflow-paused")


def test_forgiven_task_looks_as_captured() -> None:
    rig = greeting()
    first = {"name": "ship", "taskReferenceName": "first", "optional": True}
    rig.flow("optional_wf", first, "greet")
    rig.start("optional_wf")
    task = take(rig, "ship", "")
    rig.report(task, "FAILED", reasonForIncompletion="no truck")
    alike(rig.task(task), "task-completed-with-errors")


def test_task_without_definition_looks_as_captured() -> None:
    rig = Rig()
    rig.flow("no_def_wf", {"name": "never_registered", "taskReferenceName": "nr"})
    rig.start("no_def_wf")
    alike(take(rig, "never_registered", ""), "task-polled-no-taskdef")
    assert rig.send("GET", "/metadata/taskdefs/never_registered").status == 404


def test_task_in_a_domain_and_the_next_task_look_as_captured() -> None:
    rig = greeting()
    rig.start("hello", input={"name": "Eve"}, taskToDomain={"greet": "blue"})
    alike(take(rig, domain="blue"), "task-polled-domain")
    rig.start("hello", input={"name": "1"})
    rig.start("hello", input={"name": "2"})
    report = {**ids(take(rig)), "status": "COMPLETED", "workerId": "w1"}
    alike(rig.ok("POST", "/tasks/update-v2", report), "update-v2-next-task")


def test_large_payloads_look_as_captured() -> None:
    rig = greeting()
    rig.start("hello")
    task = take(rig, worker="")
    rig.report(task, "COMPLETED", outputData={"text": "x" * (4 << 20)})
    found, expected = rig.task(task), captured("task-output-externalised")
    for body in (found, expected):
        assert body.pop("externalOutputPayloadStoragePath").endswith(".json")
    assert masked(found) == masked(expected)
    alike(take(rig, "ship", ""), "task-polled-input-externalised")


def test_payload_over_the_limit_fails_the_task_and_says_200() -> None:
    rig = greeting()
    workflow_id = rig.start("hello")
    task = take(rig, worker="")
    rig.report(task, "COMPLETED", outputData={"text": "x" * (11 << 20)})
    alike(rig.task(task), "task-output-too-large")
    assert rig.workflow(workflow_id)["status"] == "FAILED"


def test_definitions_look_as_captured() -> None:
    rig = Rig()
    rig.ok("POST", "/metadata/taskdefs", captured("request-taskdefs-all-fields"))
    alike(rig.get("/metadata/taskdefs/resize_image"), "taskdef-all-fields")
    rig.define("plain")
    alike(rig.get("/metadata/taskdefs/plain"), "taskdef-defaults")
    assert len(rig.get("/metadata/taskdefs")) == 2
    created = rig.now
    rig.sleep(1)
    rig.ok("PUT", "/metadata/taskdefs", {"name": "plain", "retryCount": 1, "description": "second"})
    alike(rig.get("/metadata/taskdefs/plain"), "taskdef-after-put")
    assert rig.get("/metadata/taskdefs/plain")["createTime"] == created
    rig.ok("POST", "/metadata/workflow", captured("request-workflowdef"))
    alike(rig.get("/metadata/workflow/hello?version=1"), "workflowdef")
    put = rig.ok("PUT", "/metadata/workflow", [captured("request-workflowdef") | {"name": "hello_put"}])
    alike(put, "bulk-response")
    rig.ok("DELETE", "/metadata/taskdefs/plain")
    rig.ok("DELETE", "/metadata/workflow/hello/1")
    assert rig.send("GET", "/metadata/workflow/hello").status == 404


def test_queues_and_poll_data_look_as_captured() -> None:
    rig = greeting()
    for _ in range(3):
        rig.start("hello")
    take(rig)
    take(rig, worker="")
    rig.get("/tasks/poll/batch/greet?timeout=0&domain=blue&workerid=w2")
    rig.get("/tasks/poll/batch/greet?timeout=0&workerid=w1")
    rig.start("hello")
    assert rig.get("/tasks/queue/size?taskType=greet") == 1
    rig.start("hello")
    alike(rig.get("/tasks/queue/size?taskType=greet"), "queue-size")
    alike(rig.get("/tasks/queue/sizes?taskType=greet&taskType=ship"), "queue-sizes")
    assert rig.get("/tasks/queue/all") == {"_deciderQueue": 5, "greet": 2}
    assert rig.get("/tasks/queue/all/verbose")["greet"] == captured("queue-all-verbose")["greet"]
    alike(rig.get("/tasks/queue/polldata?taskType=greet"), "poll-data")
    rig.get("/tasks/poll/batch/aaa?timeout=0")
    assert masked(rig.get("/tasks/queue/polldata/all")[0]) == masked(
        captured("poll-data-all")[2] | {"queueName": "aaa"}
    )


def test_search_finds_by_type_status_and_workflow() -> None:
    rig = greeting()
    for _ in range(4):
        rig.start("hello")
    task, *_ = taken = rig.poll("greet", count=3)
    for other in taken[1:]:
        rig.report(other, "IN_PROGRESS")

    def hits(query: str) -> int:
        found = rig.get(f"/tasks/search-v2?query={query.replace(' ', '%20')}")
        assert len(found["results"]) == found["totalHits"]
        assert all(result["workflowTask"] for result in found["results"])
        return int(found["totalHits"])

    assert hits("taskType=greet") == 3
    assert hits("taskType=greet AND status=IN_PROGRESS") == 1
    assert hits("taskType='greet' AND status IN (IN_PROGRESS,SCHEDULED)") == 3
    assert hits("workflowType=hello AND taskType=greet") == 3
    assert hits("taskType=greet AND workerId=nobody") == 3
    assert hits("taskType=ship") == 0
    (found,) = rig.get("/tasks/search-v2?query=taskType=greet%20AND%20status=IN_PROGRESS")["results"]
    assert found == task
    page = rig.get("/tasks/search?query=taskType=greet&start=2&size=5")
    assert (page["totalHits"], len(page["results"])) == (3, 1)


def test_health_and_version_speak_for_themselves() -> None:
    rig = Rig()
    for prefix in ("/root", ""):
        alike(rig.get(f"{prefix}/health"), "health")
    assert "dev server" in rig.get("/version")
    assert rig.send("GET", "/root/version").status == 404
    assert rig.get("/root/").startswith("<!DOCTYPE html>")
