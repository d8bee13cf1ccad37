"""The golden timelines: what was verified on the real server, step by step."""

import pytest
from devserver_rig import Rig, ids


def test_plain_task_runs_from_scheduled_to_completed() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    (scheduled,) = rig.workflow(workflow_id)["tasks"]
    assert (scheduled["status"], scheduled["seq"], scheduled["pollCount"]) == ("SCHEDULED", 1, 0)
    task = rig.take()
    assert (task["status"], task["pollCount"], task["startTime"]) == ("IN_PROGRESS", 1, rig.now)
    rig.report(task, "COMPLETED", outputData={"a": 1})
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], workflow["output"], workflow["endTime"]) == ("COMPLETED", {"a": 1}, rig.now)


def test_fixed_retries_come_after_their_delay() -> None:
    rig = Rig()
    rig.single(retryCount=3, retryDelaySeconds=2)
    workflow_id = rig.start()
    for _ in range(2):
        rig.report(rig.take(), "FAILED", reasonForIncompletion="no")
        rig.sleep(1.999)
        assert rig.poll() == []
        rig.sleep(0.001)
    rig.report(rig.take(), "COMPLETED")
    workflow = rig.workflow(workflow_id)
    told = [(task["status"], task["retryCount"], task["retried"]) for task in workflow["tasks"]]
    assert told == [("FAILED", 0, True), ("FAILED", 1, True), ("COMPLETED", 2, False)]
    assert workflow["tasks"][1]["retriedTaskId"] == workflow["tasks"][0]["taskId"]


def test_used_up_retries_fail_the_workflow() -> None:
    rig = Rig()
    rig.single(retryCount=1, retryDelaySeconds=0)
    workflow_id = rig.start()
    rig.report(rig.take(), "FAILED")
    last = rig.take()
    rig.report(last, "FAILED")
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], rig.statuses(workflow_id)) == ("FAILED", ["FAILED", "FAILED"])
    assert workflow["failedReferenceTaskNames"] == ["t"]
    sentence = f"Task {last['taskId']} failed with status: FAILED and reason: 'null'"
    assert workflow["reasonForIncompletion"] == sentence


def test_response_timeout_gives_a_new_attempt_and_ignores_the_late_result() -> None:
    rig = Rig()
    rig.single(responseTimeoutSeconds=1, retryCount=1, retryDelaySeconds=0)
    workflow_id = rig.start()
    late = rig.take()
    rig.sleep(1.15)
    rig.decide(workflow_id)
    assert rig.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]
    rig.report(late, "COMPLETED", outputData={"late": True})
    assert rig.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]
    rig.report(rig.take(), "COMPLETED")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_extended_lease_counts_from_the_extension() -> None:
    rig = Rig()
    rig.single(responseTimeoutSeconds=2)
    workflow_id = rig.start()
    task = rig.take()
    rig.sleep(1.5)
    rig.extend(task)
    rig.sleep(1.5)
    rig.decide(workflow_id)
    assert rig.task(task)["status"] == "IN_PROGRESS"
    rig.sleep(0.8)
    rig.decide(workflow_id)
    assert rig.task(task)["status"] == "TIMED_OUT"


def test_hand_back_comes_again_after_its_callback() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    first = rig.take()
    rig.report(first, "IN_PROGRESS", callbackAfterSeconds=2, outputData={"a": 1})
    waiting = rig.task(first)
    assert (waiting["status"], waiting["callbackAfterSeconds"], rig.size()) == ("SCHEDULED", 2, 1)
    assert rig.poll() == []
    rig.sleep(2)
    again = rig.take()
    assert (again["taskId"], again["pollCount"]) == (first["taskId"], 2)
    assert (again["startTime"], again["callbackAfterSeconds"]) == (first["startTime"], 0)
    assert again["outputData"] == {"a": 1}
    rig.report(again, "COMPLETED", outputData={"b": 2})
    assert rig.task(again)["outputData"] == {"b": 2}


@pytest.mark.parametrize(
    ("policy", "workflow_status", "statuses"),
    [
        ("TIME_OUT_WF", "TIMED_OUT", ["TIMED_OUT"]),
        ("RETRY", "RUNNING", ["TIMED_OUT", "SCHEDULED"]),
        ("ALERT_ONLY", "RUNNING", ["TIMED_OUT", "SCHEDULED"]),
    ],
)
def test_timeout_follows_its_policy(policy: str, workflow_status: str, statuses: list[str]) -> None:
    rig = Rig()
    rig.single(
        timeoutSeconds=1, responseTimeoutSeconds=1, timeoutPolicy=policy, retryCount=1, retryDelaySeconds=0
    )
    workflow_id = rig.start()
    rig.take()
    rig.sleep(1.15)
    rig.decide(workflow_id)
    assert rig.workflow(workflow_id)["status"] == workflow_status
    assert rig.statuses(workflow_id) == statuses


def test_terminated_task_ignores_whatever_its_worker_says() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    task = rig.take()
    rig.ok("DELETE", f"/workflow/{workflow_id}?reason=enough")
    canceled = rig.task(task)
    assert canceled["status"] == "CANCELED"
    rig.sleep(1)
    rig.report(task, "COMPLETED", outputData={"x": 1})
    rig.report(task, "IN_PROGRESS")
    rig.extend(task)
    assert rig.task(task) == canceled
    assert rig.poll() == []
    assert rig.workflow(workflow_id)["reasonForIncompletion"] == "enough"


def test_paused_workflow_takes_results_and_schedules_nothing() -> None:
    rig = Rig()
    rig.define("a", "b")
    rig.flow("two", "a", "b")
    workflow_id = rig.start("two")
    task = rig.take("a")
    rig.ok("PUT", f"/workflow/{workflow_id}/pause")
    rig.report(task, "COMPLETED")
    assert rig.statuses(workflow_id) == ["COMPLETED"]
    rig.ok("PUT", f"/workflow/{workflow_id}/resume")
    assert rig.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]


def test_update_v2_brings_the_next_task_or_waits_a_moment() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    rig.start()
    first = rig.take()
    second = rig.ok("POST", "/tasks/update-v2", {**ids(first), "status": "COMPLETED", "workerId": "me"})
    assert (second["status"], second["workerId"]) == ("IN_PROGRESS", "me")
    before = rig.now
    assert rig.send("POST", "/tasks/update-v2", {**ids(second), "status": "COMPLETED"}).status == 204
    assert rig.now - before == 100
    assert rig.send("POST", "/tasks/update-v2", {**ids(second), "status": "COMPLETED"}).status == 204
    assert rig.now - before == 200
    assert rig.send("POST", "/tasks/update-v2", {**ids(second), "extendLease": True}).status == 204
    assert rig.now - before == 200


def test_domain_is_chosen_by_who_has_polled() -> None:
    rig = Rig()
    rig.single()
    plain = rig.start(taskToDomain={"t": "d,NO_DOMAIN"})
    assert "domain" not in rig.workflow(plain)["tasks"][0]
    assert rig.take()["workflowInstanceId"] == plain
    rig.poll(domain="d")
    rig.sleep(9)
    claimed = rig.start(taskToDomain={"t": "d,NO_DOMAIN"})
    assert rig.workflow(claimed)["tasks"][0]["domain"] == "d"
    assert rig.poll() == []
    assert rig.get("/tasks/queue/size?taskType=t&domain=d") == 1
    (task,) = rig.poll(domain="d")
    assert task["workflowInstanceId"] == claimed
