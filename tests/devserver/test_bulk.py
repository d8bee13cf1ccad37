"""One operation on many workflows."""

import json
from typing import Any

import pytest
from devserver_rig import Rig

OPERATIONS = [
    ("PUT", "pause"),
    ("PUT", "resume"),
    ("POST", "restart"),
    ("POST", "retry"),
    ("POST", "terminate"),
    ("DELETE", "remove"),
    ("DELETE", "terminate-remove"),
]


def refusal(method: str, operation: str, body: Any = None) -> Any:
    answer = Rig().send(method, f"/workflow/bulk/{operation}", body)
    return answer.status, json.loads(answer.body)


def test_operations_succeed_or_fail_for_each_workflow_by_itself() -> None:
    rig = Rig()
    rig.single()
    first, second = rig.start(), rig.start()

    def operate(method: str, operation: str, *ids: str) -> Any:
        told = rig.ok(method, f"/workflow/bulk/{operation}", list(ids))
        return told["bulkSuccessfulResults"], told["bulkErrorResults"]

    unknown = {"unknown": "No such workflow found by id: unknown"}
    assert operate("PUT", "pause", first, "unknown", second) == ([first, second], unknown)
    assert rig.workflow(second)["status"] == "PAUSED"
    assert operate("PUT", "resume", first, second) == ([first, second], {})
    not_paused = f"The workflow {first} is not PAUSED so cannot resume. Current status is RUNNING"
    assert operate("PUT", "resume", first) == ([], {first: not_paused})
    assert operate("POST", "retry", first) == ([], {first: "Workflow is still running.  status=RUNNING"})
    running = f"Workflow: t.1/{first}.RUNNING is not in terminal state, unable to restart."
    assert operate("POST", "restart", first) == ([], {first: running})
    assert operate("POST", "terminate?reason=why", first, first) == ([first, first], {})
    assert rig.workflow(first)["reasonForIncompletion"] == "why"
    assert operate("POST", "restart?useLatestDefinitions=true", first) == ([first], {})
    assert rig.workflow(first)["status"] == "RUNNING"


@pytest.mark.parametrize(("method", "operation"), OPERATIONS)
def test_list_of_workflows_is_neither_empty_nor_too_long(method: str, operation: str) -> None:
    status, told = refusal(method, operation, [])
    assert (status, told["validationErrors"][0]["message"]) == (400, "WorkflowIds list cannot be null.")
    status, told = refusal(method, operation, ["a"] * 1001)
    message = "Cannot process more than 1000 workflows. Please use multiple requests."
    assert (status, told["validationErrors"][0]["message"]) == (400, message)


@pytest.mark.parametrize(("method", "operation"), OPERATIONS)
def test_body_that_is_no_list_of_texts_is_refused(method: str, operation: str) -> None:
    for body in (None, {}, "x", [None], [[1]]):
        assert refusal(method, operation, body)[0] == 500
    assert "WorkflowBulkResource" in refusal(method, operation)[1]["message"]


def test_workflows_are_removed_that_have_ended_or_need_no_archive() -> None:
    rig = Rig()
    rig.single()
    first, second = rig.start(), rig.start()
    rig.ok("DELETE", f"/workflow/{first}")
    told = rig.ok("DELETE", "/workflow/bulk/remove", [first, second, ""])
    assert told["bulkSuccessfulResults"] == [first]
    assert told["bulkErrorResults"] == {
        second: f"Cannot archive workflow: {second} with status: RUNNING",
        "": "deleteWorkflow.arg0: WorkflowId cannot be null or empty.",
    }
    told = rig.ok("DELETE", "/workflow/bulk/remove?archiveWorkflow=false", [second])
    assert told == {"bulkErrorResults": {}, "bulkSuccessfulResults": [second]}


def test_workflow_that_cannot_be_terminated_is_removed_all_the_same() -> None:
    rig = Rig()
    rig.single()
    completed, running = rig.start(), rig.start()
    rig.report(rig.take(), "COMPLETED")
    told = rig.ok("DELETE", "/workflow/bulk/terminate-remove", [completed, running])
    assert told["bulkSuccessfulResults"] == [completed, running, running]
    assert told["bulkErrorResults"] == {completed: "Cannot terminate a COMPLETED workflow."}
    for workflow_id in (completed, running):
        assert rig.send("GET", f"/workflow/{workflow_id}").status == 404


def test_body_is_read_before_the_query() -> None:
    path = "/workflow/bulk/restart?useLatestDefinitions=x"
    assert b"request body is missing" in Rig().send("POST", path).body
    assert b"Invalid boolean value" in Rig().send("POST", path, []).body
