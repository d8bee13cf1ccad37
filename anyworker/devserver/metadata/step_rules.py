"""What the tasks of a workflow definition must have by their kind, with the server's sentences."""

from collections.abc import Callable, Iterator
from typing import Any

from anyworker.devserver.metadata import waits
from anyworker.devserver.wire.errors import RequestRefused, Violation

_STATUSES = frozenset({"COMPLETED", "FAILED", "TERMINATED"})


def steps(items: list[dict[str, Any]], path: str) -> Iterator[Violation]:
    """Yield every broken rule of a list of tasks, nested ones included.

    Args:
        items: Tasks that were read.
        path: Where the list stands in the request: ``registerWorkflowDef.arg0.tasks``.
    """
    for position, step in enumerate(items):
        at = f"{path}[{position}]"
        if not step.get("name"):
            yield Violation(f"{at}.name", "WorkflowTask name cannot be empty or null", step.get("name"))
        if not step.get("taskReferenceName"):
            yield Violation(
                f"{at}.taskReferenceName",
                "WorkflowTask taskReferenceName name cannot be empty or null",
                step.get("taskReferenceName"),
            )
        if step["startDelay"] < 0:
            least = "must be greater than or equal to 0"
            yield Violation(f"{at}.startDelay", least, str(step["startDelay"]))
        if step["type"] in _RULES:
            for message in _RULES[step["type"]](step):
                yield Violation(at, message)
        for name, case in step["decisionCases"].items():
            yield from steps(case, f"{at}.decisionCases[{name}].<map value>")
        yield from steps(step["defaultCase"], f"{at}.defaultCase")
        for number, branch in enumerate(step["forkTasks"]):
            yield from steps(branch, f"{at}.forkTasks[{number}].<list element>")


def _missing(step: dict[str, Any], field: str, key: str | None = None) -> Iterator[str]:
    if step.get(key or field) in (None, []):
        yield f"{field} field is required for taskType: {step['type']} taskName: {step.get('name')}"


def _empty(step: dict[str, Any], field: str) -> Iterator[str]:
    if not step[field]:
        kind, name = step["type"], step.get("name")
        yield f"{field} should have atleast one task for taskType: {kind} taskName: {name}"


def _event(step: dict[str, Any]) -> Iterator[str]:
    return _missing(step, "sink")


def _decision(step: dict[str, Any]) -> Iterator[str]:
    if step.get("caseExpression") is None:
        yield from _missing(step, "caseValueParam or caseExpression", "caseValueParam")
    yield from _empty(step, "decisionCases")


def _switch(step: dict[str, Any]) -> Iterator[str]:
    yield from _missing(step, "expression" if step.get("evaluatorType") else "evaluatorType")
    yield from _empty(step, "decisionCases")


def _loop(step: dict[str, Any]) -> Iterator[str]:
    yield from _missing(step, "loopCondition")
    yield from _missing(step, "loopOver")


def _dynamic(step: dict[str, Any]) -> Iterator[str]:
    return _missing(step, "dynamicTaskNameParam")


def _dynamic_fork(step: dict[str, Any]) -> Iterator[str]:
    if "forkTaskInputs" in step["inputParameters"]:
        return
    new = [step.get(key) for key in ("dynamicForkTasksParam", "dynamicForkTasksInputParamName")]
    if step.get("dynamicForkJoinTasksParam") is None:
        yield from _missing(step, "dynamicForkTasksParam")
        yield from _missing(step, "dynamicForkTasksInputParamName")
    elif any(value is not None for value in new):
        yield (
            "dynamicForkJoinTasksParam or combination of dynamicForkTasksInputParamName and "
            f"dynamicForkTasksParam cam be used for taskType: {step['type']} taskName: {step.get('name')}"
        )


def _fork(step: dict[str, Any]) -> Iterator[str]:
    return _empty(step, "forkTasks")


def _terminate(step: dict[str, Any]) -> Iterator[str]:
    if step["optional"]:
        yield f"terminate task cannot be optional, taskName: {step.get('name')}"
    if step["inputParameters"].get("terminationStatus") not in _STATUSES:
        yield (
            "terminate task must have an terminationStatus parameter and must be set to "
            f"COMPLETED or FAILED, taskName: {step.get('name')}"
        )


def _sub_workflow(step: dict[str, Any]) -> Iterator[str]:
    return _missing(step, "subWorkflowParam")


def _wait(step: dict[str, Any]) -> Iterator[str]:
    given = step["inputParameters"]
    duration, until = ("" if given.get(key) is None else str(given[key]) for key in ("duration", "until"))
    if duration.strip() and until.strip():
        yield "Both 'duration' and 'until' specified. Please provide only one input"
    if duration.strip() and not duration.startswith("${"):
        try:
            waits.seconds_of(duration)
        except RequestRefused:
            yield "Either date or duration is passed as null "
    elif until.strip() and not until.startswith("${") and waits.moment_of(until) is None:
        yield "Unable to parse date "


_RULES: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "DECISION": _decision,
    "DO_WHILE": _loop,
    "DYNAMIC": _dynamic,
    "EVENT": _event,
    "FORK_JOIN": _fork,
    "FORK_JOIN_DYNAMIC": _dynamic_fork,
    "SUB_WORKFLOW": _sub_workflow,
    "SWITCH": _switch,
    "TERMINATE": _terminate,
    "WAIT": _wait,
}
"""HTTP, KAFKA_PUBLISH and JSON_JQ_TRANSFORM have rules too, not kept here: they look at task definitions."""
