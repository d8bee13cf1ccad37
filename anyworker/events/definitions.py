"""Events of task definitions."""

from dataclasses import dataclass
from typing import Literal

from anyworker.events.kinds import TaskRunnerEvent


@dataclass(frozen=True, kw_only=True)
class TaskDefRegistered(TaskRunnerEvent):
    """A task definition is on the server as it should be."""

    outcome: Literal["created", "updated", "unchanged", "kept"]
    """``kept``: the server's own, which the worker may not overwrite."""
    changed_fields: tuple[str, ...]
    """Of an ``updated`` one, by the names of the wire."""
    has_schema_registry: bool
    """Whether the schemas went to the server's registry; otherwise they are part of the definition."""


@dataclass(frozen=True, kw_only=True)
class TaskDefRegistrationFailure(TaskRunnerEvent):
    """A task definition could not be registered; its worker polls all the same."""

    cause: Exception
