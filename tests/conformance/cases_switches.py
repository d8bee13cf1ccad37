"""Section 9 of the contract: SWITCH, SET_VARIABLE and TERMINATE, which the server executes at once."""

from typing import Any

from black_box import Conductor
from conformance_cases import CaseFunction, case
from workflow_steps import control, simple, switch, terminate

VALUES: dict[str, tuple[dict[str, Any], str, str]] = {
    "text": ({"v": "A"}, "A", "a"),
    "a-number": ({"v": 1}, "1", "one"),
    "a-fraction": ({"v": 1.5}, "1.5", "half"),
    "a-boolean": ({"v": True}, "true", "yes"),
    "null": ({"v": None}, "null", "null"),
    "nothing": ({}, "null", "null"),
    "no-match": ({"v": "Z"}, "Z", "default"),
    "another-case-of-letters": ({"v": "a"}, "a", "default"),
    "a-map": ({"v": {"a": 1}}, "{a=1}", "default"),
}
"""What the workflow is given, the value as text, and the reference of the task that is scheduled."""


def choosing(given: dict[str, Any], value: str, chosen: str) -> CaseFunction:
    """Return a case of one value."""

    async def run(conductor: Conductor) -> None:
        name = conductor.unique()
        cases = {"A": "a", "1": "one", "1.5": "half", "true": "yes", "null": "null"}
        steps = {case: [simple(name, reference)] for case, reference in cases.items()}
        flow = await conductor.flow(switch(steps, [simple(name, "default")]))
        workflow_id = await conductor.start(flow, input=given)
        assert await conductor.timeline(workflow_id) == [("switch", "COMPLETED", 0), (chosen, "SCHEDULED", 0)]
        task = (await conductor.workflow(workflow_id))["tasks"][0]
        assert task["taskType"] == "SWITCH"
        assert task["outputData"] == {"evaluationResult": [value], "selectedCase": value}

    return run


for _name, (_given, _value, _chosen) in VALUES.items():
    case(f"9-switch-by-{_name}")(choosing(_given, _value, _chosen))


@case("9-switch-goes-on-after-its-branch")
async def _(conductor: Conductor) -> None:
    a, b, c = (conductor.unique() for _ in range(3))
    flow = await conductor.flow(switch({"A": [simple(a), simple(b)]}), simple(c))
    workflow_id = await conductor.start(flow, input={"v": "A"})
    for name in (a, b, c):
        await conductor.update(await conductor.take(name), "COMPLETED")
    assert await conductor.timeline(workflow_id) == [
        ("switch", "COMPLETED", 0),
        (a, "COMPLETED", 0),
        (b, "COMPLETED", 0),
        (c, "COMPLETED", 0),
    ]
    assert await conductor.status(workflow_id) == "COMPLETED"


@case("9-switch-without-a-branch-goes-on-at-once")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    flow = await conductor.flow(switch({"A": [simple(conductor.unique(), "a")]}), simple(name))
    workflow_id = await conductor.start(flow, input={"v": "Z"})
    assert await conductor.timeline(workflow_id) == [("switch", "COMPLETED", 0), (name, "SCHEDULED", 0)]


@case("9-switch-without-a-branch-at-the-end-completes")
async def _(conductor: Conductor) -> None:
    flow = await conductor.flow(switch({"A": [simple(conductor.unique(), "a")]}))
    found = await conductor.workflow(await conductor.start(flow, input={"v": "Z"}))
    assert found["status"] == "COMPLETED"
    assert found["output"] == {"evaluationResult": ["Z"], "selectedCase": "Z"}


@case("9-switch-inside-a-switch")
async def _(conductor: Conductor) -> None:
    a, b = conductor.unique(), conductor.unique()
    inner = switch({"A": [simple(a)]}) | {"name": "inner", "taskReferenceName": "inner"}
    workflow_id = await conductor.start(
        await conductor.flow(switch({"A": [inner]}), simple(b)), input={"v": "A"}
    )
    await conductor.update(await conductor.take(a), "COMPLETED")
    assert [reference for reference, _, _ in await conductor.timeline(workflow_id)] == [
        "switch",
        "inner",
        a,
        b,
    ]


