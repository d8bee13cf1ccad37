"""Heartbeats that are under way for a while, as on a server where other requests run beside them."""

import copy
import functools
import random

from anyworker.devserver.records.records import TaskRecord
from anyworker.devserver.records.store import Store
from anyworker.devserver.timing.deadlines import Deadlines
from anyworker.devserver.timing.watches import Watch, Watches


class Heartbeats:
    """Extensions of leases that write a task back as they have read it.

    The real server reads the task, sets its time and writes all of it. A report that comes in between is
    answered with 200 and lost: the task is in work again and has no output. As often as not its workflow has
    gone on before; else it waits for the task.

    Args:
        store: Where tasks are.
        deadlines: Where the ends of heartbeats are kept.
        watches: What those who sent them wait for.
        chance: Says whether a workflow has gone on.
        duration: Milliseconds from reading to writing; 0 for heartbeats that have no duration.
    """

    def __init__(
        self, store: Store, deadlines: Deadlines, watches: Watches, chance: random.Random, duration: int
    ) -> None:
        self._store = store
        self._deadlines = deadlines
        self._watches = watches
        self._chance = chance
        self._duration = duration
        self._open: dict[str, int] = {}

    def begin(self, task: TaskRecord, now: int) -> Watch | None:
        """Read a task, to be written back later; return what its sender waits for, if anything."""
        if self._duration <= 0:
            return None
        if not task.is_terminal:
            self._open[task.task_id] = self._open.get(task.task_id, 0) + 1
            end = functools.partial(self._end, task, copy.copy(task))
            self._deadlines.add(now + self._duration, end)
        return self._watches.add(lambda: False, self._duration, now)

    def loses(self, task: TaskRecord) -> bool:
        """Tell whether a report on a task is lost before anything comes of it."""
        return task.task_id in self._open and self._chance.random() < 0.5

    def _end(self, task: TaskRecord, read: TaskRecord, now: int) -> None:
        self._open[task.task_id] -= 1
        if not self._open[task.task_id]:
            del self._open[task.task_id]
        if task.task_id not in self._store.tasks:
            return
        task.updated = now
        if (task.status, task.poll_count) == (read.status, read.poll_count):
            return
        task.output, task.external_output = read.output, read.external_output
        task.reason, task.worker_id, task.sub_workflow_id = read.reason, read.worker_id, read.sub_workflow_id
        task.callback_after, task.poll_count, task.ended = read.callback_after, read.poll_count, read.ended
        task.is_executed = read.is_executed
        task.become(read.status, now)
