"""Events of workers, of the event loop that runs them, and of their end."""

from dataclasses import dataclass
from typing import Literal

from anyworker.events.kinds import TaskRunnerEvent


@dataclass(frozen=True, kw_only=True)
class WorkerEvent(TaskRunnerEvent):
    """What all events about one worker carry."""

    worker_id: str
    domain: str | None


@dataclass(frozen=True, kw_only=True)
class WorkerStarted(WorkerEvent):
    """A worker begins: it polls from now on, unless `WorkerPaused` follows at once."""

    slots: int
    """How many tasks it may have in hand at once."""


@dataclass(frozen=True, kw_only=True)
class WorkerPaused(WorkerEvent):
    """A worker polls no more until it is resumed; what is in hand goes on."""

    reason: Literal["option", "quiet"]
    """``option``: its own ``paused``. ``quiet``: its fleet was told to be quiet."""
    in_hand: int
    """Tasks that go on."""


@dataclass(frozen=True, kw_only=True)
class WorkerResumed(WorkerEvent):
    """A worker polls again."""


@dataclass(frozen=True, kw_only=True)
class WorkerStopped(WorkerEvent):
    """A worker has ended."""

    finished: int
    """Tasks that left its hands, one way or another."""
    undelivered: int
    """Results that nobody will send any more."""
    abandoned: int
    """Tasks whose threads could not be stopped."""


@dataclass(frozen=True, kw_only=True)
class ShutdownStageEntered(TaskRunnerEvent):
    """A fleet is one stage further on its way out; the task type is empty."""

    stage: Literal["quiet", "draining", "cancelling", "abandoning", "ended"]
    """``quiet``: nothing is polled, with a way back, which `WorkerResumed` tells. ``draining``: what runs may
    finish. ``cancelling``: what still runs is cancelled. ``abandoning``: what goes on even so is left."""
    in_hand: int
    """Tasks in hand at that moment, in all processes as far as they have said."""


@dataclass(frozen=True, kw_only=True)
class LoopBlocked(TaskRunnerEvent):
    """The event loop stood still: neither polls nor heartbeats nor other tasks went on meanwhile.

    Told when it goes on; where it does not, and the process is one of several, by the parent that kills it.
    The task type is empty where nobody knows whose code it was.
    """

    duration_ms: float
    task_id: str | None
    """The task whose coroutine function it was; None where nobody knows."""
    pid: int
    """The process."""
