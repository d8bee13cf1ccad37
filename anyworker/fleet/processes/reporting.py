"""Tell the listeners in the parent what becomes of its processes."""

from typing import Protocol

from anyworker.events import ChildExited, ChildReplaced, ChildStarted, LoopBlocked, Publisher


class Child(Protocol):
    """A process that was started."""

    is_retiring: bool
    was_dismissed: bool
    status: int | None
    silence: float

    @property
    def pid(self) -> int: ...
    @property
    def served(self) -> float: ...
    @property
    def ending(self) -> str: ...


class ProcessReporter:
    """Report on the processes of one place.

    Args:
        publisher: Brings events to their listeners.
        process: What messages call the place.
        task_types: Of its workers.
    """

    def __init__(self, publisher: Publisher, process: str, task_types: tuple[str, ...]) -> None:
        self._publisher = publisher
        self._process = process
        self._task_types = task_types
        self._task_type = task_types[0] if len(task_types) == 1 else ""

    def started(self, child: Child) -> None:
        """A process was started."""
        if self._publisher.hears(ChildStarted):
            self._publisher.publish(
                ChildStarted(
                    task_type=self._task_type,
                    process=self._process,
                    pid=child.pid,
                    task_types=self._task_types,
                )
            )

    def exited(self, child: Child, restart_in: float | None) -> None:
        """A process has ended, which another one follows in so many seconds; None for not at all."""
        assert child.status is not None  # noqa: S101 - it has ended
        if child.silence and self._publisher.hears(LoopBlocked):
            self._publisher.publish(
                LoopBlocked(
                    task_type=self._task_type,
                    duration_ms=child.silence * 1000,
                    task_id=None,
                    pid=child.pid,
                )
            )
        if self._publisher.hears(ChildExited):
            self._publisher.publish(
                ChildExited(
                    task_type=self._task_type,
                    process=self._process,
                    pid=child.pid,
                    task_types=self._task_types,
                    exit_status=child.status,
                    reason=child.ending,
                    is_expected=child.is_retiring or child.was_dismissed,
                    served_ms=child.served * 1000,
                    restart_in_ms=None if restart_in is None else restart_in * 1000,
                )
            )

    def replaced(self, child: Child, predecessor: tuple[int, str], restarts: int) -> None:
        """A process has the place of another one, whose id and fate are known."""
        if self._publisher.hears(ChildReplaced):
            pid, reason = predecessor
            self._publisher.publish(
                ChildReplaced(
                    task_type=self._task_type,
                    process=self._process,
                    pid=child.pid,
                    task_types=self._task_types,
                    predecessor_pid=pid,
                    reason=reason,
                    restarts=restarts,
                )
            )
