"""SUB_WORKFLOW: what a workflow and its sub-workflow do to each other."""

from typing import Any

import pytest
from control_steps import fork, simple, sub_workflow
from devserver_rig import Rig


def begin(
    *after: Any, child: tuple[Any, ...] = ("a",), optional: bool = False, **start: Any
) -> tuple[Rig, str]:
    """Start a workflow of a sub-workflow named child and what comes after it."""
    rig = Rig()
    rig.define("a", "b", retryCount=0)
    rig.flow("child", *child)
    step = sub_workflow({"name": "child"}, inputParameters={"n": 1}, optional=optional)
    rig.flow("parent", step, *after)
    return rig, rig.start("parent", **start)


def sub_task(rig: Rig, workflow_id: str) -> Any:
    return [t for t in rig.workflow(workflow_id)["tasks"] if t["taskType"] == "SUB_WORKFLOW"][-1]


def child_of(rig: Rig, workflow_id: str) -> Any:
    return rig.workflow(sub_task(rig, workflow_id)["subWorkflowId"])


def do(rig: Rig, task_type: str, status: str = "COMPLETED", **output: Any) -> None:
    rig.report(rig.take(task_type), status, outputData=output, reasonForIncompletion="why")


def test_output_of_the_child_is_added_to_its_task() -> None:
    rig, workflow_id = begin("b")
    do(rig, "a", x=1)
    task = sub_task(rig, workflow_id)
    assert (task["status"], task["outputData"]) == (
        "COMPLETED",
        {"subWorkflowId": task["subWorkflowId"], "x": 1},
    )
    assert rig.size("b") == 1


def test_child_knows_its_parent_and_inherits_correlation_and_domains_but_not_priority() -> None:
    inner = simple(
        "a",
        inputParameters={
            "parent": "${workflow.parentWorkflowId}",
            "task": "${workflow.parentWorkflowTaskId}",
            "n": "${workflow.input.n}",
        },
    )
    rig, workflow_id = begin(child=(inner,), correlationId="c", priority=7, taskToDomain={"a": "d"})
    child, task = child_of(rig, workflow_id), sub_task(rig, workflow_id)
    assert (child["parentWorkflowId"], child["parentWorkflowTaskId"]) == (workflow_id, task["taskId"])
    assert child["tasks"][0]["inputData"] == {"parent": workflow_id, "task": task["taskId"], "n": 1}
    assert (child["correlationId"], child["priority"], task["workflowPriority"]) == ("c", 0, 7)
    assert (child["taskToDomain"], child["tasks"][0]["domain"]) == ({"a": "d"}, "d")


def test_parameters_of_the_sub_workflow_override_what_is_inherited() -> None:
    rig = Rig()
    rig.flow("child", "a", version=1, inputTemplate={"t": 1})
    rig.flow("child", "b", version=2)
    param = {"name": "child", "version": 1, "priority": 5, "taskToDomain": {"a": "own"}}
    rig.flow("parent", sub_workflow(param, inputParameters={"n": 1}))
    workflow_id = rig.start("parent", priority=7, taskToDomain={"a": "other"})
    child = child_of(rig, workflow_id)
    assert (child["workflowVersion"], child["priority"], child["taskToDomain"]) == (1, 5, {"a": "own"})
    assert child["input"] == {"n": 1, "t": 1}


def test_latest_version_is_the_one_when_the_parent_starts() -> None:
    rig = Rig()
    rig.flow("child", "a")
    rig.flow("parent", "b", sub_workflow({"name": "child"}))
    workflow_id = rig.start("parent")
    rig.flow("child", "b", version=2)
    do(rig, "b")
    assert child_of(rig, workflow_id)["workflowVersion"] == 1
    assert sub_task(rig, workflow_id)["workflowTask"]["subWorkflowParam"]["version"] == 1


@pytest.mark.parametrize("is_expression", [False, True])
def test_definition_can_be_given_inline_or_by_an_expression(is_expression: bool) -> None:
    rig = Rig()
    inline = {"name": "in", "version": 3, "tasks": [simple("a")], "outputParameters": {"y": "${a.output.x}"}}
    given = "${workflow.input.d}" if is_expression else inline
    rig.flow("parent", sub_workflow({"name": "in", "version": 3, "workflowDefinition": given}))
    workflow_id = rig.start("parent", input={"d": inline})
    child = child_of(rig, workflow_id)
    assert (child["workflowName"], child["workflowVersion"]) == ("in", 3)
    assert child["input"]["_systemMetadata"] == {"dynamic": True}
    do(rig, "a", x=1)
    assert sub_task(rig, workflow_id)["outputData"]["y"] == 1


