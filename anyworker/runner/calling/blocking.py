"""What keeps the event loop: functions, measured at each of their steps and named, and whatever else does."""

import logging
import math
import os
from time import perf_counter

import anyio

from anyworker.events import LoopBlocked, Publisher
from anyworker.logs import fields_of
from anyworker.runner.calling.isolation import LONGEST_STEP
from anyworker.runner.in_hand import Execution

logger = logging.getLogger(__name__)

SECONDS_BETWEEN = 60.0
"""Between two warnings for one worker: what blocks once blocks often."""
LOOK_SECONDS = 0.5
"""Between two looks whether the event loop turns, where somebody wants to know."""


class LoopWatch:
    """Tell listeners that an event loop stood still.

    Args:
        publisher: Brings the events to them.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._is_heard = publisher.hears(LoopBlocked)
        self._last = -math.inf
        """When the last step began that was told of."""
        self._told = 0.0
        """Seconds that were told of since the last look."""

    def blocked(self, seconds: float, execution: Execution | None = None) -> None:
        """It stood still for so long until now, for the function of a task or something unknown."""
        began = perf_counter() - seconds
        if not self._is_heard or began <= self._last:
            return  # what stands around a step that was told of, such as middleware, is not told once more
        self._last = began
        self._told += seconds
        task = None if execution is None else execution.draft.task
        self._publisher.publish(
            LoopBlocked(
                task_type="" if task is None else task.task_type,
                duration_ms=seconds * 1000,
                task_id=None if task is None else task.task_id,
                pid=os.getpid(),
            )
        )

    async def run(self) -> None:
        """Notice whatever blocks the event loop, until cancelled."""
        while self._is_heard:
            due, self._told = anyio.current_time() + LOOK_SECONDS, 0.0
            await anyio.sleep_until(due)
            late = anyio.current_time() - due
            if late - self._told > LONGEST_STEP:
                self.blocked(late - self._told)


class Blocking:
    """Warn of the steps of one worker's function that take too long.

    Args:
        name: The function's.
        watch: Tells listeners.
    """

    def __init__(self, name: str, watch: LoopWatch) -> None:
        self._name = name
        self._watch = watch
        self._last = -math.inf
        self._untold = 0

    def noticed(self, execution: Execution, seconds: float) -> None:
        """A function ran so long without letting anything else run."""
        self._watch.blocked(seconds, execution)
        now = perf_counter()
        if now - self._last < SECONDS_BETWEEN:
            self._untold += 1
            return
        task = execution.draft.task
        more = f" ({self._untold} more since the last warning)" if self._untold else ""
        logger.warning(
            "%s kept the event loop for %.2f s, task %s%s: nothing else ran meanwhile, neither polls nor "
            "heartbeats. Declare it with def, so that it runs in a thread, or call what blocks in one "
            "(anyio.to_thread.run_sync)",
            self._name,
            seconds,
            task.task_id,
            more,
            extra=fields_of(task),
        )
        self._last, self._untold = now, 0
