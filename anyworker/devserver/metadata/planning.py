"""From a workflow definition to a plan: task definitions bound, successors found, what cannot run refused."""

from collections.abc import Callable, Iterator
from typing import Any

import attrs
import msgspec

from anyworker.devserver.metadata.definitions import TaskDefinition, read_task_definition
from anyworker.devserver.metadata.plans import Plan, Step
from anyworker.devserver.metadata.validation import all_steps
from anyworker.devserver.wire import errors
from anyworker.devserver.wire.jsontext import encode

_OTHER_SYSTEM_TYPES = """
    DECISION DO_WHILE DYNAMIC EVENT EXCLUSIVE_JOIN FORK FORK_JOIN_DYNAMIC HTTP HUMAN INLINE
    JSON_JQ_TRANSFORM KAFKA_PUBLISH LAMBDA NOOP PULL_WORKFLOW_MESSAGES START_WORKFLOW
"""
NOT_SUPPORTED = frozenset(_OTHER_SYSTEM_TYPES.split())
"""Types that only the real server executes. Any other unknown type is a queue's name, as there."""
_SCRIPTED = frozenset({"javascript", "graaljs", "python"})
"""Evaluators of a SWITCH that only the real server has."""


@attrs.frozen
class Definitions:
    """Where a plan finds what its workflow definition names."""

    task: Callable[[str], TaskDefinition | None]
    """Returns the task definition of a name, if there is one."""
    latest_version: Callable[[str], int | None]
    """Returns the latest version of a workflow, if there is one."""


def plan(wire: dict[str, Any], definitions: Definitions) -> Plan:
    """Bind a workflow definition to the definitions of this moment.

    A sub-workflow given by its name is looked at when it starts, one given as a definition now.

    Args:
        wire: A workflow definition that was read and validated.
        definitions: What is registered.

    Raises:
        RequestRefused: 400, the workflow has a task of a type that this server does not execute; 500, it
            names a sub-workflow without a version and there is none.
    """
    steps = _build(wire["tasks"], None, definitions)
    every = [step for top in steps for step in top.nested()]
    forked = {
        step.reference
        for fork in every
        for branch in fork.branches
        for top in branch
        for step in top.nested()
    }
    joined = {reference for step in every if step.kind == "JOIN" for reference in step.wire["joinOn"]}
    bound = {**wire, "tasks": [step.encoded for step in steps]}
    timeout = wire["timeoutSeconds"] if wire["timeoutPolicy"] == "TIME_OUT_WF" else 0
    return Plan(
        name=wire["name"],
        version=wire["version"],
        steps=steps,
        outputs=wire["outputParameters"],
        template=wire["inputTemplate"],
        variables=wire["variables"],
        timeout_seconds=max(timeout, 0),
        restartable=wire["restartable"],
        failure_workflow=wire.get("failureWorkflow"),
        failure_workflow_version=wire.get("failureWorkflowVersion"),
        wire=bound,
        encoded=msgspec.Raw(encode(bound)),
        by_reference={step.reference: step for step in every},
        lazy=frozenset(forked & joined),
    )


def _build(items: list[dict[str, Any]], following: Step | None, definitions: Definitions) -> tuple[Step, ...]:
    """Build steps from the last to the first, each knowing the one after it."""
    steps: list[Step] = []
    for item in reversed(items):
        following = _step(item, following, definitions)
        steps.append(following)
    return tuple(reversed(steps))


def _step(item: dict[str, Any], following: Step | None, definitions: Definitions) -> Step:
    _refuse_what_cannot_run(item)
    kind, retries = item["type"], item.get("retryCount")
    branches: tuple[tuple[Step, ...], ...] = ()
    cases: dict[str, tuple[Step, ...]] = {}
    default: tuple[Step, ...] = ()
    if kind == "FORK_JOIN":
        branches = tuple(_build(branch, following, definitions) for branch in item["forkTasks"])
    elif kind == "SWITCH":
        cases = {key: _build(case, following, definitions) for key, case in item["decisionCases"].items()}
        default = _build(item["defaultCase"], following, definitions)
    elif kind == "SUB_WORKFLOW":
        item = _with_version(item, definitions)
    definition = _definition(item, definitions)
    shown = {
        **item,
        "forkTasks": _shown(branches) if branches else item["forkTasks"],
        "decisionCases": {key: _encoded(case) for key, case in cases.items()} or item["decisionCases"],
        "defaultCase": _encoded(default) or item["defaultCase"],
    }
    return Step(
        name=item["name"],
        reference=item["taskReferenceName"],
        kind=kind,
        wire=item,
        parameters=item["inputParameters"],
        optional=item["optional"],
        permissive=item["permissive"],
        start_delay=item["startDelay"],
        attempts=definition.retry_count if retries is None else retries,
        definition=definition,
        encoded=msgspec.Raw(encode(_with_definition(shown, definition))),
        following=None if kind == "TERMINATE" else following,
        branches=branches,
        cases=cases,
        default=default,
    )


def _shown(branches: tuple[tuple[Step, ...], ...]) -> list[list[msgspec.Raw]]:
    return [_encoded(branch) for branch in branches]


def _encoded(steps: tuple[Step, ...]) -> list[msgspec.Raw]:
    return [step.encoded for step in steps]


def _refuse_what_cannot_run(item: dict[str, Any]) -> None:
    kind = item["type"]
    if kind == "SWITCH" and item.get("evaluatorType") in _SCRIPTED:
        kind = f"SWITCH with the evaluator {item['evaluatorType']}"
    elif kind not in NOT_SUPPORTED:
        for nested in _definitions_inside(item):
            _refuse_what_cannot_run(nested)
        return
    raise errors.not_executed_here(kind, item["name"], item["taskReferenceName"])


def _definitions_inside(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield every task of the workflow definition that a SUB_WORKFLOW carries."""
    inline = (item.get("subWorkflowParam") or {}).get("workflowDefinition")
    if item["type"] == "SUB_WORKFLOW" and isinstance(inline, dict):
        yield from all_steps(inline["tasks"])


def _with_version(item: dict[str, Any], definitions: Definitions) -> dict[str, Any]:
    """Return a SUB_WORKFLOW's task with the version that was the latest when its workflow started."""
    param = item.get("subWorkflowParam") or {}
    if param.get("version") is not None:
        return item
    version = definitions.latest_version(str(param.get("name")))
    if version is None:
        raise errors.no_sub_workflow(param.get("name"))
    return {**item, "subWorkflowParam": {**param, "version": version}}


def _definition(item: dict[str, Any], definitions: Definitions) -> TaskDefinition:
    inline = item.get("taskDefinition")
    if inline is not None:
        return TaskDefinition.of(inline)
    found = definitions.task(item["name"])
    if found is not None:
        return found
    unregistered = {"name": item["name"]}
    if item["type"] != "SIMPLE":
        unregistered |= {"retryCount": 0, "responseTimeoutSeconds": 0}
    return TaskDefinition.of(read_task_definition(unregistered))


def _with_definition(item: dict[str, Any], definition: TaskDefinition) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for key, value in item.items():
        shown[key] = value
        if key == "optional":
            shown["taskDefinition"] = definition.encoded
    return shown
