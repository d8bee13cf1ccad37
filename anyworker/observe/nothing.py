"""A fleet of which nothing is known yet."""

import enum

from anyworker.observe.health import ProcessView, WorkerView


class _Stage(enum.Enum):
    STARTING = "starting"


class _NoOutbox:
    path: str | None = None
    trouble: str | None = None
    in_memory = 0


class NothingYet:
    """What is shown before there is a fleet."""

    stage = _Stage.STARTING
    workers: tuple[WorkerView, ...] = ()
    processes: tuple[ProcessView, ...] = ()
    outbox = _NoOutbox()
