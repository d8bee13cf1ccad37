"""What is due when: a heap of moments, each with the action that belongs to it."""

import heapq
from collections.abc import Callable

import attrs

_SLACK = 64


@attrs.define(eq=False)
class Deadline:
    """One moment, until it has passed or is cancelled."""

    at: int
    """Epoch milliseconds."""
    action: Callable[[int], None] | None
    """Called with the deadline's own moment; None once it has passed or is cancelled."""


class Deadlines:
    """Moments in order; cancelled ones cost no more than they hold."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Deadline]] = []
        self.reached = 0
        """The moment up to which everything has happened."""
        self._added = 0
        self._cancelled = 0

    def add(self, at: int, action: Callable[[int], None]) -> Deadline:
        """Call the action when the moment comes, after those added earlier for the same moment."""
        deadline = Deadline(at, action)
        self._added += 1
        heapq.heappush(self._heap, (at, self._added, deadline))
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Forget a deadline; one that has passed or is cancelled already stays so."""
        if deadline.action is None:
            return
        deadline.action = None
        self._cancelled += 1
        if self._cancelled > _SLACK and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].action is not None]
            heapq.heapify(self._heap)
            self._cancelled = 0

    def next(self) -> int | None:
        """Return the earliest moment, None if there is none."""
        while self._heap:
            at, _, deadline = self._heap[0]
            if deadline.action is not None:
                return at
            heapq.heappop(self._heap)
            self._cancelled -= 1
        return None

    def advance(self, now: int, then: Callable[[int], None] = lambda _: None) -> None:
        """Call what is due, in order and each at its own moment, also what these calls add.

        Args:
            now: The moment until which it is looked.
            then: Called after each of them, with its moment.
        """
        while (at := self.next()) is not None and at <= now:
            deadline = heapq.heappop(self._heap)[2]
            action, deadline.action = deadline.action, None
            self.reached = max(self.reached, at)
            if action is not None:
                action(at)
                then(at)
        self.reached = max(self.reached, now)
