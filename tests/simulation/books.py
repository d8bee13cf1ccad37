"""What a witness writes down of tasks and results."""

import attrs


@attrs.define(eq=False)
class Holding:
    """A task that the server has given away."""

    worker_id: str | None
    arrived: float | None = None
    """When a poll's answer brought it to its process; None as long as it is not known to have come."""
    is_lost: bool = False
    """Whether its process has said that its lease is over."""
    is_settled: bool = False
    """Whether its process has parted with it: its result was accepted or surfaced, or its call dropped."""
    touched: float = 0.0
    """When its process last sent or heard something about it."""


@attrs.define(eq=False)
class Result:
    """What a call came to."""

    token: str
    task_id: str
    life: int
    is_interim: bool
    """Whether the task goes on after it: what a later call of the same task comes to takes its place."""
    is_arrived: bool = False
    """Whether the server has it, or needs it no more."""
    is_surfaced: bool = False
    """Whether an event has carried it, and no outbox has taken it over since."""