def test_unknown_sub_workflow_refuses_the_start_and_an_unknown_version_fails_the_task() -> None:
    rig = Rig()
    rig.flow("parent", sub_workflow({"name": "nope"}))
    assert rig.send("POST", "/workflow", {"name": "parent"}).status == 500
    rig.flow("parent", sub_workflow({"name": "nope", "version": 7}))
    task = sub_task(rig, rig.start("parent"))
    assert (task["status"], task["reasonForIncompletion"]) == (
        "FAILED",
        "No such workflow defined. name=nope, version=7",
    )


@pytest.mark.parametrize(
    ("status", "task_status", "parent_status"),
    [("FAILED", "FAILED", "FAILED"), ("CANCELED", "CANCELED", "TERMINATED")],
)
def test_unsuccessful_child_ends_its_parent(status: str, task_status: str, parent_status: str) -> None:
    rig, workflow_id = begin("b")
    do(rig, "a", status)
    task, child = sub_task(rig, workflow_id), child_of(rig, workflow_id)
    assert (task["status"], rig.workflow(workflow_id)["status"]) == (task_status, parent_status)
    told = f"Sub workflow child.1/{child['workflowId']} failure reason: {child['reasonForIncompletion']}"
    assert task["reasonForIncompletion"] == told


def test_optional_child_may_fail() -> None:
    rig, workflow_id = begin("b", optional=True)
    do(rig, "a", "FAILED")
    assert sub_task(rig, workflow_id)["status"] == "COMPLETED_WITH_ERRORS"
    assert rig.size("b") == 1


def test_terminated_parent_terminates_its_child_and_the_child_its_parent() -> None:
    rig, workflow_id = begin()
    rig.ok("DELETE", f"/workflow/{workflow_id}?reason=enough")
    child = child_of(rig, workflow_id)
    assert child["status"] == "TERMINATED"
    assert child["reasonForIncompletion"] == "Parent workflow has been terminated with reason: enough"
    assert rig.poll("a") == []
    rig, workflow_id = begin()
    rig.ok("DELETE", f"/workflow/{child_of(rig, workflow_id)['workflowId']}?reason=enough")
    assert rig.workflow(workflow_id)["status"] == "TERMINATED"


def test_timeout_of_the_child_times_its_parent_out_on_the_millisecond() -> None:
    rig = Rig()
    rig.flow("child", "a", timeoutSeconds=2, timeoutPolicy="TIME_OUT_WF")
    rig.flow("parent", sub_workflow({"name": "child"}))
    workflow_id = rig.start("parent")
    rig.sleep(1.999)
    assert rig.workflow(workflow_id)["status"] == "RUNNING"
    rig.sleep(0.001)
    assert rig.workflow(workflow_id)["status"] == "TIMED_OUT"


def test_retry_of_the_parent_starts_a_new_child() -> None:
    rig, workflow_id = begin()
    former = child_of(rig, workflow_id)["workflowId"]
    do(rig, "a", "FAILED")
    rig.ok("POST", f"/workflow/{workflow_id}/retry")
    child = child_of(rig, workflow_id)
    assert (child["status"], child["workflowId"] == former) == ("RUNNING", False)
    do(rig, "a")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


@pytest.mark.parametrize("verb", ["retry", "restart", "rerun"])
def test_child_that_is_set_going_again_wakes_its_parent(verb: str) -> None:
    rig, workflow_id = begin("b")
    child = child_of(rig, workflow_id)["workflowId"]
    do(rig, "a", "FAILED")
    rig.ok("POST", f"/workflow/{child}/{verb}", {} if verb == "rerun" else None)
    task = sub_task(rig, workflow_id)
    assert (rig.workflow(workflow_id)["status"], task["status"]) == ("RUNNING", "IN_PROGRESS")
    logged = [line["log"] for line in rig.get(f"/tasks/{task['taskId']}/log")]
    word = {"retry": "retried", "restart": "restarted", "rerun": "reran"}[verb]
    assert f"Sub workflow child.1/{child} {word}." in logged
    do(rig, "a", x=2)
    assert sub_task(rig, workflow_id)["outputData"] == {"subWorkflowId": child, "x": 2}
    assert rig.size("b") == 1


def test_retry_can_resume_the_innermost_failure() -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    rig.flow("grandchild", "a")
    rig.flow("child", sub_workflow({"name": "grandchild"}))
    rig.flow("parent", sub_workflow({"name": "child"}))
    workflow_id = rig.start("parent")
    do(rig, "a", "FAILED")
    child = child_of(rig, workflow_id)["workflowId"]
    grandchild = child_of(rig, child)["workflowId"]
    rig.ok("POST", f"/workflow/{workflow_id}/retry?resumeSubworkflowTasks=true")
    states = [rig.workflow(each)["status"] for each in (workflow_id, child, grandchild)]
    assert states == ["RUNNING"] * 3
    do(rig, "a")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"
    assert len(rig.workflow(workflow_id)["tasks"]) == 1


