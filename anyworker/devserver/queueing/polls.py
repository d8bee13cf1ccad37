"""Polls, and who polled what last."""

from collections.abc import Callable, Iterator
from typing import Literal

import attrs

from anyworker.devserver.records.records import Message, TaskRecord
from anyworker.devserver.timing.deadlines import Deadline

Waiting = Literal["first", "fill"]
"""How a poll waits: ``first`` answers at the first task, as Redis does; ``fill`` holds what it finds until it
has all it asked for or its time is over, as the SQL back ends do."""

MOST_REMEMBERED = 10_000
"""Task types, and domains of one, whose last polls are known; the real server forgets none."""
ACTIVE_FOR = 10_000
"""Milliseconds after its last poll for which a domain counts as active."""


@attrs.define(eq=False)
class Poll:
    """One request for tasks; it goes on by itself, whether or not its client is still there."""

    task_type: str
    domain: str | None
    worker_id: str | None
    count: int
    began: int = 0
    """Epoch milliseconds."""
    held: list[Message] = attrs.field(factory=list)
    """Found and hidden from others; given out when the poll ends."""
    tasks: list[TaskRecord] | None = None
    """The answer, None while it waits."""
    on_done: Callable[[], None] | None = None
    """Called once when the answer is there."""
    deadline: Deadline | None = None

    @property
    def is_done(self) -> bool:
        """Whether the answer is there."""
        return self.tasks is not None


@attrs.frozen
class PollData:
    """Who polled a queue last."""

    task_type: str
    domain: str | None
    worker_id: str | None
    at: int


class PollHistory:
    """The last poll of each task type and domain that has ended."""

    def __init__(self) -> None:
        self._data: dict[str, dict[str | None, PollData]] = {}

    def add(self, poll: Poll, now: int) -> None:
        """Note that a poll has ended."""
        # At the end again, so that the type that was polled least recently stands first.
        polled = self._data[poll.task_type] = self._data.pop(poll.task_type, {})
        polled[poll.domain] = PollData(poll.task_type, poll.domain, poll.worker_id, now)
        if len(polled) > MOST_REMEMBERED:
            del polled[next(iter(polled))]
        if len(self._data) > MOST_REMEMBERED:
            del self._data[next(iter(self._data))]

    def is_active(self, task_type: str, domain: str, now: int) -> bool:
        """Tell whether a poll of this domain has ended within the last ten seconds."""
        data = self._data.get(task_type, {}).get(domain)
        return data is not None and data.at > now - ACTIVE_FOR

    def data(self, task_type: str | None = None) -> Iterator[PollData]:
        """Yield who polled last, of one task type or of all."""
        names = sorted(self._data) if task_type is None else [task_type]
        for name in names:
            yield from self._data.get(name, {}).values()
