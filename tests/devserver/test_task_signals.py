"""Signals: updates that name a workflow and no task."""

import json
from typing import Any

import pytest
from devserver_rig import Rig


def test_signal_to_a_workflow_that_waits_for_nothing_is_accepted_and_ignored() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    rig.take()
    answer = rig.send("POST", f"/tasks/{workflow_id}/COMPLETED/signal", {"a": 1})
    assert (answer.status, answer.body) == (200, b"")
    (task,) = rig.workflow(workflow_id)["tasks"]
    assert (task["status"], task["outputData"]) == ("IN_PROGRESS", {})


def test_signal_that_makes_no_sense_is_refused() -> None:
    rig = Rig()
    rig.single()
    path = f"/tasks/{rig.start()}/COMPLETED/signal"
    unknown = rig.send("POST", "/tasks/unknown/COMPLETED/signal", {})
    assert (unknown.status, json.loads(unknown.body)["message"]) == (
        404,
        "No such workflow found by id: unknown",
    )
    assert rig.send("POST", path.replace("COMPLETED", "SKIPPED"), {}).status == 500
    assert "for value [SKIPPED]" in str(rig.send("POST", path.replace("COMPLETED", "SKIPPED"), {}).body)
    assert "TaskResource.signalWorkflowTaskAsync" in str(rig.send("POST", path).body)
    assert "from Array value" in str(rig.send("POST", path, []).body)


# ---------------------------------------------------------------- what waits


def wait(reference: str) -> dict[str, Any]:
    return {"name": reference, "taskReferenceName": reference, "type": "WAIT"}


def call(reference: str, workflow: str) -> dict[str, Any]:
    step = {"name": reference, "taskReferenceName": reference, "type": "SUB_WORKFLOW"}
    return {**step, "subWorkflowParam": {"name": workflow}}


def fork(*branches: list[dict[str, Any]]) -> list[dict[str, Any]]:
    last = [branch[-1]["taskReferenceName"] for branch in branches]
    return [
        {"name": "fork", "taskReferenceName": "fork", "type": "FORK_JOIN", "forkTasks": list(branches)},
        {"name": "join", "taskReferenceName": "join", "type": "JOIN", "joinOn": last},
    ]


def signal(rig: Rig, workflow_id: str, status: str, output: dict[str, Any]) -> None:
    rig.ok("POST", f"/tasks/{workflow_id}/{status}/signal", output)


def outputs(rig: Rig, workflow_id: str) -> dict[str, Any]:
    """Return the outputs of the tasks that wait no more, in the workflow and in those below it."""
    found = {}
    for task in rig.workflow(workflow_id)["tasks"]:
        if task["taskType"] == "WAIT" and task["status"] != "IN_PROGRESS":
            found[task["referenceTaskName"]] = task["outputData"]
        if "subWorkflowId" in task:
            found |= outputs(rig, task["subWorkflowId"])
    return found


@pytest.mark.parametrize(
    ("status", "workflow_status"),
    [
        ("COMPLETED", "COMPLETED"),
        ("FAILED", "FAILED"),
        ("FAILED_WITH_TERMINAL_ERROR", "FAILED"),
        ("CANCELED", "TERMINATED"),
        ("IN_PROGRESS", "RUNNING"),
    ],
)
def test_signal_updates_the_task_that_waits(status: str, workflow_status: str) -> None:
    rig = Rig()
    rig.flow("w", wait("a"))
    workflow_id = rig.start("w")
    signal(rig, workflow_id, status, {"x": 1})
    workflow = rig.workflow(workflow_id)
    (task,) = workflow["tasks"]
    assert (workflow["status"], task["status"], task["outputData"]) == (workflow_status, status, {"x": 1})


def test_signals_add_to_the_output() -> None:
    rig = Rig()
    rig.flow("w", wait("a"))
    workflow_id = rig.start("w")
    signal(rig, workflow_id, "IN_PROGRESS", {"x": 1})
    signal(rig, workflow_id, "COMPLETED", {"y": 2})
    assert outputs(rig, workflow_id) == {"a": {"x": 1, "y": 2}}


