"""A workflow definition together with its task definitions, ready to run: what a started workflow keeps."""

from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import msgspec

from anyworker.devserver.metadata.definitions import TaskDefinition

_BUILT_IN = {"FORK_JOIN": "FORK", "JOIN": "JOIN", "SWITCH": "SWITCH"}
"""Kinds whose tasks carry a name of the server's instead of the step's, and are never tried again."""
SYSTEM_KINDS = frozenset(_BUILT_IN) | {"SET_VARIABLE", "SUB_WORKFLOW", "TERMINATE", "WAIT"}
"""Kinds that this server executes itself."""


@attrs.define(eq=False)
class Step:
    """One task of a workflow definition and its task definition; not changed once its plan is made."""

    name: str
    reference: str
    kind: str
    """SIMPLE, one of the system's, or a name of a queue of its own."""
    wire: dict[str, Any]
    """The task of the workflow definition, for what only its own kind knows."""
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
    following: "Step | None" = None
    """What comes when it is done: after the last of a branch or case, what comes after the whole."""
    branches: tuple[tuple["Step", ...], ...] = ()
    """Of a FORK_JOIN."""
    cases: Mapping[str, tuple["Step", ...]] = attrs.field(factory=dict)
    """Of a SWITCH."""
    default: tuple["Step", ...] = ()
    """Of a SWITCH: what is done when no case matches."""

    @property
    def task_type(self) -> str:
        """The type of its tasks; that of a worker's task is what workers poll for."""
        return self.name if self.kind == "SIMPLE" else _BUILT_IN.get(self.kind, self.kind)

    @property
    def definition_name(self) -> str:
        """The name that its tasks show for their definition."""
        return _BUILT_IN.get(self.kind, self.name)

    @property
    def is_system(self) -> bool:
        """Whether the server executes it."""
        return self.kind in SYSTEM_KINDS

    @property
    def is_built_in(self) -> bool:
        """Whether its failure is never followed by another attempt, whatever its definition says."""
        return self.kind in _BUILT_IN

    @property
    def is_forgiving(self) -> bool:
        """Whether its failure alone ends nothing until all is done."""
        return self.permissive and not self.optional

    def nested(self) -> Iterator["Step"]:
        """Yield it and every step inside it."""
        yield self
        for steps in (*self.branches, *self.cases.values(), self.default):
            for step in steps:
                yield from step.nested()


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
    failure_workflow: str | None
    failure_workflow_version: int | None
    wire: dict[str, Any]
    """The workflow definition with all task definitions."""
    encoded: msgspec.Raw
    """The same as JSON."""
    by_reference: Mapping[str, Step]
    """Every step, nested ones too."""
    lazy: frozenset[str]
    """References inside a fork that a JOIN waits for: their success alone moves nothing but the JOIN."""
