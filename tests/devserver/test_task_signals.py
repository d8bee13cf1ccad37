"""Signals: updates that name a workflow and no task."""

import json

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
