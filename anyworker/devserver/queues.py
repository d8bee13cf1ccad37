"""Queues of waiting tasks, one per task type and domain, and the polls that wait at them."""

import functools
import heapq
from collections import deque
from collections.abc import Callable, Iterator
from typing import Literal

import attrs

from anyworker.devserver.deadlines import Deadline, Deadlines
from anyworker.devserver.records import Message, TaskRecord

Waiting = Literal["first", "fill"]
"""How a poll waits: ``first`` answers at the first task, as Redis does; ``fill`` holds what it finds until it
has all it asked for or its time is over, as the SQL back ends do."""

ACTIVE_FOR = 10_000
"""Milliseconds after its last poll for which a domain counts as active."""
MOST_AT_ONCE = 64
"""Tasks that a poll of the style ``first`` brings at most, as on Redis."""
_YEAR_10000 = 253_402_300_800_000


@attrs.define(eq=False)
class Poll:
    """One request for tasks; it goes on by itself, whether or not its client is still there."""

    task_type: str
    domain: str | None
    worker_id: str | None
    count: int
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


@attrs.define(eq=False)
class Queue:
    """Tasks of one type and domain, by priority, then by the time they became deliverable."""

    size: int = 0
    """Waiting and delayed, held ones too."""
    is_known: bool = False
    """Whether a task was ever put into it; the server lists no other queues."""
    ready: list[tuple[int, int, int, Message]] = attrs.field(factory=list)
    delayed: list[tuple[int, int, Message]] = attrs.field(factory=list)
    polls: deque[Poll] = attrs.field(factory=deque)

    def release(self, now: int) -> None:
        """Make deliverable what was delayed until now."""
        while self.delayed and self.delayed[0][0] <= now:
            at, order, message = heapq.heappop(self.delayed)
            if message.task is not None:
                self.add_ready(message.task.priority, at, order, message)

    def add_ready(self, priority: int, at: int, order: int, message: Message) -> None:
        """Make a message deliverable."""
        heapq.heappush(self.ready, (-priority, at, order, message))

    def pop(self) -> Message | None:
        """Take the next deliverable message, None if there is none."""
        while self.ready:
            message = heapq.heappop(self.ready)[3]
            if message.task is not None:
                return message
        return None