def test_retried_child_of_a_fork_lets_the_join_wait_again() -> None:
    rig = Rig()
    rig.define("a", "b", retryCount=0)
    rig.flow("child", "a")
    steps = fork([sub_workflow({"name": "child"})], [simple("b")], join_on=["sub", "b"])
    rig.flow("parent", *steps)
    workflow_id = rig.start("parent")
    child = child_of(rig, workflow_id)["workflowId"]
    do(rig, "a", "FAILED")
    assert rig.workflow(workflow_id)["status"] == "FAILED"
    rig.ok("POST", f"/workflow/{child}/retry")
    do(rig, "a")
    do(rig, "b")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_retries_of_a_sub_workflow_follow_its_task_definition() -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    rig.define("sub", retryCount=1, retryDelaySeconds=2)
    rig.flow("child", "a")
    rig.flow("parent", sub_workflow({"name": "child"}))
    workflow_id = rig.start("parent")
    do(rig, "a", "FAILED")
    assert sub_task(rig, workflow_id)["status"] == "SCHEDULED"
    rig.sleep(2)
    assert child_of(rig, workflow_id)["status"] == "RUNNING"
    do(rig, "a")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


# Failure workflows


def failing(**fields: Any) -> tuple[Rig, str]:
    rig = Rig()
    rig.define("a", retryCount=0)
    rig.flow("handler", "handle", version=1)
    rig.flow("handler", "handle", version=2)
    rig.flow("flow", "a", **fields)
    workflow_id = rig.start("flow", input={"n": 1}, correlationId="c")
    do(rig, "a", "FAILED")
    return rig, workflow_id


@pytest.mark.parametrize(("version", "expected"), [(None, 2), (1, 1)])
def test_failure_workflow_is_told_what_failed(version: int | None, expected: int) -> None:
    fields = {} if version is None else {"failureWorkflowVersion": version}
    rig, workflow_id = failing(failureWorkflow="handler", **fields)
    failed = rig.workflow(workflow_id)
    handler = rig.workflow(failed["output"]["conductor.failure_workflow"])
    assert (handler["workflowVersion"], handler["correlationId"], handler["status"]) == (
        expected,
        "c",
        "RUNNING",
    )
    told = dict(handler["input"])
    inside = told.pop("failedWorkflow")
    assert told == {
        "n": 1,
        "workflowId": workflow_id,
        "reason": failed["reasonForIncompletion"],
        "failureStatus": "FAILED",
        "failureTaskId": failed["tasks"][0]["taskId"],
    }
    assert (inside["workflowId"], inside["tasks"][0]["status"]) == (workflow_id, "FAILED")


def test_failure_workflow_is_not_told_that_nothing_failed() -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    rig.flow("handler", "handle")
    rig.flow("flow", "a", failureWorkflow="handler")
    workflow_id = rig.start("flow")
    do(rig, "a", "CANCELED")
    handler = rig.workflow(rig.workflow(workflow_id)["output"]["conductor.failure_workflow"])
    assert not {"failedReferenceTaskNames", "failedTaskNames"} & set(handler["input"]["failedWorkflow"])


def test_only_later_tasks_of_a_failure_workflow_see_into_the_failed_one() -> None:
    rig = Rig()
    rig.define("a", retryCount=0)
    look = {"status": "${workflow.input.failedWorkflow.status}"}
    rig.flow("handler", simple("h1", inputParameters=look), simple("h2", inputParameters=look))
    rig.flow("flow", "a", failureWorkflow="handler")
    rig.start("flow")
    do(rig, "a", "FAILED")
    first = rig.take("h1")
    rig.report(first, "COMPLETED")
    assert (first["inputData"], rig.take("h2")["inputData"]) == ({"status": None}, {"status": "FAILED"})


def test_missing_failure_workflow_is_put_out() -> None:
    rig, workflow_id = failing(failureWorkflow="nope")
    told = rig.workflow(workflow_id)["output"]["conductor.failure_workflow"]
    assert told == (
        "Error workflow nope failed to start.  reason: No such workflow defined. name=nope, version=null"
    )


def test_terminated_by_hand_there_is_no_failure_workflow() -> None:
    rig = Rig()
    rig.flow("handler", "handle")
    rig.flow("flow", "a", failureWorkflow="handler")
    workflow_id = rig.start("flow")
    rig.ok("DELETE", f"/workflow/{workflow_id}")
    assert rig.workflow(workflow_id)["output"] == {}
    assert rig.size("handle") == 0