def test_signal_reaches_a_workflow_before_those_below_it() -> None:
    rig = Rig()
    rig.flow("low", wait("low"))
    rig.flow("deep", call("call", "low"))
    rig.flow("top", *fork([call("first", "deep")], [call("second", "low")], [wait("own")]))
    workflow_id = rig.start("top")
    signal(rig, workflow_id, "COMPLETED", {"n": 1})
    assert outputs(rig, workflow_id) == {"own": {"n": 1}}
    signal(rig, workflow_id, "COMPLETED", {"n": 2})
    (first, second) = [task for task in rig.workflow(workflow_id)["tasks"] if "subWorkflowId" in task]
    assert outputs(rig, first["subWorkflowId"]) == {"low": {"n": 2}}
    assert outputs(rig, second["subWorkflowId"]) == {}


def test_synchronous_signal_is_answered_when_the_workflow_waits_again() -> None:
    rig = Rig()
    rig.flow("w", wait("a"), wait("b"))
    workflow_id = rig.start("w")
    began = rig.now
    path = f"/tasks/{workflow_id}/COMPLETED/signal/sync"
    told = rig.ok("POST", f"{path}?returnStrategy=BLOCKING_TASK", {"x": 1})
    assert rig.now == began + 100
    _, waiting = rig.workflow(workflow_id)["tasks"]
    del told["requestId"]
    assert told == {
        "responseType": "BLOCKING_TASK",
        "targetWorkflowId": workflow_id,
        "targetWorkflowStatus": "RUNNING",
        "workflowId": workflow_id,
        "input": {},
        "output": {},
        "signalTimeout": False,
        "taskType": "WAIT",
        "taskId": waiting["taskId"],
        "referenceTaskName": "b",
        "retryCount": 0,
        "taskDefName": "b",
        "workflowType": "w",
        "priority": 0,
        "createTime": waiting["scheduledTime"],
        "updateTime": 0,
        "status": "IN_PROGRESS",
    }
    told = rig.ok("POST", f"/tasks/{workflow_id}/COMPLETED/signal/sync", {"x": 2})
    assert (told["targetWorkflowStatus"], told["output"]) == ("COMPLETED", {"x": 2})
    assert [task["status"] for task in told["tasks"]] == ["COMPLETED", "COMPLETED"]


def test_synchronous_signal_tells_of_the_workflow_that_waits_below() -> None:
    rig = Rig()
    rig.flow("low", wait("a"), wait("b"))
    rig.flow("top", call("call", "low"))
    for strategy, name in (("TARGET_WORKFLOW", "top"), ("BLOCKING_WORKFLOW", "low")):
        workflow_id = rig.start("top")
        told = rig.ok("POST", f"/tasks/{workflow_id}/COMPLETED/signal/sync?returnStrategy={strategy}", {})
        assert rig.workflow(told["workflowId"])["workflowName"] == name
        assert (told["targetWorkflowId"], told["signalTimeout"]) == (workflow_id, False)


def test_synchronous_signal_waits_five_seconds_for_a_worker() -> None:
    rig = Rig()
    rig.flow("w", wait("a"), "t")
    for query, seconds in (("", 5), ("?timeoutMillis=200", 0.2)):
        workflow_id = rig.start("w")
        began = rig.now
        told = rig.ok("POST", f"/tasks/{workflow_id}/COMPLETED/signal/sync{query}", {})
        assert (rig.now - began, told["signalTimeout"]) == (seconds * 1000, True)


def test_synchronous_signal_is_refused_where_nothing_waits() -> None:
    rig = Rig()
    rig.single()
    path = f"/tasks/{rig.start()}/COMPLETED/signal/sync"
    answer = rig.send("POST", path, {})
    assert answer.status == 404
    assert json.loads(answer.body)["message"].startswith("Found no blocked task in workflow ")
    assert "signalWorkflowTaskSync" in str(rig.send("POST", path).body)
    assert "for value [X]" in str(rig.send("POST", f"{path}?returnStrategy=X", {}).body)
    repeated = rig.send("POST", f"{path}?returnStrategy=X&returnStrategy=Y", {}).body.decode()
    assert "String[]' to required type" in repeated
    assert "for value [X]" in repeated
    assert "for value [NO]" in str(rig.send("POST", path.replace("COMPLETED", "NO"), {}).body)


def test_execution_is_answered_when_its_workflow_waits() -> None:
    rig = Rig()
    rig.flow("w", wait("a"), "t")
    told = rig.ok("POST", "/workflow/execute/w/1?waitUntilTaskRef=t", {})
    assert ([task["status"] for task in told["tasks"]], told["signalTimeout"]) == (["IN_PROGRESS"], False)
