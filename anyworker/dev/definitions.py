"""Definitions for the dev server: those of files, and those made for workers without any."""

import difflib
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import attrs
import msgspec

from anyworker.dev.messages import Card
from anyworker.errors import ConfigurationError

Definition = Mapping[str, Any]

_OF_TASKS_ONLY = frozenset(
    {
        "retryCount", "retryLogic", "retryDelaySeconds", "backoffScaleFactor", "maxRetryDelaySeconds",
        "backoffJitterMs", "totalTimeoutSeconds", "responseTimeoutSeconds", "pollTimeoutSeconds",
        "concurrentExecLimit", "rateLimitPerFrequency", "rateLimitFrequencyInSeconds", "inputKeys",
        "outputKeys", "isolationGroupId", "executionNameSpace",
    }
)  # fmt: skip
"""Keys that only a task definition has."""

_NOT_IN_REFERENCES = re.compile(r"\W")


@attrs.frozen
class Definitions:
    """What is registered with the dev server."""

    workflows: tuple[Definition, ...] = ()
    tasks: tuple[Definition, ...] = ()

    def __add__(self, other: "Definitions") -> "Definitions":
        """Return both."""
        return Definitions((*self.workflows, *other.workflows), (*self.tasks, *other.tasks))

    @property
    def names(self) -> list[str]:
        """The names of the workflows, in order."""
        return list(dict.fromkeys(str(workflow.get("name")) for workflow in self.workflows))


def sort_definitions(found: Iterable[Definition]) -> Definitions:
    """Tell workflow definitions from task definitions: those have tasks, these have what only a task has."""
    workflows: list[Definition] = []
    tasks: list[Definition] = []
    for definition in found:
        is_task = "tasks" not in definition and not _OF_TASKS_ONLY.isdisjoint(definition)
        (tasks if is_task else workflows).append(definition)
    return Definitions(tuple(workflows), tuple(tasks))


def declared_tasks(cards: Iterable[Card], files: Definitions) -> Definitions:
    """Return the task definitions that workers bring themselves, without those that stand in files."""
    named = {definition.get("name") for definition in files.tasks}
    brought = {
        card.task_type: card.task_def for card in cards if card.task_def and card.task_type not in named
    }
    return Definitions(tasks=tuple(brought.values()))


def trial_definitions(cards: Iterable[Card]) -> Definitions:
    """Return for each task type a workflow of its name, whose input is the task's, and a task definition.

    A task without a definition of its own is not tried again when it fails, so that a failure is seen at
    once. That stands in the workflow: the task definition grants an attempt, so that workers hand back what
    they cannot finish instead of giving it up. An hour to answer, the server's default, lets a debugger hold
    it.
    """
    by_type = {card.task_type: card for card in cards}.values()
    return Definitions(
        tuple(trial_workflow(card, card.inputs) for card in by_type),
        tuple(_trial_task(card) for card in by_type if not card.registers),
    )


def _trial_task(card: Card) -> Definition:
    return {
        "retryCount": 1,
        "retryDelaySeconds": 0,
        "inputKeys": card.inputs,
        **(card.task_def or {}),
        "name": card.task_type,
        # A null in the place of a value that was not given becomes the function's default.
        "inputTemplate": card.defaults,
    }


def trial_workflow(card: Card, inputs: Sequence[str]) -> Definition:
    """Return the workflow of one task.

    Args:
        card: The task's worker.
        inputs: Names of the input.
    """
    step: dict[str, Any] = {
        "name": card.task_type,
        "taskReferenceName": _NOT_IN_REFERENCES.sub("_", card.task_type),
        "type": "SIMPLE",
        "inputParameters": {name: f"${{workflow.input.{name}}}" for name in inputs},
    }
    if card.task_def is None:
        step["retryCount"] = 0
    if card.registers:
        # What it registers in the place of ours has no template.
        step["taskDefinition"] = _trial_task(card)
    return {
        "name": card.task_type,
        "description": f"Made by anyworker dev for {card.origin}"[:255],
        "version": 1,
        "schemaVersion": 2,
        "inputParameters": list(inputs),
        "tasks": [step],
    }


@attrs.frozen
class Attempt:
    """A start of a workflow, as the command does it."""

    name: str
    input: Mapping[str, Any]
    task_to_domain: Mapping[str, str] = attrs.field(factory=dict)
    definition: Definition | None = None
    """Instead of the registered one, where that does not take the whole input."""


def attempt(
    name: str, source: Mapping[str, Any], cards: Sequence[Card], files: Definitions | None
) -> Attempt:
    """Return how to start a workflow.

    Args:
        name: The workflow's name.
        source: Its input.
        cards: The workers.
        files: What files define; None where each worker has a workflow of its own.

    Raises:
        ConfigurationError: There is no workflow of that name.
    """
    known = (trial_definitions(cards) if files is None else files).names
    if name not in known:
        raise ConfigurationError(_unknown(name, known, cards))
    if files is not None:
        return Attempt(name, source)
    card = next(card for card in reversed(cards) if card.task_type == name)
    domains = {} if card.domain is None else {name: card.domain}
    extra = [key for key in source if key not in card.inputs]
    # A worker that takes whatever comes cannot have told the names of it.
    definition = trial_workflow(card, [*card.inputs, *extra]) if extra else None
    return Attempt(name, source, domains, definition)


def _unknown(name: str, known: Sequence[str], cards: Sequence[Card]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    if not near and any(card.task_type == name for card in cards):
        hint = "; it is a worker: without --workflow it gets a workflow of its name"
    return f"--start {name}: there is no such workflow{hint} (known are: {', '.join(known) or 'none'})"


def ways_to_try(card: Card, url: str, targets: Sequence[str]) -> tuple[str, str]:
    """Return a curl line and a line of this command that run one worker.

    Args:
        card: The worker.
        url: The API's base URL.
        targets: The modules and files that the command was given.
    """
    source = msgspec.json.encode(card.example or card.defaults).decode()
    if card.domain is None:
        path, body = f"/workflow/{quote(card.task_type, safe='')}", source
    else:
        request = {
            "name": card.task_type,
            "input": card.example or card.defaults,
            "taskToDomain": {card.task_type: card.domain},
        }
        path, body = "/workflow", msgspec.json.encode(request).decode()
    curl = ["curl", url + path, "-H", "Content-Type: application/json", "-d", body]
    command = ["anyworker", "dev", *targets, "--start", card.task_type]
    return shlex.join(curl), shlex.join([*command, "--input", source] if source != "{}" else command)
