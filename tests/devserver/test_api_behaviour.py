"""What endpoints do beyond the captured bodies."""

import json

from devserver_rig import Rig, ids


def test_latest_version_of_a_workflow_is_meant_without_one() -> None:
    rig = Rig()
    for version in (2, 10, 1):
        rig.flow("w", "t", version=version)
    assert rig.get("/metadata/workflow/w")["version"] == 10
    assert rig.workflow(rig.start("w"))["workflowVersion"] == 10
    assert rig.workflow(rig.start("w", version="2"))["workflowVersion"] == 2


def test_start_by_path_takes_the_body_as_input() -> None:
    rig = Rig()
    rig.flow("hello", "t")
    workflow_id = rig.ok("POST", "/workflow/hello?version=1&correlationId=c&priority=3", {"name": "Ada"})
    workflow = rig.workflow(workflow_id)
    assert (workflow["input"], workflow["correlationId"], workflow["priority"]) == ({"name": "Ada"}, "c", 3)


def test_inline_definition_runs_and_is_not_stored() -> None:
    rig = Rig()
    definition = {
        "name": "inline",
        "tasks": [{"name": "t", "taskReferenceName": "r", "taskDefinition": {"name": "x", "retryCount": 0}}],
    }
    workflow_id = rig.start("inline", workflowDef=definition)
    rig.report(rig.take(), "FAILED")
    assert rig.workflow(workflow_id)["status"] == "FAILED"
    assert rig.send("GET", "/metadata/workflow/inline").status == 404


def test_update_by_reference_adds_to_the_output_of_what_is_pending() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    (task,) = rig.workflow(workflow_id)["tasks"]
    rig.ok("POST", f"/tasks/{workflow_id}/t/IN_PROGRESS?workerid=me", {"a": 1})
    assert rig.ok("POST", f"/tasks/{workflow_id}/t/COMPLETED?workerid=me", {"b": 2}) == task["taskId"]
    found = rig.task(task)
    assert (found["outputData"], found["workerId"]) == ({"a": 1, "b": 2}, "me")
    assert rig.send("POST", f"/tasks/{workflow_id}/t/COMPLETED", {}).body == b""
    other = rig.start()
    assert rig.ok("POST", f"/tasks/{other}/t/COMPLETED/sync", {})["status"] == "COMPLETED"


def test_numbers_and_characters_survive() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    task = rig.take()
    output = {
        "big": 12345678901234567890,
        "more": 10**29,
        "small": -0.0,
        "one": 1.0,
        "smile": "\U0001f600",
        "n": None,
    }
    rig.report(task, "COMPLETED", outputData=output)
    answer = rig.send("GET", f"/tasks/{task['taskId']}")
    assert rb"\uD83D\uDE00" in answer.body
    found = json.loads(answer.body)["outputData"]
    assert found == output
    assert str(found["small"]) == "-0.0"
    assert isinstance(found["one"], float)


def test_reset_callbacks_makes_a_handed_back_task_deliverable() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    rig.report(rig.take(), "IN_PROGRESS", callbackAfterSeconds=3600)
    rig.ok("POST", f"/workflow/{workflow_id}/resetcallbacks")
    assert rig.take()["pollCount"] == 2


def test_removed_workflow_is_unknown() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    task = rig.take()
    rig.ok("DELETE", f"/workflow/{workflow_id}/remove?archiveWorkflow=false")
    assert rig.send("GET", f"/workflow/{workflow_id}").status == 404
    assert rig.send("POST", "/tasks", {**ids(task), "status": "COMPLETED"}).status == 404
