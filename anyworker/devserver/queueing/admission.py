"""Who may be given to a worker: limits on tasks of one name in work, and on how often they are handed out."""

from collections import defaultdict, deque

import attrs

from anyworker.devserver.records.records import TaskRecord


@attrs.define(eq=False)
class _Limited:
    """Tasks of one task definition that has a limit; ids in order of arrival."""

    open: dict[str, TaskRecord] = attrs.field(factory=dict)
    """SQL: all that have not ended. Redis: those that were let in, or were the next to be."""
    working: set[str] = attrs.field(factory=set)
    """In progress."""
    refused: dict[str, TaskRecord] = attrs.field(factory=dict)
    """Found by a poll and pushed back."""


class Admission:
    """The limits of task definitions, as they were when a workflow started.

    ``concurrentExecLimit`` N: a task is let in while fewer than N are in progress, and only if it is among
    the N that came first. On SQL all that have not ended count as having come, so one that is handed back
    keeps its place until it comes again; on Redis it gives its place up.

    ``rateLimitPerFrequency``: only where it is wanted, since no SQL back end keeps it.

    Args:
        keeps_place: Whether a task that is handed back keeps its place.
        rate_limits: Whether the rate limit is kept.
    """

    def __init__(self, *, keeps_place: bool, rate_limits: bool) -> None:
        self._keeps_place = keeps_place
        self._rate_limits = rate_limits
        self._limited: defaultdict[str, _Limited] = defaultdict(_Limited)
        self._tokens: defaultdict[str, deque[int]] = defaultdict(deque)

    def arrive(self, task: TaskRecord) -> None:
        """Note that a task waits in its queue, also again."""
        if _concurrency(task) <= 0:
            return
        limited = self._limited[task.step.name]
        limited.working.discard(task.task_id)
        if self._keeps_place:
            limited.open.setdefault(task.task_id, task)
        elif task.task_id not in limited.refused:
            limited.open.pop(task.task_id, None)

    def admit(self, task: TaskRecord, now: int) -> bool:
        """Tell whether a task that a poll has found may be handed out; if so it counts as in progress."""
        return self._admit_concurrently(task) and self._admit_by_rate(task, now)

    def _admit_concurrently(self, task: TaskRecord) -> bool:
        limit = _concurrency(task)
        if limit <= 0:
            return True
        limited = self._limited[task.step.name]
        if len(limited.working) < limit:
            limited.open.setdefault(task.task_id, task)
            first = (task_id for task_id, _ in zip(limited.open, range(limit), strict=False))
            if task.task_id in first:
                limited.working.add(task.task_id)
                limited.refused.pop(task.task_id, None)
                return True
        limited.refused[task.task_id] = task
        return False

    def _admit_by_rate(self, task: TaskRecord, now: int) -> bool:
        wire = task.step.definition.wire
        most, seconds = wire["rateLimitPerFrequency"], wire["rateLimitFrequencyInSeconds"]
        if not self._rate_limits or most <= 0 or seconds <= 0:
            return True
        tokens = self._tokens[task.step.name]
        while tokens and tokens[0] <= now - seconds * 1000:
            tokens.popleft()
        if len(tokens) < most:
            tokens.append(now)
            return True
        if (limited := self._limited.get(task.step.name)) is not None:
            limited.working.discard(task.task_id)
        return False

    def leave(self, task: TaskRecord) -> TaskRecord | None:
        """Forget a task that has ended; return the one that was pushed back and comes next, if any."""
        limited = self._limited.get(task.step.name)
        if limited is None:
            return None
        limited.working.discard(task.task_id)
        limited.open.pop(task.task_id, None)
        limited.refused.pop(task.task_id, None)
        if not limited.open and not limited.refused:
            del self._limited[task.step.name]
            return None
        refused = limited.refused
        return next((refused[task_id] for task_id in limited.open if task_id in refused), None) or next(
            iter(refused.values()), None
        )


def _concurrency(task: TaskRecord) -> int:
    return task.step.definition.wire.get("concurrentExecLimit") or 0
