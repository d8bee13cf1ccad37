"""Notice what becomes of the tasks in hand on the server, and functions that do not end when cancelled."""

import logging
import math
from collections.abc import Callable, Iterable
from typing import TypeVar

import anyio
import anyio.abc

from anyworker.errors import AnyworkerError, NotFoundError
from anyworker.policy.cancellation import CancelReason, Terminated
from anyworker.policy.watching import LOOKS_PER_SECOND, first_look, next_look, verdict
from anyworker.runner.in_hand import Execution
from anyworker.runner.polls.polling import PollClient
from anyworker.runner.reporting import Reporter

logger = logging.getLogger(__name__)

T = TypeVar("T")

LOOK_SECONDS = 5.0
"""How long the answer to a look may take."""
STUBBORN_SECONDS = 5.0
"""How long a cancelled function may go on before it is named."""


class Watch:
    """Look after the functions that run for one runner's tasks.

    Args:
        client: The server.
        worker_id: Who polled the tasks.
        reporter: Hears of functions that do not end.
        timeout: Seconds that the worker's calls may take, None for any time.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        client: PollClient,
        worker_id: str,
        reporter: Reporter,
        *,
        timeout: float | None,
        draw: Callable[[], float],
    ) -> None:
        self._client = client
        self._worker_id = worker_id
        self._reporter = reporter
        self._timeout = timeout
        self._draw = draw
        self._looks: dict[Execution, float] = {}
        """When the tasks that run are to be looked up."""
        self._named: set[Execution] = set()
        """Of the functions that do not end, those that were reported."""
        self._next_look = -math.inf

    def look_soon(self, execution: Execution) -> None:
        """Look a task up the next time, because there is doubt about it."""
        if execution in self._looks:
            self._looks[execution] = -math.inf

    def look_through(self, executions: Iterable[Execution], now: float, looks: anyio.abc.TaskGroup) -> float:
        """Do what is due and return when something will be."""
        running = [execution for execution in executions if not execution.has_outcome]
        return min(self._look_up(running, now, looks), self._name(running, now))

    def _look_up(self, running: list[Execution], now: float, looks: anyio.abc.TaskGroup) -> float:
        self._looks = {
            execution: self._look_due(execution)
            for execution in running
            if execution.draft.cancel_reason is None
        }
        for execution, due in sorted(self._looks.items(), key=_when):
            if due > now:
                return due
            if now < self._next_look:
                return self._next_look
            self._next_look = now + 1.0 / LOOKS_PER_SECOND
            self._looks[execution] = now + next_look(now - execution.taken, self._draw())
            looks.start_soon(self._look, execution)
        return min(self._looks.values(), default=math.inf)

    def _look_due(self, execution: Execution) -> float:
        due = self._looks.get(execution)
        if due is None:
            response_timeout = execution.draft.task.response_timeout_seconds
            due = execution.taken + first_look(response_timeout, self._draw())
        return due

    async def _look(self, execution: Execution) -> None:
        task_id = execution.draft.task.task_id
        reason: CancelReason | None = None
        try:
            with anyio.move_on_after(LOOK_SECONDS):
                task = await self._client.get_task(task_id)
                reason = verdict(task, self._worker_id, execution.wire_poll_count)
        except NotFoundError as error:
            reason = Terminated(str(error))
        except AnyworkerError as error:  # also an id that no URL can hold
            logger.debug("Task %s could not be looked up: %s", task_id, error)
        # Once there is a result, it is what the server has changed the task for.
        if reason is not None and not execution.has_outcome:
            execution.cancel(reason)

    def _name(self, running: list[Execution], now: float) -> float:
        wakes_at = math.inf
        self._named.intersection_update(running)
        for execution in running:
            if execution in self._named:
                continue
            due = self._stubborn_at(execution)
            if due <= now:
                self._named.add(execution)
                self._reporter.stubborn(execution, now - due + STUBBORN_SECONDS)
            else:
                wakes_at = min(wakes_at, due)
        return wakes_at

    def _stubborn_at(self, execution: Execution) -> float:
        if execution.cancelled_at is not None:
            return execution.cancelled_at + STUBBORN_SECONDS
        return math.inf if self._timeout is None else execution.taken + self._timeout + STUBBORN_SECONDS


def _when(entry: tuple[T, float]) -> float:
    return entry[1]