class Queues:
    """All queues.

    Args:
        waiting: How polls wait.
        deadlines: Where delayed deliveries and ends of polls are kept.
        taken: Called for each task that a poll takes: ``taken(task, poll, now)``.
    """

    def __init__(
        self,
        waiting: Waiting,
        deadlines: Deadlines,
        taken: Callable[[TaskRecord, Poll, int], None],
    ) -> None:
        self._waiting = waiting
        self._deadlines = deadlines
        self._taken = taken
        self._queues: dict[str, Queue] = {}
        self._poll_data: dict[str, dict[str | None, PollData]] = {}
        self._order = 0

    def _queue(self, task_type: str, domain: str | None) -> Queue:
        name = queue_name(task_type, domain)
        found = self._queues.get(name)
        if found is None:
            found = self._queues[name] = Queue()
        return found

    # Messages

    def push(self, task: TaskRecord, delay: int, now: int) -> None:
        """Put a task into its queue, at the back; a place it has already is given up.

        Args:
            task: What to queue.
            delay: Milliseconds until it may be delivered.
            now: Epoch milliseconds.
        """
        self.remove(task)
        queue = self._queue(task.task_type, task.domain)
        message = task.message = Message(task)
        queue.size += 1
        queue.is_known = True
        self._order += 1
        at = now + delay
        if self._waiting == "first" and not 0 < delay < _YEAR_10000:
            at = now
        if at < now or at >= _YEAR_10000:
            return  # SQLite stores no delivery time: the message is never found again
        if at > now:
            heapq.heappush(queue.delayed, (at, self._order, message))
            message.delivery = self._deadlines.add(at, functools.partial(self._feed, queue))
            return
        queue.add_ready(task.priority, now, self._order, message)
        self._feed(queue, now)

    def remove(self, task: TaskRecord) -> None:
        """Take a task out of its queue, if it is in one."""
        message, task.message = task.message, None
        if message is None:
            return
        message.task = None
        if message.delivery is not None:
            self._deadlines.cancel(message.delivery)
        self._queue(task.task_type, task.domain).size -= 1

    # Polls

    def poll(self, poll: Poll, timeout: int, now: int) -> None:
        """Answer a poll at once if possible, else let it wait for ``timeout`` milliseconds at most."""
        queue = self._queue(poll.task_type, poll.domain)
        if poll.count > 0:
            queue.release(now)
            self._hold(queue, poll)
        if timeout <= 0 or poll.count <= 0 or self._is_served(poll):
            self._finish(queue, poll, now)
            return
        queue.polls.append(poll)
        poll.deadline = self._deadlines.add(now + timeout, functools.partial(self._finish, queue, poll))

    def _hold(self, queue: Queue, poll: Poll) -> None:
        most = min(poll.count, MOST_AT_ONCE) if self._waiting == "first" else poll.count
        poll.held = [message for message in poll.held if message.task is not None]
        while len(poll.held) < most and (message := queue.pop()) is not None:
            poll.held.append(message)

    def _is_served(self, poll: Poll) -> bool:
        return len(poll.held) >= (1 if self._waiting == "first" else poll.count)

    def _feed(self, queue: Queue, now: int) -> None:
        """Give what is deliverable to the polls that wait, first come, first served."""
        queue.release(now)
        while queue.polls and queue.ready:
            for poll in queue.polls:
                self._hold(queue, poll)
                if self._is_served(poll):
                    self._finish(queue, poll, now)
                    break
            else:
                return

    def _finish(self, queue: Queue, poll: Poll, now: int) -> None:
        if poll in queue.polls:
            queue.polls.remove(poll)
        if poll.deadline is not None:
            self._deadlines.cancel(poll.deadline)
        tasks = [message.task for message in poll.held if message.task is not None]
        for task in tasks:
            self.remove(task)
            self._taken(task, poll, now)
        poll.tasks, poll.held = tasks, []
        self._poll_data.setdefault(poll.task_type, {})[poll.domain] = PollData(
            poll.task_type, poll.domain, poll.worker_id, now
        )
        if poll.on_done is not None:
            poll.on_done()

    def end_early(self, poll: Poll, now: int) -> None:
        """Answer a poll with what it has, if it still waits."""
        if not poll.is_done:
            self._finish(self._queue(poll.task_type, poll.domain), poll, now)

    def end_one_early(self, task_type: str, domain: str | None, now: int) -> None:
        """Answer the first of the polls that wait at a queue, if there is one."""
        for poll in self._queue(task_type, domain).polls:
            self.end_early(poll, now)
            return

    def end_all_early(self, now: int) -> None:
        """Answer every poll that waits."""
        for queue in list(self._queues.values()):
            for poll in tuple(queue.polls):
                self.end_early(poll, now)

    # What can be asked

    def is_active(self, task_type: str, domain: str, now: int) -> bool:
        """Tell whether a poll of this domain has ended within the last ten seconds."""
        data = self._poll_data.get(task_type, {}).get(domain)
        return data is not None and data.at > now - ACTIVE_FOR

    def size(self, task_type: str, domain: str | None) -> int:
        """Return how many tasks wait or are delayed."""
        found = self._queues.get(queue_name(task_type, domain))
        return 0 if found is None else found.size

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return for each queue how many tasks are in it, and how many of these waiting polls hold."""
        return {
            name: (
                queue.size,
                sum(message.task is not None for poll in queue.polls for message in poll.held),
            )
            for name, queue in sorted(self._queues.items())
            if queue.is_known
        }

    def poll_data(self, task_type: str | None = None) -> Iterator[PollData]:
        """Yield who polled last, of one task type or of all."""
        names = sorted(self._poll_data) if task_type is None else [task_type]
        for name in names:
            yield from self._poll_data.get(name, {}).values()


def queue_name(task_type: str, domain: str | None) -> str:
    """Return a queue's name: the task type, after its domain if there is one, even an empty one."""
    return task_type if domain is None else f"{domain}:{task_type}"
