"""The rules that definitions and start requests must keep, with the server's sentences for broken ones."""

import re
from collections.abc import Iterator
from typing import Any

from anyworker.devserver.metadata import step_rules
from anyworker.devserver.wire.errors import Violation

_PIECES = re.compile(r"(?=(?<!\$)\$\{)|(?<=\})")
_WHITESPACE = re.compile(r"\s")

_MINIMA = (
    ("responseTimeoutSeconds", 1, "TaskDef responseTimeoutSeconds: {} should be minimum 1 second"),
    ("retryCount", 0, "TaskDef retryCount: 0 must be >= 0"),
    ("pollTimeoutSeconds", 0, "TaskDef pollTimeoutSeconds: 0 must be >= 0"),
    ("backoffScaleFactor", 1, "Backoff scale factor. Applicable for LINEAR_BACKOFF"),
    ("maxRetryDelaySeconds", 0, "TaskDef maxRetryDelaySeconds: 0 must be >= 0"),
    ("backoffJitterMs", 0, "TaskDef backoffJitterMs: 0 must be >= 0"),
    ("totalTimeoutSeconds", 0, "TaskDef totalTimeoutSeconds: 0 must be >= 0"),
)


def task_definition(wire: dict[str, Any], path: str) -> Iterator[Violation]:
    """Yield every broken rule of a task definition.

    Args:
        wire: A definition that was read.
        path: Where it stands in the request: ``registerTaskDef.arg0[0]``.
    """
    yield from _required(wire, path, "name", "TaskDef name cannot be null or empty")
    for key, least, message in _MINIMA:
        value = wire.get(key)
        if value is not None and value < least:
            yield Violation(f"{path}.{key}", message.format(value), str(value))
    name, timeout = wire.get("name"), wire["timeoutSeconds"]
    response, total = wire["responseTimeoutSeconds"], wire["totalTimeoutSeconds"]
    if 0 < timeout < response:
        yield Violation(
            path,
            f"TaskDef: {name} responseTimeoutSeconds: {response} must be less than timeoutSeconds: {timeout}",
        )
    if 0 < total < timeout:
        yield Violation(
            path,
            f"TaskDef: {name} timeoutSeconds: {timeout} must be less than or equal to "
            f"totalTimeoutSeconds: {total}",
        )


def workflow_definition(wire: dict[str, Any], path: str) -> Iterator[Violation]:
    """Yield every broken rule of a workflow definition; the path as for :func:`task_definition`."""
    if not wire["tasks"]:
        yield Violation(f"{path}.tasks", "WorkflowTask list cannot be empty")
    yield from _required(wire, path, "name", "WorkflowDef name cannot be null or empty")
    if wire["schemaVersion"] != 2:
        yield Violation(
            f"{path}.schemaVersion",
            "workflowDef schemaVersion: 2 is only supported",
            str(wire["schemaVersion"]),
        )
    yield from step_rules.steps(wire["tasks"], f"{path}.tasks")
    steps = list(all_steps(wire["tasks"]))
    yield from _unique_references(steps, wire.get("name"), path)
    known = {step.get("taskReferenceName") for step in steps} | {"workflow"}
    for step in steps:
        yield from _references(step["inputParameters"], step.get("name"), known, path)


def listed_workflow_definition(wire: dict[str, Any] | None, path: str) -> Iterator[Violation]:
    """Yield the same for one of a list, which may be null."""
    if wire is None:
        yield Violation(f"{path}.<list element>", "WorkflowDef cannot be null")
    else:
        yield from workflow_definition(wire, path)


def start_request(name: str | None, priority: int) -> Iterator[Violation]:
    """Yield every broken rule of a request to start a workflow."""
    if name is None:
        yield Violation("startWorkflow.arg0.name", "Workflow name cannot be null or empty")
    bound = "minimum 0" if priority < 0 else "maximum 99"
    if not 0 <= priority <= 99:
        message = f"priority: {priority} should be {bound}"
        yield Violation("startWorkflow.arg0.priority", message, str(priority))


def start_priority(priority: int) -> Iterator[Violation]:
    """Yield what is wrong with the priority of a start by path."""
    if priority < 0:
        yield Violation("startWorkflow.arg3", "0 is the minimum priority value", str(priority))
    if priority > 99:
        yield Violation("startWorkflow.arg3", "99 is the maximum priority value", str(priority))


def all_steps(steps: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yield the tasks of a definition, also those inside forks, switches and loops."""
    for step in steps:
        yield step
        cases = step["decisionCases"].values()
        for branch in (*step["forkTasks"], *cases, step["defaultCase"], step["loopOver"]):
            yield from all_steps(branch)


def _required(wire: dict[str, Any], path: str, key: str, message: str) -> Iterator[Violation]:
    if not wire.get(key):
        yield Violation(f"{path}.{key}", message, wire.get(key))


def _unique_references(steps: list[dict[str, Any]], workflow: str | None, path: str) -> Iterator[Violation]:
    seen: set[str] = set()
    repeated: dict[str, None] = {}
    for step in steps:
        reference = step.get("taskReferenceName")
        if reference is not None and reference in seen:
            repeated[reference] = None
        elif reference is not None:
            seen.add(reference)
    for reference in repeated:
        yield Violation(
            path,
            f"taskReferenceName: {reference} should be unique across tasks "
            f"for a given workflowDefinition: {workflow}",
        )


def _references(
    value: Any, task: str | None, known: set[str | None], path: str, key: str = ""
) -> Iterator[Violation]:
    """Yield what is wrong with the expressions inside the parameters of a task."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _references(item, task, known, path, name)
    elif isinstance(value, list):
        for item in value:
            yield from _references(item, task, known, path, key)
    elif isinstance(value, str):
        for piece in _PIECES.split(value):
            if piece.startswith("${") and piece.endswith("}"):
                for message in _expression(piece[2:-1], value, key, task, known):
                    yield Violation(path, message)


def _expression(inside: str, value: str, key: str, task: str | None, known: set[str | None]) -> Iterator[str]:
    if not inside or _WHITESPACE.search(inside):
        yield f"key: {key} input parameter value: {inside} is not valid"
    elif inside != "CPEWF_TASK_ID" and (root := inside.split(".", maxsplit=1)[0]) not in known:
        yield (
            f"taskReferenceName: {root} for given task: {task} input value: {key} "
            f"of input parameter: {value} is not defined in workflow definition."
        )
