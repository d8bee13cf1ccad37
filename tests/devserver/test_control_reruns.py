"""Running workflows again from a task, and skipping tasks to come."""

from typing import Any

import pytest
from control_steps import fork, set_variables, simple, sub_workflow, switch, wait
from devserver_rig import UNKNOWN, Rig


def begin(*steps: Any, **start: Any) -> tuple[Rig, str]:
    rig = Rig()
    rig.define("a", "b", "c", retryCount=0)
    rig.flow("flow", *steps)
    return rig, rig.start("flow", **start)


def do(rig: Rig, task_type: str, status: str = "COMPLETED", **output: Any) -> None:
    rig.report(rig.take(task_type), status, outputData=output)


def rerun(rig: Rig, workflow_id: str, reference: str | None = None, **body: Any) -> None:
    if reference is not None:
        body["reRunFromTaskId"] = by_reference(rig, workflow_id)[reference]["taskId"]
    assert rig.ok("POST", f"/workflow/{workflow_id}/rerun", body) == workflow_id


def by_reference(rig: Rig, workflow_id: str) -> dict[str, Any]:
    return {task["referenceTaskName"]: task for task in rig.workflow(workflow_id)["tasks"]}


def states(rig: Rig, workflow_id: str) -> dict[str, str]:
    return {reference: task["status"] for reference, task in by_reference(rig, workflow_id).items()}


def test_rerun_of_a_workflow_begins_anew_with_other_input() -> None:
    rig, workflow_id = begin(simple("a", inputParameters={"n": "${workflow.input.n}"}), "b", input={"n": 1})
    do(rig, "a", "FAILED")
    rerun(rig, workflow_id, workflowInput={"n": 2}, correlationId="c")
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], workflow["correlationId"], workflow["failedTaskNames"]) == (
        "RUNNING",
        "c",
        [],
    )
    assert [task["inputData"] for task in workflow["tasks"]] == [{"n": 2}]
    do(rig, "a")
    do(rig, "b")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_rerun_from_a_task_forgets_what_came_after_it() -> None:
    rig, workflow_id = begin("a", "b", "c")
    do(rig, "a", x=1)
    do(rig, "b", y=1)
    do(rig, "c", "FAILED")
    rerun(rig, workflow_id, "b", taskInput={"other": 1})
    tasks = by_reference(rig, workflow_id)
    assert (list(tasks), tasks["b"]["status"]) == (["a", "b"], "SCHEDULED")
    assert (tasks["b"]["inputData"], tasks["b"]["outputData"], tasks["b"]["pollCount"]) == (
        {"other": 1},
        {},
        0,
    )
    do(rig, "b")
    do(rig, "c")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_rerun_in_a_fork_lets_the_others_go_on_in_their_places() -> None:
    rig, workflow_id = begin(*fork([simple("a"), simple("c")], [simple("b")], join_on=["c", "b"]))
    do(rig, "a")
    do(rig, "c", "FAILED")
    rerun(rig, workflow_id, "c")
    assert states(rig, workflow_id) == {
        "fork": "COMPLETED",
        "a": "COMPLETED",
        "b": "SCHEDULED",
        "fork_join": "IN_PROGRESS",
        "c": "SCHEDULED",
    }
    do(rig, "b")
    do(rig, "c")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("wait", {"switch": "COMPLETED", "a": "COMPLETED", "set": "COMPLETED", "wait": "SCHEDULED"}),
        ("set", {"switch": "COMPLETED", "a": "COMPLETED", "set": "COMPLETED", "wait": "IN_PROGRESS"}),
        ("a", {"switch": "COMPLETED", "a": "SCHEDULED"}),
    ],
)
def test_rerun_from_a_control_task(reference: str, expected: dict[str, str]) -> None:
    rig, workflow_id = begin(switch({"A": [simple("a")]}), set_variables(x=1), wait(), input={"key": "A"})
    do(rig, "a")
    rig.ok("DELETE", f"/workflow/{workflow_id}")
    rerun(rig, workflow_id, reference)
    assert states(rig, workflow_id) == expected


def test_rerun_from_a_task_of_a_sub_workflow_goes_on_in_both() -> None:
    rig = Rig()
    rig.define("a", "b", retryCount=0)
    rig.flow("child", "a", "b")
    rig.flow("flow", sub_workflow({"name": "child"}), "c")
    workflow_id = rig.start("flow")
    child = by_reference(rig, workflow_id)["sub"]["subWorkflowId"]
    do(rig, "a")
    do(rig, "b", "FAILED")
    inner = by_reference(rig, child)["b"]["taskId"]
    rig.ok("POST", f"/workflow/{workflow_id}/rerun", {"reRunFromTaskId": inner})
    assert (states(rig, workflow_id), states(rig, child)["b"]) == ({"sub": "IN_PROGRESS"}, "SCHEDULED")
    do(rig, "b")
    assert rig.size("c") == 1


def test_rerun_from_a_sub_workflow_starts_a_new_one() -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    rig.flow("child", "a")
    rig.flow("flow", sub_workflow({"name": "child"}))
    workflow_id = rig.start("flow")
    former = by_reference(rig, workflow_id)["sub"]["subWorkflowId"]
    do(rig, "a", "FAILED")
    rerun(rig, workflow_id, "sub")
    assert by_reference(rig, workflow_id)["sub"]["subWorkflowId"] != former
    do(rig, "a")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_rerun_is_refused_of_what_runs_and_of_what_is_not_there() -> None:
    rig, workflow_id = begin("a")
    assert rig.send("POST", f"/workflow/{workflow_id}/rerun", {}).status == 409
    rig.ok("DELETE", f"/workflow/{workflow_id}")
    missing = rig.send("POST", f"/workflow/{workflow_id}/rerun", {"reRunFromTaskId": UNKNOWN})
    assert (missing.status, b"Task 00000000-" in missing.body) == (400, True)
    assert rig.send("POST", f"/workflow/{UNKNOWN}/rerun", {}).status == 404


def test_skipped_task_is_passed_over() -> None:
    rig, workflow_id = begin("a", "b", "c")
    rig.ok("PUT", f"/workflow/{workflow_id}/skiptask/b", {"taskOutput": {"ignored": 1}})
    do(rig, "a")
    assert states(rig, workflow_id) == {"b": "SKIPPED", "a": "COMPLETED", "c": "SCHEDULED"}
    skipped = by_reference(rig, workflow_id)["b"]
    assert (skipped["seq"], skipped["outputData"], skipped["taskDefinition"]) == (0, {}, None)
    assert "workflowType" not in skipped
    do(rig, "c")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("reference", "message"),
    [("a", b"has already been processed"), ("x", b"does not exist in the WorkflowDefinition flow")],
)
def test_skip_is_refused_of_what_is_there_or_never_comes(reference: str, message: bytes) -> None:
    rig, workflow_id = begin("a")
    refused = rig.send("PUT", f"/workflow/{workflow_id}/skiptask/{reference}")
    assert (refused.status, message in refused.body) == (500, True)


def test_skip_is_refused_while_a_workflow_does_not_run() -> None:
    rig, workflow_id = begin("a", "b")
    rig.ok("PUT", f"/workflow/{workflow_id}/pause")
    refused = rig.send("PUT", f"/workflow/{workflow_id}/skiptask/b")
    assert (refused.status, b"is not running so the task referenced by b" in refused.body) == (500, True)
