"""What is set going again beside a sub-workflow, and how failure workflows are found."""

from typing import Any

import pytest
from control_steps import fork, simple, sub_workflow, terminate, wait
from devserver_rig import Rig


def by_reference(rig: Rig, workflow_id: str) -> dict[str, Any]:
    return {task["referenceTaskName"]: task for task in rig.workflow(workflow_id)["tasks"]}


def do(rig: Rig, task_type: str, status: str = "COMPLETED", **output: Any) -> None:
    rig.report(rig.take(task_type), status, outputData=output, reasonForIncompletion="why")


def twins() -> tuple[Rig, str, str, str]:
    """Return a server, a fork of two sub-workflows of which the first has failed, and these."""
    rig = Rig()
    rig.define("a", "b", retryCount=0)
    rig.flow("first", "a")
    rig.flow("second", "b")
    branches = [[sub_workflow({"name": name}, name)] for name in ("first", "second")]
    rig.flow("parent", *fork(*branches, join_on=["first", "second"]))
    parent = rig.start("parent")
    first, second = (by_reference(rig, parent)[name]["subWorkflowId"] for name in ("first", "second"))
    do(rig, "a", "FAILED")
    assert [rig.workflow(each)["status"] for each in (parent, first, second)] == [
        "FAILED",
        "FAILED",
        "TERMINATED",
    ]
    return rig, parent, first, second


def test_sub_workflow_beside_one_that_is_retried_goes_on_too() -> None:
    rig, parent, first, second = twins()
    rig.ok("POST", f"/workflow/{first}/retry")
    assert [rig.workflow(each)["status"] for each in (parent, first, second)] == ["RUNNING"] * 3
    do(rig, "a")
    do(rig, "b")
    assert rig.workflow(parent)["status"] == "COMPLETED"


def test_sub_workflow_that_is_gone_ends_its_parent_again() -> None:
    rig, parent, first, second = twins()
    rig.ok("DELETE", f"/workflow/{second}/remove")
    rig.ok("POST", f"/workflow/{first}/retry")
    assert rig.workflow(parent)["status"] == "TERMINATED"
    assert by_reference(rig, parent)["second"]["status"] == "CANCELED"


def test_wait_beside_a_sub_workflow_that_is_retried_can_be_ended_again() -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    rig.flow("child", "a")
    rig.flow("parent", *fork([sub_workflow({"name": "child"})], [wait()], join_on=["sub", "wait"]))
    parent = rig.start("parent")
    do(rig, "a", "FAILED")
    assert by_reference(rig, parent)["wait"]["status"] == "CANCELED"
    rig.ok("POST", f"/workflow/{by_reference(rig, parent)['sub']['subWorkflowId']}/retry")
    assert by_reference(rig, parent)["wait"]["status"] == "SCHEDULED"
    do(rig, "a")
    rig.report(by_reference(rig, parent)["wait"], "COMPLETED")
    assert rig.workflow(parent)["status"] == "COMPLETED"


def test_rerun_of_a_sub_workflows_task_finds_the_workflow_that_completed() -> None:
    rig = Rig()
    rig.define("a", "b", retryCount=0)
    rig.flow("child", "a")
    rig.flow("parent", sub_workflow({"name": "child"}), "b")
    parent = rig.start("parent")
    do(rig, "a", x=1)
    do(rig, "b", "FAILED")
    former = by_reference(rig, parent)["sub"]
    rig.ok("POST", f"/workflow/{parent}/rerun", {"reRunFromTaskId": former["taskId"]})
    again = by_reference(rig, parent)["sub"]
    assert (again["status"], again["outputData"]) == ("COMPLETED", former["outputData"])
    assert rig.size("a") == 0


@pytest.mark.parametrize(("named", "status"), [("handler", "RUNNING"), (None, None)])
def test_failure_workflow_may_be_named_by_the_input(named: str | None, status: str | None) -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    rig.flow("handler", "handle")
    rig.flow("flow", "a", failureWorkflow="$workflow.input.handler")
    workflow_id = rig.start("flow", input={} if named is None else {"handler": named})
    do(rig, "a", "FAILED")
    started = rig.workflow(workflow_id)["output"].get("conductor.failure_workflow")
    assert (None if started is None else rig.workflow(started)["status"]) == status


def test_termination_with_a_status_that_is_none_fails() -> None:
    rig = Rig()
    # What a sub-workflow brings inline is not validated.
    inline = {"name": "child", "tasks": [terminate("ENDED")]}
    rig.flow("parent", sub_workflow({"name": "child", "workflowDefinition": inline}))
    parent = rig.start("parent")
    child = rig.workflow(by_reference(rig, parent)["sub"]["subWorkflowId"])
    (task,) = child["tasks"]
    assert (task["status"], task["reasonForIncompletion"]) == (
        "FAILED",
        "given termination status is not valid",
    )
    assert [each["status"] for each in (task, child, rig.workflow(parent))] == ["FAILED"] * 3


def test_task_whose_input_is_over_the_limit_fails_its_workflow() -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    twice = {"x": "${workflow.input.x}", "y": "${workflow.input.x}"}
    rig.flow("flow", simple("a", inputParameters=twice))
    workflow_id = rig.start("flow", input={"x": "x" * 6_000_000})
    workflow = rig.workflow(workflow_id)
    (task,) = workflow["tasks"]
    assert (workflow["status"], task["status"], task["inputData"]) == (
        "FAILED",
        "FAILED_WITH_TERMINAL_ERROR",
        {},
    )
    assert "is greater than the permissible limit: 10485760 bytes" in task["reasonForIncompletion"]
    assert rig.size("a") == 0
