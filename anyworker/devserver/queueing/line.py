"""One queue: its tasks by rank, those that come later, and the polls that wait."""

import heapq
from collections import deque

import attrs

from anyworker.devserver.queueing.polls import Poll
from anyworker.devserver.records.records import Message
from anyworker.devserver.timing.deadlines import Deadline

Rank = tuple[int, int]
"""What decides who is delivered earlier: the least."""
_SLACK = 64


@attrs.define(eq=False)
class Line:
    """Tasks of one type and domain, by rank, then by the order they came in."""

    size: int = 0
    """Waiting and delayed, held ones too."""
    is_known: bool = False
    """Whether a task was ever put into it; the server lists no other queues."""
    ready: list[tuple[Rank, int, Message]] = attrs.field(factory=list)
    delayed: list[tuple[int, int, Rank, Message]] = attrs.field(factory=list)
    polls: deque[Poll] = attrs.field(factory=deque)
    look: Deadline | None = None
    """When a poll looks that may find something."""

    def release(self, now: int) -> None:
        """Make deliverable what was delayed until now."""
        while self.delayed and self.delayed[0][0] <= now:
            _, order, rank, message = heapq.heappop(self.delayed)
            if message.task is not None:
                self.add_ready(rank, order, message)

    def add_ready(self, rank: Rank, order: int, message: Message) -> None:
        """Make a message deliverable."""
        heapq.heappush(self.ready, (rank, order, message))

    @property
    def is_idle(self) -> bool:
        """Whether nothing is in it and nobody waits at it."""
        return self.size == 0 and not self.polls

    def purge(self) -> None:
        """Drop what was taken out, once it is more than what is still in."""
        if len(self.ready) + len(self.delayed) > 2 * self.size + _SLACK:
            self.ready = [entry for entry in self.ready if entry[-1].task is not None]
            self.delayed = [entry for entry in self.delayed if entry[-1].task is not None]
            heapq.heapify(self.ready)
            heapq.heapify(self.delayed)

    def pop(self) -> Message | None:
        """Take the next deliverable message, None if there is none."""
        while self.ready:
            message = heapq.heappop(self.ready)[2]
            if message.task is not None:
                return message
        return None
