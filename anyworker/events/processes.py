"""Events of the processes of a fleet; the listeners in their parent hear them.

The task type is that of the process's worker, empty where it has several.
"""

from dataclasses import dataclass

from anyworker.events.kinds import TaskRunnerEvent


@dataclass(frozen=True, kw_only=True)
class ProcessEvent(TaskRunnerEvent):
    """What all events about one process carry."""

    process: str
    """What messages call its place."""
    pid: int
    task_types: tuple[str, ...]
    """Of its workers."""


@dataclass(frozen=True, kw_only=True)
class ChildStarted(ProcessEvent):
    """A process was started; it imports its workers and polls soon."""


@dataclass(frozen=True, kw_only=True)
class ChildExited(ProcessEvent):
    """A process has ended."""

    exit_status: int
    """-n where signal n killed it."""
    reason: str
    """The same in words."""
    is_expected: bool
    """Whether it was told to end."""
    served_ms: float
    """From its first poll on, 0 where it came to none."""
    restart_in_ms: float | None
    """When another one follows it; None where none does."""


@dataclass(frozen=True, kw_only=True)
class ChildReplaced(ProcessEvent):
    """A process has the place of one that died, or that has served its time."""

    predecessor_pid: int
    reason: str
    """Why that one went."""
    restarts: int
    """How many have died in this place."""
