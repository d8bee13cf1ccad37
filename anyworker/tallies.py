"""What counts polls and tasks without being told by events, which would cost more than the counting."""

from typing import Protocol


class Tally(Protocol):
    """Counts for one task type."""

    def poll_started(self) -> None:
        """Count a poll."""

    def poll_completed(self, seconds: float, received: int) -> None:
        """Measure a poll that was answered with so many tasks."""

    def execution_completed(self, seconds: float, size: int) -> None:
        """Measure a call and its output, so many bytes of JSON."""


class TallySource(Protocol):
    """Has tallies, or none."""

    def tally(self, task_type: str) -> Tally | None:
        """Return what counts for a task type, None where listeners do."""
        ...


class NoTallies:
    """Where only listeners count."""

    def tally(self, task_type: str) -> Tally | None:
        """Return None."""
