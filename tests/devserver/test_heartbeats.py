"""A heartbeat and a result that are under way together."""

import json
from typing import Any

import pytest
from devserver_rig import Rig, ids

from anyworker.devserver import DevServer
from anyworker.devserver.http.exchange import Pending


def racing(seed: int = 0) -> tuple[Rig, str, Any]:
    """Return a server on which a heartbeat takes 50 ms, a workflow of two tasks, and the first in hand."""
    rig = Rig(engine=DevServer(lease_race=0.05, seed=seed).engine)
    rig.define("t", "u")
    rig.flow("t", "t", "u")
    return rig, rig.start(), rig.take()


def beat(rig: Rig, task: Any, path: str = "/tasks") -> Any:
    """Send a heartbeat without waiting for its answer."""
    pending = rig.raw("POST", path, json.dumps({**ids(task), "extendLease": True}).encode())
    assert isinstance(pending, Pending)
    return pending


@pytest.mark.parametrize(("path", "status"), [("/tasks", 200), ("/tasks/update-v2", 204)])
def test_result_that_comes_while_a_heartbeat_is_under_way_is_lost_whether_or_not_the_workflow_goes_on(
    path: str, status: int
) -> None:
    outcomes = set()
    for seed in range(8):
        rig, workflow_id, task = racing(seed)
        pending = beat(rig, task, path)
        rig.sleep(0.02)
        rig.report(task, "COMPLETED", outputData={"a": 1})
        assert rig.finish(pending).status == status
        found = rig.task(task)
        assert (found["status"], found["outputData"], found["endTime"]) == ("IN_PROGRESS", {}, 0)
        assert (found["workerId"], found["executed"]) == ("w", False)
        outcomes.add(tuple(rig.statuses(workflow_id)))
    assert outcomes == {("IN_PROGRESS",), ("IN_PROGRESS", "SCHEDULED")}


def test_result_that_was_lost_can_be_sent_again() -> None:
    for seed in range(8):
        rig, workflow_id, task = racing(seed)
        pending = beat(rig, task)
        rig.report(task, "COMPLETED", outputData={"a": 1})
        rig.finish(pending)
        rig.report(task, "COMPLETED", outputData={"a": 1})
        assert rig.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]
        assert rig.task(task)["outputData"] == {"a": 1}


def test_result_that_comes_after_the_heartbeat_was_answered_is_kept() -> None:
    rig, workflow_id, task = racing()
    rig.finish(beat(rig, task))
    rig.report(task, "COMPLETED", outputData={"a": 1})
    rig.sleep(1)
    assert rig.task(task)["outputData"] == {"a": 1}
    assert rig.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]


def test_heartbeat_that_comes_after_the_result_changes_nothing() -> None:
    rig, workflow_id, task = racing()
    rig.report(task, "COMPLETED", outputData={"a": 1})
    rig.finish(beat(rig, task))
    assert rig.task(task)["outputData"] == {"a": 1}
    assert rig.statuses(workflow_id) == ["COMPLETED", "SCHEDULED"]


def test_heartbeat_alone_extends_the_lease_to_its_end() -> None:
    rig, _, task = racing()
    rig.finish(beat(rig, task))
    assert rig.task(task)["updateTime"] == rig.now
    assert rig.task(task)["status"] == "IN_PROGRESS"


def test_heartbeat_outlives_its_sender_and_not_its_task() -> None:
    rig, workflow_id, task = racing()
    beat(rig, task)
    rig.report(task, "COMPLETED")
    rig.sleep(0.05)
    assert rig.task(task)["status"] == "IN_PROGRESS"
    beat(rig, task)
    rig.ok("DELETE", f"/workflow/{workflow_id}/remove?archiveWorkflow=false")
    rig.sleep(0.05)
    assert rig.send("GET", f"/tasks/{task['taskId']}").status == 404
