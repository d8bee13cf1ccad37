"""Section 9 of the contract, the other way round: kinds of tasks that only a real server executes."""

from typing import Any

from black_box import Conductor
from conformance_cases import CaseFunction, case
from workflow_steps import control, fork, join, simple, switch

EXECUTED = "9: a real server executes it"
HTTP = {"http_request": {"uri": "http://127.0.0.1:1/", "method": "GET"}}

KINDS: dict[str, dict[str, Any]] = {
    "DO_WHILE": {"loopCondition": "false", "loopOver": [simple("t", "looped")]},
    "DYNAMIC": {"dynamicTaskNameParam": "n", "inputParameters": {"n": "t"}},
    "HTTP": {"inputParameters": HTTP},
    "INLINE": {"inputParameters": {"evaluatorType": "javascript", "expression": "1"}},
    "JSON_JQ_TRANSFORM": {"inputParameters": {"queryExpression": "."}},
    "EVENT": {"sink": "conductor:x"},
    "HUMAN": {},
    "START_WORKFLOW": {"inputParameters": {"startWorkflow": {"name": "nobody"}}},
    "NOOP": {},
    "SWITCH": {
        "evaluatorType": "javascript",
        "expression": "1",
        "decisionCases": {"1": [simple("t", "one")]},
    },
}


def registered(kind: str, fields: dict[str, Any]) -> CaseFunction:
    """Return a case: a workflow with a task of this kind can be defined."""

    async def run(conductor: Conductor) -> None:
        name = await conductor.flow(control(kind, "foreign", **fields))
        assert (await conductor.get(f"/metadata/workflow/{name}"))["tasks"][0]["type"] == kind

    return run


def refused(kind: str, fields: dict[str, Any]) -> CaseFunction:
    """Return a case: the dev server does not start it, and says why."""

    async def run(conductor: Conductor) -> None:
        before = conductor.unique()
        name = await conductor.flow(simple(before), control(kind, "foreign", **fields))
        error = await conductor.refused(400, "POST", "/workflow", {"name": name})
        for word in ("foreign", kind, "real"):
            assert word in error["message"]
        assert await conductor.poll(before) == []

    return run


for _kind, _fields in KINDS.items():
    case(f"9-foreign-{_kind}-can-be-registered")(registered(_kind, _fields))
    case(f"9-foreign-{_kind}-is-refused-at-the-start", only=("dev",), why=EXECUTED)(refused(_kind, _fields))


@case("9-foreign-kinds-are-found-wherever-they-are", only=("dev",), why=EXECUTED)
async def _(conductor: Conductor) -> None:
    human = control("HUMAN", "foreign")
    for steps in (
        [switch({"A": [human]})],
        [switch({"B": []}, [human])],
        [fork([simple("t", "a")], [human]), join("a", "foreign")],
        [switch({"A": [fork([human], [simple("t", "a")]), join("a")]})],
    ):
        name = await conductor.flow(*steps)
        error = await conductor.refused(400, "POST", "/workflow", {"name": name, "input": {"v": "Z"}})
        assert "foreign" in error["message"]


@case("9-foreign-kinds-in-an-inline-definition", only=("dev",), why=EXECUTED)
async def _(conductor: Conductor) -> None:
    name = conductor.unique("w")
    body = {"name": name, "workflowDef": {"name": name, "tasks": [control("HUMAN", "foreign")]}}
    error = await conductor.refused(400, "POST", "/workflow", body)
    assert "foreign" in error["message"]
