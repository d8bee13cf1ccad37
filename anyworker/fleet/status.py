"""What a fleet says of itself."""

import enum

import attrs


class FleetStage(enum.Enum):
    """How far a fleet is on its way out."""

    RUNNING = "running"
    QUIET = "quiet"
    """Nothing is polled; what is in hand goes on. The one stage from which there is a way back."""
    DRAINING = "draining"
    CANCELLING = "cancelling"
    ENDED = "ended"


@attrs.frozen
class TaskStatus:
    """A task in hand."""

    task_id: str
    workflow_id: str
    retry_count: int
    since: float
    """Epoch seconds."""


@attrs.frozen
class WorkerStatus:
    """One worker at a moment."""

    task_type: str
    domain: str | None
    worker_id: str
    slots: int
    """How many tasks it may have in hand at once."""
    in_hand: int
    """Tasks polled whose results the server has not accepted yet."""
    undelivered: int
    """Results that nobody will send any more; each was published by a TaskUpdateFailure."""
    abandoned: int
    """Tasks whose threads could not be stopped."""
    finished: int
    """Tasks that have left its hands."""
    threads: int
    """Threads in which the worker's function runs, abandoned ones included."""
    leaked: int
    """Those of them whose calls were given up, by `timeout` or because the task was lost. As many as there
    are slots go on beside them; beyond that their slots stay taken until one ends."""
    is_paused: bool
    """Whether it does not poll, by its options or because the fleet is quiet."""
    last_poll: float | None
    """Epoch seconds of the last poll that was answered; None before the first."""
    failing_since: float | None
    """Epoch seconds since which its polls fail; None while they do not."""
    failure: str | None
    """Why the last one failed."""
    backs_off_until: float | None = None
    """Epoch seconds before which it does not poll for that reason."""
    slots_in_use: int = 0
    """How many of its slots hold a task."""
    update_attempts: int = 0
    """How often it has sent a result."""
    failed_updates: int = 0
    """How often that failed."""
    is_unique: bool = False
    """Whether no other process polls under the worker id."""
    restartable: bool | None = None
    """Whether tasks whose function has begun may be given back; None leaves it to their definitions."""
    max_tasks: int | None = None
    """How many all workers of its process may have in hand at once; None for any number."""
    rate_limit: str | None = None
    """How many tasks it takes in what time; None for any number."""
    tasks: tuple[TaskStatus, ...] = ()
    """The oldest tasks in hand."""


@attrs.frozen
class OutboxStatus:
    """Where results wait that could not be delivered."""

    path: str | None = None
    """Its file, None where it has none."""
    trouble: str | None = None
    """What keeps it from its file, None if nothing does."""
    in_memory: int = 0
    """Results that wait in memory."""


@attrs.frozen
class ProcessStatus:
    """One place for a process at a moment."""

    name: str
    task_types: str
    pid: int | None
    """Of the process that holds it, or held it last."""
    is_alive: bool
    is_serving: bool
    is_given_up: bool
    """Whether it stays empty, its processes having died too often."""
    exit_status: int | None
    """Of the process that ended last; -n for signal n."""
    restarts: int
    """Processes that took the place of one that died."""
    down_since: float | None
    """Epoch seconds since which no process of it polls, the last one having died."""
    rss_mb: float


@attrs.frozen
class FleetStatus:
    """A fleet at a moment."""

    stage: FleetStage
    workers: tuple[WorkerStatus, ...]
    processes: tuple[ProcessStatus, ...] = ()
    """Its processes' places, none where it runs in this one."""
    was_cut_short: bool = False
    """Whether a process was ended while it still imported its workers."""
    outbox: OutboxStatus = OutboxStatus()
    """Of all processes together."""

    @property
    def is_everything_handed_over(self) -> bool:
        """Whether no result was given up and no task abandoned."""
        return not any(worker.undelivered or worker.abandoned for worker in self.workers)
