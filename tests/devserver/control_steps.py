"""Tasks of workflow definitions, by their kind."""

from typing import Any

Step = dict[str, Any]


def control(kind: str, reference: str, **fields: Any) -> Step:
    """Return a task of a kind whose name nobody looks at."""
    return {"name": reference, "taskReferenceName": reference, "type": kind, **fields}


def simple(task_type: str, reference: str | None = None, **fields: Any) -> Step:
    """Return a worker's task."""
    return {"name": task_type, "taskReferenceName": reference or task_type, **fields}


def fork(*branches: list[Step], join_on: list[str], reference: str = "fork") -> list[Step]:
    """Return a fork and its join."""
    return [
        control("FORK_JOIN", reference, forkTasks=list(branches)),
        control("JOIN", f"{reference}_join", joinOn=join_on),
    ]


def switch(
    cases: dict[str, list[Step]],
    default: list[Step] | None = None,
    reference: str = "switch",
    evaluator: str = "value-param",
) -> Step:
    """Return a switch over the workflow's input ``key``."""
    return control(
        "SWITCH",
        reference,
        evaluatorType=evaluator,
        expression="key",
        inputParameters={"key": "${workflow.input.key}"},
        decisionCases=cases,
        defaultCase=default or [],
    )


def sub_workflow(param: dict[str, Any], reference: str = "sub", **fields: Any) -> Step:
    """Return a sub-workflow."""
    return control("SUB_WORKFLOW", reference, subWorkflowParam=param, **fields)


def terminate(status: str, reference: str = "terminate", **parameters: Any) -> Step:
    """Return a task that ends its workflow."""
    return control("TERMINATE", reference, inputParameters={"terminationStatus": status, **parameters})


def wait(reference: str = "wait", **parameters: Any) -> Step:
    """Return a task that waits."""
    return control("WAIT", reference, inputParameters=parameters)


def set_variables(reference: str = "set", **variables: Any) -> Step:
    """Return a task that sets variables."""
    return control("SET_VARIABLE", reference, inputParameters=variables)
