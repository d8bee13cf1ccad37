"""Expressions: what the real server made of each of them."""

from typing import Any

import pytest
from devserver_rig import Rig

INPUT = {
    "m": {"a": {"b": [1, {"c": "d"}]}, "q": None, "t": True},
    "s": "str",
    "n": 7,
    "f": 2.5,
    "b": True,
    "big": 1e300,
    "arr": [1, "two", None, 3.0, [1, 2], {"x": "y"}],
    "nil": None,
    "a-b": "dashed",
    "x.y": "dotted",
    "key": "s",
    "self": "${workflow.input.s}",
}

CASES: dict[str, tuple[Any, Any]] = {
    "a whole value keeps its type": ("${workflow.input.m}", INPUT["m"]),
    "a number stays a number": ("${workflow.input.n}", 7),
    "a path goes deep": ("${workflow.input.m.a.b}", [1, {"c": "d"}]),
    "an index": ("${workflow.input.arr[1]}", "two"),
    "an index from the end": ("${workflow.input.arr[-1]}", {"x": "y"}),
    "an index too far": ("${workflow.input.arr[9]}", None),
    "all of a list": ("${workflow.input.arr[*]}", INPUT["arr"]),
    "all of a map": ("${workflow.input.m.*}", [{"b": [1, {"c": "d"}]}, None, True]),
    "a slice": ("${workflow.input.arr[0:2]}", [1, "two"]),
    "a length": ("${workflow.input.arr.length()}", 6),
    "a name in brackets": ("${workflow.input.m['a']['b']}", [1, {"c": "d"}]),
    "a name with a dot": ("${workflow.input['x.y']}", "dotted"),
    "a name with a dash": ("${workflow.input.a-b}", "dashed"),
    "missing is null": ("${workflow.input.nope}", None),
    "missing inside a text is null": ("${workflow.input.s.x.y}", None),
    "all of what is missing is empty": ("${workflow.input.nope[*]}", []),
    "names know upper from lower case": ("${workflow.INPUT.s}", None),
    "inside text": ("a${workflow.input.s}b", "astrb"),
    "null inside text": ("a${workflow.input.nope}b", "anullb"),
    "a map inside text": ("v=${workflow.input.m}", "v={a={b=[1, {c=d}]}, q=null, t=true}"),
    "a list inside text": ("v=${workflow.input.arr}", "v=[1, two, null, 3.0, [1, 2], {x=y}]"),
    "a boolean inside text": ("v=${workflow.input.b}", "v=true"),
    "a fraction inside text": ("v=${workflow.input.f}", "v=2.5"),
    "a large number inside text": ("v=${workflow.input.big}", "v=1.0E300"),
    "two of them": ("${workflow.input.s}${workflow.input.n}", "str7"),
    "over several lines": ("line\n${workflow.input.s}\nend", "line\nstr\nend"),
    "escaped": ("$${workflow.input.s}", "${workflow.input.s}"),
    "escaped beside one that is not": ("x $${a} ${workflow.input.s}", "x ${a} str"),
    "a dollar without a brace": ("$5 {x}", "$5 {x}"),
    "without an end": ("${workflow.input.s", "${workflow.input.s"),
    "one inside another": ("${workflow.input.${workflow.input.key}}", "str"),
    "what an input holds is not an expression": ("${workflow.input.self}", "${workflow.input.s}"),
    "in maps and lists": (
        {"k": "${workflow.input.n}", "l": ["${workflow.input.s}", {"z": "${workflow.input.b}"}]},
        {"k": 7, "l": ["str", {"z": True}]},
    ),
    "a constant": (5, 5),
    "the correlation id": ("${workflow.correlationId}", "cc"),
    "the workflow's type": ("${workflow.workflowType}", "w"),
    "the version": ("${workflow.version}", 1),
    "the status": ("${workflow.status}", "RUNNING"),
    "a variable": ("${workflow.variables.x}", "vx"),
    "the priority cannot be had": ("${workflow.priority}", None),
}


