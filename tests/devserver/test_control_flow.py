"""SWITCH, SET_VARIABLE, TERMINATE, and what is refused."""

from typing import Any

import pytest
from control_steps import control, fork, set_variables, simple, sub_workflow, switch, terminate
from devserver_rig import Rig


def begin(*steps: Any, source: Any = None, **fields: Any) -> tuple[Rig, Any]:
    """Start a workflow of these steps; return it as it is then."""
    rig = Rig()
    rig.define("a", "b", "c", retryCount=0)
    rig.flow("flow", *steps, **fields)
    return rig, rig.workflow(rig.start("flow", input=source or {}))


def references(workflow: Any) -> list[str]:
    return [task["referenceTaskName"] for task in workflow["tasks"]]


# SWITCH


@pytest.mark.parametrize(
    ("value", "case"),
    [(1, "1"), (True, "true"), (None, "null"), (1.5, "1.5"), ("x", "x"), ({"k": [1]}, "{k=[1]}"), ("", "")],
)
def test_switch_compares_values_as_text(value: Any, case: str) -> None:
    _, workflow = begin(switch({case: [simple("a")]}, [simple("b")]), source={"key": value})
    assert references(workflow) == ["switch", "a"]
    assert workflow["tasks"][0]["outputData"] == {"evaluationResult": [case], "selectedCase": case}


@pytest.mark.parametrize(
    ("key", "expected"),
    [("A", ["switch", "inner", "a"]), ("empty", ["switch", "c"]), ("other", ["switch", "b"])],
)
def test_switch_goes_into_its_case_or_default_and_past_an_empty_one(key: str, expected: list[str]) -> None:
    inner = switch({"A": [simple("a")]}, reference="inner")
    _, workflow = begin(switch({"A": [inner], "empty": []}, [simple("b")]), simple("c"), source={"key": key})
    assert references(workflow) == expected


def test_what_follows_a_nested_switch_comes_after_its_last_case() -> None:
    inner = switch({"A": [simple("a")]}, reference="inner")
    rig, workflow = begin(switch({"A": [inner, simple("b")]}), simple("c"), source={"key": "A"})
    for task_type in "abc":
        rig.report(rig.take(task_type), "COMPLETED")
    workflow = rig.workflow(workflow["workflowId"])
    assert references(workflow) == ["switch", "inner", "a", "b", "c"]
    assert workflow["status"] == "COMPLETED"


def test_output_without_parameters_is_that_of_the_last_task_even_of_a_switch() -> None:
    _, workflow = begin(switch({"A": []}), source={"key": "A"})
    assert workflow["status"] == "COMPLETED"
    assert workflow["output"] == {"evaluationResult": ["A"], "selectedCase": "A"}


def test_unknown_evaluator_fails_the_workflow() -> None:
    _, workflow = begin(switch({"A": [simple("a")]}, evaluator="magic"))
    assert workflow["reasonForIncompletion"] == "No evaluator registered for type: magic"


# SET_VARIABLE


def test_variables_are_seen_by_what_comes_later_and_by_clients() -> None:
    rig, workflow = begin(
        set_variables(x={"n": "${workflow.input.n}"}, gone=None),
        simple("a", inputParameters={"n": "${workflow.variables.x.n}", "w": "${workflow.variables.w}"}),
        source={"n": 7},
        variables={"w": 1},
    )
    assert workflow["variables"] == {"w": 1, "x": {"n": 7}, "gone": None}
    assert workflow["tasks"][0]["outputData"] == {}
    assert workflow["tasks"][1]["inputData"] == {"n": 7, "w": 1}
    status = rig.get(f"/workflow/{workflow['workflowId']}/status?includeVariables=true")
    assert status["variables"] == workflow["variables"]


def test_variables_over_their_limit_fail_the_task_and_leave_them_as_they_were() -> None:
    _, workflow = begin(set_variables(x="${workflow.input.x}"), source={"x": "x" * (256 * 1024)})
    assert (workflow["status"], workflow["variables"]) == ("FAILED", {})
    assert "The variables payload size" in workflow["tasks"][0]["reasonForIncompletion"]


