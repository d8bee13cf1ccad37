"""A workflow definition together with its task definitions, ready to run: what a started workflow keeps."""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from anyworker.devserver.definitions import TaskDefinition, read_task_definition
from anyworker.devserver.errors import not_executed_here
from anyworker.devserver.jsontext import encode

_SYSTEM_TYPES = """
    DECISION DO_WHILE DYNAMIC EVENT EXCLUSIVE_JOIN FORK_JOIN FORK_JOIN_DYNAMIC HTTP HUMAN INLINE JOIN
    JSON_JQ_TRANSFORM KAFKA_PUBLISH LAMBDA NOOP PULL_WORKFLOW_MESSAGES SET_VARIABLE START_WORKFLOW
    SUB_WORKFLOW SWITCH TERMINATE WAIT
"""
NOT_SUPPORTED = frozenset(_SYSTEM_TYPES.split())
"""Types that the real server executes itself. Any other unknown type is a queue's name, as there."""


@attrs.frozen(eq=False)
class Step:
    """One task of a workflow definition and its task definition."""

    position: int
    name: str
    reference: str
    kind: str
    """SIMPLE, or a name of a queue of its own."""
    parameters: dict[str, Any]
    optional: bool
    permissive: bool
    start_delay: int
    """Seconds."""
    attempts: int
    """Retries allowed after the first attempt."""
    definition: TaskDefinition
    encoded: msgspec.Raw
    """As a task shows it: with the task definition."""

    @property
    def queue_type(self) -> str:
        """The task type that workers poll for it."""
        return self.name if self.kind == "SIMPLE" else self.kind


@attrs.frozen(eq=False)
class Plan:
    """A workflow definition as it was when a workflow started."""

    name: str
    version: int
    steps: tuple[Step, ...]
    outputs: dict[str, Any]
    template: dict[str, Any]
    variables: dict[str, Any]
    timeout_seconds: int
    """After which the workflow times out; 0 for never."""
    restartable: bool
    encoded: msgspec.Raw
    """The workflow definition with all task definitions."""

    def after(self, step: Step) -> Step | None:
        """Return the step that follows, None after the last."""
        following = step.position + 1
        return self.steps[following] if following < len(self.steps) else None


def plan(wire: dict[str, Any], registered: Callable[[str], TaskDefinition | None]) -> Plan:
    """Bind a workflow definition to the task definitions of this moment.

    Args:
        wire: A workflow definition that was read and validated.
        registered: Returns the task definition of a name, if there is one.

    Raises:
        RequestRefused: 400, the workflow has a task of a type that this server does not execute.
    """
    steps = tuple(_step(position, item, registered) for position, item in enumerate(wire["tasks"]))
    timeout = wire["timeoutSeconds"] if wire["timeoutPolicy"] == "TIME_OUT_WF" else 0
    encoded = encode({**wire, "tasks": [step.encoded for step in steps]})
    return Plan(
        name=wire["name"],
        version=wire["version"],
        steps=steps,
        outputs=wire["outputParameters"],
        template=wire["inputTemplate"],
        variables=wire["variables"],
        timeout_seconds=max(timeout, 0),
        restartable=wire["restartable"],
        encoded=msgspec.Raw(encoded),
    )


def _step(position: int, item: dict[str, Any], registered: Callable[[str], TaskDefinition | None]) -> Step:
    kind, name, reference = item["type"], item["name"], item["taskReferenceName"]
    if kind in NOT_SUPPORTED:
        raise not_executed_here(kind, name, reference)
    definition = _definition(item, registered)
    retries = item.get("retryCount")
    return Step(
        position=position,
        name=name,
        reference=reference,
        kind=kind,
        parameters=item["inputParameters"],
        optional=item["optional"],
        permissive=item["permissive"],
        start_delay=item["startDelay"],
        attempts=definition.retry_count if retries is None else retries,
        definition=definition,
        encoded=msgspec.Raw(encode(_with_definition(item, definition))),
    )


def _definition(item: dict[str, Any], registered: Callable[[str], TaskDefinition | None]) -> TaskDefinition:
    inline = item.get("taskDefinition")
    if inline is not None:
        return TaskDefinition.of(inline)
    found = registered(item["name"])
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
