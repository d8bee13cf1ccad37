"""What updates and operations from outside do, in and out of season."""

from devserver_rig import Rig, ids


def test_retry_of_a_failed_workflow_makes_a_further_attempt() -> None:
    rig = Rig()
    rig.single(retryCount=0)
    workflow_id = rig.start()
    rig.report(rig.take(), "FAILED", outputData={"o": 1})
    assert rig.send("POST", f"/workflow/{workflow_id}/retry").status == 204
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], rig.statuses(workflow_id)) == ("RUNNING", ["FAILED", "SCHEDULED"])
    assert workflow["lastRetriedTime"] == rig.now
    rig.report(rig.take(), "COMPLETED")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_restart_replaces_the_tasks() -> None:
    rig = Rig()
    rig.single(retryCount=0)
    workflow_id = rig.start()
    former = rig.take()
    rig.report(former, "COMPLETED")
    assert rig.send("POST", f"/workflow/{workflow_id}/restart").status == 204
    assert rig.statuses(workflow_id) == ["SCHEDULED"]
    assert rig.send("GET", f"/tasks/{former['taskId']}").status == 404


def test_late_update_of_a_former_attempt_changes_nothing() -> None:
    rig = Rig()
    rig.single(retryCount=1, retryDelaySeconds=0)
    workflow_id = rig.start()
    former = rig.take()
    rig.report(former, "FAILED")
    rig.report(former, "COMPLETED")
    assert rig.statuses(workflow_id) == ["FAILED", "SCHEDULED"]


def test_task_may_be_completed_without_having_been_polled() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    (task,) = rig.workflow(workflow_id)["tasks"]
    rig.report(task, "COMPLETED")
    assert (rig.workflow(workflow_id)["status"], rig.size(), rig.poll()) == ("COMPLETED", 0, [])


def test_update_under_another_workflow_moves_only_that_one_on() -> None:
    rig = Rig()
    rig.single()
    mine, other = rig.start(), rig.start()
    task = next(task for task in rig.poll(count=2) if task["workflowInstanceId"] == mine)
    rig.ok(
        "POST",
        "/tasks",
        {"workflowInstanceId": other, "taskId": task["taskId"], "status": "COMPLETED"},
    )
    assert (rig.statuses(mine), rig.workflow(mine)["status"]) == (["COMPLETED"], "RUNNING")
    rig.decide(mine)
    assert rig.workflow(mine)["status"] == "COMPLETED"


def test_update_under_an_ended_workflow_changes_nothing() -> None:
    rig = Rig()
    rig.single()
    mine, ended = rig.start(), rig.start()
    rig.ok("DELETE", f"/workflow/{ended}")
    task = rig.take()
    body = {"workflowInstanceId": ended, "taskId": task["taskId"], "status": "COMPLETED"}
    assert rig.ok("POST", "/tasks", body) == task["taskId"]
    assert rig.statuses(mine) == ["IN_PROGRESS"]


def test_retry_of_a_workflow_leaves_alone_what_succeeded_in_the_end() -> None:
    rig = Rig()
    rig.define("a", retryDelaySeconds=0)
    rig.define("b", retryCount=0)
    rig.flow("w", "a", "b")
    workflow_id = rig.start("w")
    rig.report(rig.take("a"), "FAILED")
    rig.report(rig.take("a"), "COMPLETED")
    rig.report(rig.take("b"), "FAILED")
    rig.ok("POST", f"/workflow/{workflow_id}/retry")
    assert rig.statuses(workflow_id) == ["FAILED", "COMPLETED", "FAILED", "SCHEDULED"]
    assert rig.take("b")["retryCount"] == 1


def test_log_line_without_text_stops_halfway() -> None:
    rig = Rig()
    rig.define("a", "b")
    rig.flow("w", "a", "b")
    workflow_id = rig.start("w")
    task = rig.take("a")
    body = {**ids(task), "status": "COMPLETED", "logs": [{"createdTime": 1}]}
    assert rig.send("POST", "/tasks", body).status == 500
    assert rig.statuses(workflow_id) == ["COMPLETED"]
    rig.report(task, "COMPLETED")
    assert rig.statuses(workflow_id) == ["COMPLETED"]
    rig.decide(workflow_id)
    assert rig.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]