# TERMINATE


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "TERMINATED"])
@pytest.mark.parametrize(
    ("given", "output"),
    [({"k": 1}, {"k": 1}), ("text", {"output": "text"}), ([1], {"output": [1]}), (None, {})],
)
def test_terminate_ends_the_workflow_as_told(status: str, given: Any, output: Any) -> None:
    rig, workflow = begin(
        *fork(
            [simple("a")],
            [terminate(status, workflowOutput="${workflow.input.o}")],
            join_on=["a", "terminate"],
        ),
        source={"o": given},
        outputParameters={"never": 1},
    )
    task = workflow["tasks"][2]
    assert (workflow["status"], workflow["output"], task["outputData"]) == (status, output, output)
    assert workflow["reasonForIncompletion"] == f"Workflow is {status} by TERMINATE task: {task['taskId']}"
    assert [task["status"] for task in workflow["tasks"]] == [
        "COMPLETED",
        "CANCELED",
        "COMPLETED",
        "CANCELED",
    ]
    assert rig.poll("a") == []


def test_reason_of_a_termination_is_the_workflows() -> None:
    _, workflow = begin(terminate("TERMINATED", terminationReason="enough"), simple("a"))
    assert (workflow["reasonForIncompletion"], references(workflow)) == ("enough", ["terminate"])


# Refusals

HUMAN = control("HUMAN", "ask")


@pytest.mark.parametrize(
    "steps",
    [
        [HUMAN],
        [switch({"A": [HUMAN]})],
        [switch({"B": []}, [HUMAN])],
        fork([simple("a")], [switch({"A": [HUMAN]})], join_on=["a", "switch"]),
        [sub_workflow({"name": "in", "version": 1, "workflowDefinition": {"name": "in", "tasks": [HUMAN]}})],
    ],
)
def test_foreign_task_is_refused_at_the_start_wherever_it_is(steps: Any) -> None:
    rig = Rig()
    rig.flow("flow", *steps)
    refused = rig.send("POST", "/workflow", {"name": "flow"})
    assert refused.status == 400
    assert b"HUMAN: task ask, reference ask. Use a real Conductor server" in refused.body


def test_scripted_switch_is_refused_at_the_start() -> None:
    rig = Rig()
    rig.flow("flow", switch({"A": [simple("a")]}, evaluator="javascript"))
    refused = rig.send("POST", "/workflow", {"name": "flow"})
    assert refused.status == 400
    assert b"SWITCH with the evaluator javascript: task switch" in refused.body


def test_foreign_task_of_a_sub_workflow_by_name_fails_it_when_it_starts() -> None:
    rig = Rig()
    rig.flow("child", HUMAN)
    rig.flow("flow", sub_workflow({"name": "child"}))
    workflow = rig.workflow(rig.start("flow"))
    assert workflow["status"] == "FAILED"
    assert "HUMAN: task ask" in workflow["tasks"][0]["reasonForIncompletion"]


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (control("SWITCH", "s"), "evaluatorType field is required for taskType: SWITCH taskName: s"),
        (
            control("FORK_JOIN", "f"),
            "forkTasks should have atleast one task for taskType: FORK_JOIN taskName: f",
        ),
        (control("TERMINATE", "t", optional=True), "terminate task cannot be optional, taskName: t"),
        (
            control("WAIT", "w", inputParameters={"duration": "soon"}),
            "Either date or duration is passed as null ",
        ),
        (control("WAIT", "w", inputParameters={"until": "soon"}), "Unable to parse date "),
        (
            control("SUB_WORKFLOW", "s"),
            "subWorkflowParam field is required for taskType: SUB_WORKFLOW taskName: s",
        ),
        (control("EVENT", "e"), "sink field is required for taskType: EVENT taskName: e"),
        (control("DO_WHILE", "d"), "loopOver field is required for taskType: DO_WHILE taskName: d"),
        (control("DYNAMIC", "d"), "dynamicTaskNameParam field is required for taskType: DYNAMIC taskName: d"),
    ],
)
def test_definition_without_what_a_kind_needs_is_refused(step: Any, message: str) -> None:
    rig = Rig()
    body = [{"name": "flow", "tasks": [switch({"A": [step]})]}]
    refused = rig.send("PUT", "/metadata/workflow", body)
    assert refused.status == 400
    assert message.encode() in refused.body
    assert b"tasks[0].decisionCases[A].<map value>[0]" in refused.body
