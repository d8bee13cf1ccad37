"""Listeners are told about each change of a status."""

from devserver_rig import Rig

from anyworker.devserver.records.changes import Change


def test_each_change_of_a_status_is_told_in_order() -> None:
    rig, told = Rig(), list[Change]()
    rig.engine.on_change.append(told.append)
    rig.single(retryCount=1, retryDelaySeconds=0)
    workflow_id = rig.start()
    rig.report(rig.take(), "FAILED", reasonForIncompletion="no", workerId="me")
    rig.report(rig.take(), "IN_PROGRESS")
    rig.report(rig.take(), "COMPLETED")
    seen = [(change.task_type, change.status) for change in told]
    assert seen == [
        (None, "RUNNING"),
        ("t", "SCHEDULED"),
        ("t", "IN_PROGRESS"),
        ("t", "FAILED"),
        ("t", "SCHEDULED"),
        ("t", "IN_PROGRESS"),
        ("t", "SCHEDULED"),
        ("t", "IN_PROGRESS"),
        ("t", "COMPLETED"),
        (None, "COMPLETED"),
    ]
    failed = told[3]
    assert (failed.at, failed.workflow_id, failed.workflow_name) == (rig.now, workflow_id, "t")
    assert (failed.reference, failed.worker_id, failed.reason) == ("t", "me", "no")
    assert failed.task_id is not None


def test_changes_of_a_terminated_workflow_are_told() -> None:
    rig, told = Rig(), list[Change]()
    rig.single()
    workflow_id = rig.start()
    rig.engine.on_change.append(told.append)
    rig.ok("DELETE", f"/workflow/{workflow_id}?reason=enough")
    assert [(change.reference, change.status, change.reason) for change in told] == [
        ("t", "CANCELED", None),
        (None, "TERMINATED", "enough"),
    ]