@pytest.mark.parametrize("case", CASES)
def test_expression_gives(case: str) -> None:
    expression, expected = CASES[case]
    rig = Rig()
    step = {"name": "t", "taskReferenceName": "t", "inputParameters": {"p": expression}}
    rig.flow("w", step, variables={"x": "vx"})
    rig.start("w", input=INPUT, correlationId="cc")
    assert rig.take()["inputData"] == {"p": expected}


def test_earlier_tasks_can_be_referred_to() -> None:
    rig = Rig()
    names = (
        "output.x",
        "output",
        "input.i",
        "status",
        "taskId",
        "retryCount",
        "pollCount",
        "taskType",
        "workerId",
    )
    parameters = {name: f"${{a.{name}}}" for name in names} | {"later": "${b.output.x}"}
    rig.flow(
        "w",
        {"name": "a", "taskReferenceName": "a", "inputParameters": {"i": 5}},
        {"name": "b", "taskReferenceName": "b", "inputParameters": parameters},
        outputParameters={"z": "${b.output.z}", "text": "t ${a.output.x}", "none": "${workflow.input.no}"},
    )
    workflow_id = rig.start("w")
    first = rig.take("a")
    rig.report(first, "COMPLETED", outputData={"x": [1, {"y": None}]}, workerId="me")
    second = rig.take("b")
    assert list(second["inputData"].values()) == [
        [1, {"y": None}], {"x": [1, {"y": None}]}, 5, "COMPLETED", first["taskId"], 0, 1, "a", "me", None,
    ]  # fmt: skip
    rig.report(second, "COMPLETED", outputData={"z": {"k": 1}})
    assert rig.workflow(workflow_id)["output"] == {"z": {"k": 1}, "text": "t [1, {y=null}]", "none": None}


def test_a_reference_means_the_last_attempt() -> None:
    rig = Rig()
    rig.define("a", retryDelaySeconds=0)
    rig.flow("w", "a", {"name": "b", "taskReferenceName": "b", "inputParameters": {"p": "${a.output.x}"}})
    rig.start("w")
    rig.report(rig.take("a"), "FAILED", outputData={"x": "old"})
    rig.report(rig.take("a"), "COMPLETED", outputData={"x": "new"})
    assert rig.take("b")["inputData"] == {"p": "new"}


def test_template_fills_what_is_absent_or_null() -> None:
    rig = Rig()
    rig.define(
        "t",
        inputTemplate={"absent": "A", "null": "N", "missing": "M", "given": "G", "e": "${workflow.input.s}"},
    )
    parameters = {"null": None, "missing": "${workflow.input.no}", "given": 1, "other": None}
    rig.flow("w", {"name": "t", "taskReferenceName": "t", "inputParameters": parameters})
    rig.start("w", input={"s": "str"})
    expected = {"absent": "A", "null": "N", "missing": "M", "given": 1, "e": "str", "other": None}
    assert rig.take()["inputData"] == expected


def test_workflow_template_fills_an_input_that_is_not_empty() -> None:
    rig = Rig()
    rig.flow("w", "t", inputTemplate={"a": 1, "b": 2})
    assert rig.workflow(rig.start("w", input={"a": 5, "b": None}))["input"] == {"a": 5, "b": 2}
    assert rig.workflow(rig.start("w"))["input"] == {}


def test_task_id_can_be_had_in_a_task_only() -> None:
    rig = Rig()
    step = {"name": "t", "taskReferenceName": "t", "inputParameters": {"id": "${CPEWF_TASK_ID}"}}
    rig.flow("w", step, outputParameters={"id": "${CPEWF_TASK_ID}"})
    workflow_id = rig.start("w")
    task = rig.take()
    assert task["inputData"] == {"id": task["taskId"]}
    rig.report(task, "COMPLETED")
    assert rig.workflow(workflow_id)["output"] == {"id": "${CPEWF_TASK_ID}"}
