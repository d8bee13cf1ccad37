"""What counts polls and tasks without being told by events, which would cost more than the counting."""

from collections.abc import Callable
from typing import Protocol


class Tally(Protocol):
    """Counts for one task type."""

    @property
    def took(self) -> Callable[[float], object]:
        """Takes the seconds of a call that succeeded."""
        ...

    @property
    def put_out(self) -> Callable[[float], object]:
        """Takes the bytes that its output has as JSON."""
        ...

    def poll_started(self) -> None:
        """Count a poll."""

    def poll_completed(self, seconds: float, received: int) -> None:
        """Measure a poll that was answered with so many tasks."""


class TallySource(Protocol):
    """Has tallies, or none."""

    def tally(self, task_type: str) -> Tally | None:
        """Return what counts for a task type, None where listeners do."""
        ...


class NoTallies:
    """Where only listeners count."""

    def tally(self, task_type: str) -> Tally | None:
        """Return None."""
