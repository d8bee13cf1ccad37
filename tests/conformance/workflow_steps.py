"""The steps of workflow definitions, as the cases write them."""

from typing import Any

Step = dict[str, Any]


def simple(name: str, reference: str | None = None, **fields: Any) -> Step:
    """Return a task for a worker."""
    return {"name": name, "taskReferenceName": reference or name, **fields}


def control(kind: str, reference: str, **fields: Any) -> Step:
    """Return a task that the server executes."""
    return {"name": reference, "taskReferenceName": reference, "type": kind, **fields}


def fork(*branches: list[Step]) -> Step:
    """Return a fork, ``fork`` by reference."""
    return control("FORK_JOIN", "fork", forkTasks=list(branches))


def join(*on: str) -> Step:
    """Return a join, ``join`` by reference."""
    return control("JOIN", "join", joinOn=list(on))


def switch(cases: dict[str, list[Step]], default: list[Step] | None = None) -> Step:
    """Return a switch over the workflow's input ``v``, ``switch`` by reference."""
    return control(
        "SWITCH",
        "switch",
        evaluatorType="value-param",
        expression="p",
        inputParameters={"p": "${workflow.input.v}"},
        decisionCases=cases,
        defaultCase=default or [],
    )


def terminate(status: str, output: Any = None, reason: str = "enough") -> Step:
    """Return an early end, ``terminate`` by reference."""
    given = {"terminationStatus": status, "terminationReason": reason, "workflowOutput": output or {}}
    return control("TERMINATE", "terminate", inputParameters=given)


def wait(**given: Any) -> Step:
    """Return a wait, ``wait`` by reference."""
    return control("WAIT", "wait", inputParameters=given)


def sub_workflow(name: str, *, version: int | None = 1, **given: Any) -> Step:
    """Return a workflow inside a workflow, ``sub`` by reference."""
    called: dict[str, Any] = {"name": name}
    if version is not None:
        called["version"] = version
    return control("SUB_WORKFLOW", "sub", inputParameters=given, subWorkflowParam=called)
