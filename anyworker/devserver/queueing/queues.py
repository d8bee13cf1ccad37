"""Queues of waiting tasks, one per task type and domain, and the polls that wait at them."""

import functools
import heapq
from collections.abc import Callable

from anyworker.devserver.queueing.admission import Admission
from anyworker.devserver.queueing.line import Line, Rank
from anyworker.devserver.queueing.polls import Poll, PollHistory, Waiting
from anyworker.devserver.records.records import Message, TaskRecord
from anyworker.devserver.timing.deadlines import Deadlines

LOOK = 100
"""Milliseconds from one look of a waiting poll of the style ``fill`` to the next."""
MOST_AT_ONCE = 64
"""Tasks that a poll of the style ``first`` brings at most, as on Redis."""
MOST_QUEUES = 10_000
"""Beyond which idle queues are forgotten, the oldest first; the real server keeps all."""
_YEAR_10000 = 253_402_300_800_000


class Queues:
    """All queues.

    Args:
        waiting: How polls wait.
        deadlines: Where delayed deliveries and ends of polls are kept.
        admission: Knows which tasks may be handed out.
        postpone: Milliseconds for which one is pushed back that may not.
        taken: Called for each task that a poll takes: ``taken(task, poll, now)``.
    """

    def __init__(
        self,
        waiting: Waiting,
        deadlines: Deadlines,
        admission: Admission,
        postpone: int,
        taken: Callable[[TaskRecord, Poll, int], None],
    ) -> None:
        self._waiting = waiting
        self._deadlines = deadlines
        self._admission = admission
        self._postpone = postpone
        self._taken = taken
        self._queues: dict[str, Line] = {}
        self.history = PollHistory()
        self._order = 0

    def _queue(self, task_type: str, domain: str | None) -> Line:
        name = queue_name(task_type, domain)
        found = self._queues.get(name)
        if found is None:
            if len(self._queues) >= MOST_QUEUES:
                self._forget_idle()
            found = self._queues[name] = Line()
        return found

    def _forget_idle(self) -> None:
        """Forget idle queues, the oldest first, until a tenth of the room is free."""
        idle = [name for name, queue in self._queues.items() if queue.is_idle]
        for name in idle[: MOST_QUEUES // 10]:
            del self._queues[name]

    # Messages

    def push(self, task: TaskRecord, delay: int, now: int) -> None:
        """Put a task into its queue, at the back; a place it has already is given up.

        Args:
            task: What to queue.
            delay: Milliseconds until it may be delivered.
            now: Epoch milliseconds.
        """
        self._take_out(task)
        self._admission.arrive(task)
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
            heapq.heappush(queue.delayed, (at, self._order, self._rank(task, at, delay), message))
            message.delivery = self._deadlines.add(at, functools.partial(self._feed, queue))
            return
        queue.add_ready(self._rank(task, at, delay), self._order, message)
        self._feed(queue, now)

    def _rank(self, task: TaskRecord, at: int, delay: int) -> Rank:
        """Return what decides who is delivered earlier: the least."""
        priority = task.priority
        if self._waiting == "fill":
            return (-priority, at)
        if delay > 0:
            return (at, priority)
        return (priority or at, 0)

    def remove(self, task: TaskRecord) -> None:
        """Let a task go that has ended; the next that a limit kept back comes at once."""
        self._take_out(task)
        following = self._admission.leave(task)
        if following is not None:
            self._deadlines.add(self._deadlines.reached, functools.partial(self._bring_forward, following))

    def leave_behind(self, task: TaskRecord) -> None:
        """Let a task go that has timed out and is tried again.

        What a limit kept back does not come for it. Its message stays in the queue, as on the server: the
        poll that meets it brings one task less than it might.
        """
        self._admission.leave(task)

    def forget(self, task: TaskRecord) -> None:
        """Forget a task together with its workflow."""
        self._take_out(task)
        self._admission.leave(task)

    def _bring_forward(self, task: TaskRecord, now: int) -> None:
        if task.message is not None:
            self.push(task, 0, now)

    def _take_out(self, task: TaskRecord) -> None:
        """Take a task out of its queue, if it is in one."""
        message, task.message = task.message, None
        if message is None:
            return
        message.task = None
        if message.delivery is not None:
            self._deadlines.cancel(message.delivery)
        queue = self._queue(task.task_type, task.domain)
        queue.size -= 1
        queue.purge()

    # Polls

    def poll(self, poll: Poll, timeout: int, now: int) -> None:
        """Answer a poll at once if possible, else let it wait for ``timeout`` milliseconds at most.

        With the style ``fill`` it looks every 100 ms and ends with a look.
        """
        poll.began = now
        queue = self._queue(poll.task_type, poll.domain)
        if poll.count > 0 or self._waiting == "fill":
            queue.release(now)
            self._hold(queue, poll)
        if timeout <= 0 or poll.count <= 0 or self._is_served(poll):
            self._finish(queue, poll, now)
            return
        queue.polls.append(poll)
        if self._waiting == "fill":
            timeout = -(-timeout // LOOK) * LOOK
        poll.deadline = self._deadlines.add(now + timeout, functools.partial(self._end, queue, poll))

    def _end(self, queue: Line, poll: Poll, now: int) -> None:
        queue.release(now)
        self._hold(queue, poll)
        self._finish(queue, poll, now)

    def _hold(self, queue: Line, poll: Poll) -> None:
        most = min(poll.count, MOST_AT_ONCE) if self._waiting == "first" else poll.count
        if most < 0:
            most = queue.size
        poll.held = [message for message in poll.held if message.task is not None]
        while len(poll.held) < most and (message := queue.pop()) is not None:
            poll.held.append(message)

    def _is_served(self, poll: Poll) -> bool:
        return len(poll.held) >= (1 if self._waiting == "first" else poll.count)

    def _feed(self, queue: Line, now: int) -> None:
        """Give what is deliverable to the polls that look now, first come, first served."""
        queue.release(now)
        for poll in list(queue.polls):
            if not queue.ready:
                return
            if self._waiting == "first" or _until_look(poll, now) == 0:
                self._hold(queue, poll)
                if self._is_served(poll):
                    self._finish(queue, poll, now)
        if queue.polls and queue.ready:
            self._look_later(queue, now)

    def _look_later(self, queue: Line, now: int) -> None:
        at = now + min(_until_look(poll, now) or LOOK for poll in queue.polls)
        if queue.look is not None and queue.look.action is not None:
            if queue.look.at <= at:
                return
            self._deadlines.cancel(queue.look)
        queue.look = self._deadlines.add(at, functools.partial(self._feed, queue))

    def _finish(self, queue: Line, poll: Poll, now: int) -> None:
        if poll in queue.polls:
            queue.polls.remove(poll)
        if poll.deadline is not None:
            self._deadlines.cancel(poll.deadline)
        tasks = [message.task for message in poll.held if message.task is not None]
        poll.tasks, poll.held = [], []
        for task in tasks:
            if task.is_terminal:
                self._take_out(task)
            elif self._admission.admit(task, now):
                self._take_out(task)
                self._taken(task, poll, now)
                poll.tasks.append(task)
            else:
                self.push(task, self._postpone, now)
        self.history.add(poll, now)
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


def _until_look(poll: Poll, now: int) -> int:
    return (poll.began - now) % LOOK


def queue_name(task_type: str, domain: str | None) -> str:
    """Return a queue's name: the task type, after its domain if there is one, even an empty one."""
    return task_type if domain is None else f"{domain}:{task_type}"
