"""When results in an outbox are sent again: oldest first, at a pace that spares a server in trouble."""

import enum
import math
from collections.abc import Callable

from anyworker.conductor.models import Task, TaskStatus
from anyworker.policy.backoff import replay_delay

BATCH = 8
"""How many are sent side by side while the server takes them; one at a time while it does not."""


class Replays:
    """Keep the pace of one outbox.

    A failure of the server pauses all: the oldest is then tried again, alone. A result that fails although
    the server answers is put off by itself, so that it does not hold up the others.

    Args:
        draw: Draws jitter in [0, 1).
    """

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._resume_at = -math.inf
        self._put_off: dict[int, float] = {}
        self._tries: dict[int, int] = {}
        self._failing: set[int] = set()
        """The results whose attempts have failed since the last one that did not."""
        self.failures = 0
        """How many attempts in a row have failed."""

    def batch(self, now: float) -> int:
        """Return how many results may be sent now, 0 for none."""
        if now < self._resume_at:
            return 0
        return 1 if self.failures else BATCH

    def put_off(self, now: float) -> frozenset[int]:
        """Return the keys of the results that are not to be sent yet."""
        self._put_off = {key: due for key, due in self._put_off.items() if due > now}
        return frozenset(self._put_off)

    def wake_at(self, now: float) -> float:
        """Return when there may be something to send, of what is there already; infinity for never."""
        if now < self._resume_at:
            return self._resume_at
        return min(self._put_off.values(), default=math.inf)

    def stored(self, now: float) -> None:
        """A result has come whose attempts just failed: the server is given a moment."""
        if not self.failures and not now < self._resume_at:
            self._resume_at = now + replay_delay(1, self._draw())

    def settled(self, key: int, *, is_answered: bool = True) -> None:
        """A result is off the list.

        Args:
            key: The result's.
            is_answered: Whether the server said so: it works again.
        """
        self._put_off.pop(key, None)
        self._tries.pop(key, None)
        if is_answered:
            if len(self._failing) > 1:
                # It was the server, after all.
                self._put_off = {k: due for k, due in self._put_off.items() if k not in self._failing}
            self._failing.clear()
            self.failures = 0
            self._resume_at = -math.inf

    def failed(self, key: int, now: float, *, is_server: bool, retry_after: float | None = None) -> None:
        """An attempt has failed.

        Args:
            key: The result's.
            now: The time.
            is_server: Whether any other result would have failed, too.
            retry_after: Seconds that the server asked for.
        """
        self.failures += 1
        self._failing.add(key)
        self._resume_at = now + replay_delay(self.failures, self._draw(), retry_after)
        if not is_server:
            self._tries[key] = tries = self._tries.get(key, 0) + 1
            # Later than the pause, so that another one is next.
            self._put_off[key] = self._resume_at + replay_delay(tries, self._draw())


class Standing(enum.Enum):
    """How a task stands to a result that was left behind."""

    OPEN = "open"
    """The result is to be sent."""
    DONE = "done"
    """An earlier attempt, whose answer was lost, has worked."""
    ENDED = "ended"
    """The task has ended otherwise; the server would say 200 and ignore the result."""


def standing(task: Task, *, status: str, worker_id: str, poll_count: int) -> Standing:
    """Return whether a result is still to be sent.

    Args:
        task: As the server has it.
        status: The result's.
        worker_id: Who polled the task.
        poll_count: The server's pollCount of that poll.
    """
    if TaskStatus(task.status).is_terminal:
        is_ours = task.status == status and task.worker_id == worker_id
        # It was polled again because the server took it.
        has_gone_on = status == "IN_PROGRESS" and task.poll_count > poll_count
        return Standing.DONE if is_ours or has_gone_on else Standing.ENDED
    if status != "IN_PROGRESS":
        return Standing.OPEN
    # A second IN_PROGRESS for a task that somebody has polled since would give it to two workers.
    is_in_hand = (
        task.status == TaskStatus.IN_PROGRESS
        and task.worker_id == worker_id
        and task.poll_count == poll_count
    )
    return Standing.OPEN if is_in_hand else Standing.DONE


def ending(task: Task) -> str:
    """Say how a task has ended, in the server's words."""
    reason = f": {task.reason_for_incompletion}" if task.reason_for_incompletion else ""
    return f"the task has ended as {task.status}{reason}"
