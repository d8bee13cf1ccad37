"""Wrong deliveries on demand: tasks that come a second time, and tasks nobody asked for."""

import copy

from anyworker.devserver.engine import Engine
from anyworker.devserver.faults.kinds import Duplicate
from anyworker.devserver.faults.passage import Passage
from anyworker.devserver.queueing.polls import Poll
from anyworker.devserver.records.records import TaskRecord


class Echoes:
    """Tasks that wait to be delivered again, beside the queues of an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._again: dict[tuple[str, str | None], list[tuple[TaskRecord, TaskRecord]]] = {}

    def hurry(self, poll: Poll, now: int) -> None:
        """End a waiting poll if a task waits to come to it a second time."""
        if not poll.is_done and (poll.task_type, poll.domain) in self._again:
            self._engine.queues.end_early(poll, now)

    def tamper(self, poll: Poll, passage: Passage, now: int) -> None:
        """Change what a poll that is done brings: what is to come again, and what the faults say."""
        fresh = list(poll.tasks or ())
        self._repeat(poll, now)
        if not fresh:
            return
        for fault, kind in passage.deliveries(now):
            if isinstance(kind, Duplicate):
                self._keep(poll, fresh, now)
            elif not self._add(poll, kind.extra, now):
                fault.take_back()

    def _repeat(self, poll: Poll, now: int) -> None:
        queue = (poll.task_type, poll.domain)
        waiting = self._again.get(queue, [])
        for task, former in waiting[: max(poll.count - len(poll.tasks or ()), 0)]:
            if task.status == "IN_PROGRESS":
                self._engine.take_again(task, poll, now)
            shown = task if task.status == "IN_PROGRESS" else former
            poll.tasks = [*(poll.tasks or ()), shown]
            waiting.pop(0)
        if not waiting:
            self._again.pop(queue, None)

    def _keep(self, poll: Poll, tasks: list[TaskRecord], now: int) -> None:
        copies = [(task, copy.copy(task)) for task in tasks]
        self._again.setdefault((poll.task_type, poll.domain), []).extend(copies)
        self._engine.queues.end_one_early(poll.task_type, poll.domain, now)

    def _add(self, poll: Poll, extra: int, now: int) -> bool:
        more = self._engine.poll(
            poll.task_type, now=now, domain=poll.domain, worker_id=poll.worker_id, count=extra, timeout=0
        )
        poll.tasks = [*(poll.tasks or ()), *(more.tasks or ())]
        return bool(more.tasks)