# ---------------------------------------------------------------- SET_VARIABLE


@case("9-set-variable")
async def _(conductor: Conductor) -> None:
    name = conductor.unique()
    given = {"k": "${workflow.input.v}", "new": 1}
    step = simple(name, inputParameters={"p": "${workflow.variables.k}", "q": "<${workflow.variables.new}>"})
    flow = await conductor.flow(
        control("SET_VARIABLE", "set", inputParameters=given), step, variables={"k": 0, "kept": True}
    )
    workflow_id = await conductor.start(flow, input={"v": [1]})
    found = await conductor.workflow(workflow_id)
    assert found["variables"] == {"k": [1], "new": 1, "kept": True}
    first = found["tasks"][0]
    assert (first["taskType"], first["status"], first["outputData"]) == ("SET_VARIABLE", "COMPLETED", {})
    assert (await conductor.take(name))["inputData"] == {"p": [1], "q": "<1>"}


@case("9-variables-begin-as-defined")
async def _(conductor: Conductor) -> None:
    flow = await conductor.flow(conductor.unique(), variables={"k": {"a": 1}})
    assert (await conductor.workflow(await conductor.start(flow)))["variables"] == {"k": {"a": 1}}


# ---------------------------------------------------------------- TERMINATE


async def terminated(conductor: Conductor, status: str, output: Any) -> Any:
    """Run a workflow into its TERMINATE, another task behind it; return the workflow."""
    a, b = conductor.unique(), conductor.unique()
    flow = await conductor.flow(simple(a, "a"), terminate(status, output), simple(b, "b"))
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(a), "COMPLETED", outputData={"x": {"y": 5}})
    found = await conductor.workflow(workflow_id)
    assert await conductor.timeline(workflow_id) == [("a", "COMPLETED", 0), ("terminate", "COMPLETED", 0)]
    return found


@case("9-terminate-as-completed")
async def _(conductor: Conductor) -> None:
    found = await terminated(conductor, "COMPLETED", {"o": "${a.output.x.y}"})
    assert (found["status"], found["output"]) == ("COMPLETED", {"o": 5})
    assert found["reasonForIncompletion"] == "enough"
    assert found["tasks"][1]["outputData"] == {"o": 5}


@case("9-terminate-as-failed")
async def _(conductor: Conductor) -> None:
    found = await terminated(conductor, "FAILED", {"o": "${a.output.x.y}"})
    assert (found["status"], found["output"]) == ("FAILED", {"o": 5})
    assert (found["reasonForIncompletion"], found["failedReferenceTaskNames"]) == ("enough", [])


@case("9-terminate-as-terminated")
async def _(conductor: Conductor) -> None:
    found = await terminated(conductor, "TERMINATED", {"o": 1})
    assert (found["status"], found["output"]) == ("TERMINATED", {"o": 1})


@case("9-terminate-with-an-expression-as-output")
async def _(conductor: Conductor) -> None:
    found = await terminated(conductor, "COMPLETED", "${a.output.x}")
    assert found["output"] == {"y": 5}


@case("9-terminate-needs-a-status")
async def _(conductor: Conductor) -> None:
    body = {"name": conductor.unique("w"), "tasks": [control("TERMINATE", "end", inputParameters={})]}
    await conductor.refused(400, "POST", "/metadata/workflow", body)


@case("9-terminate-cancels-the-other-branches")
async def _(conductor: Conductor) -> None:
    a, b = conductor.unique(), conductor.unique()
    flow = await conductor.flow(
        control("FORK_JOIN", "fork", forkTasks=[[simple(a, "a"), terminate("COMPLETED")], [simple(b, "b")]]),
        control("JOIN", "join", joinOn=["terminate", "b"]),
    )
    workflow_id = await conductor.start(flow)
    await conductor.update(await conductor.take(a), "COMPLETED")
    found = await conductor.workflow(workflow_id)
    assert found["status"] == "COMPLETED"
    assert {task["referenceTaskName"]: task["status"] for task in found["tasks"]} == {
        "fork": "COMPLETED",
        "a": "COMPLETED",
        "b": "CANCELED",
        "join": "CANCELED",
        "terminate": "COMPLETED",
    }
    assert await conductor.poll(b) == []
