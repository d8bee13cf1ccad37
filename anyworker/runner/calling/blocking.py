"""Functions that keep the event loop: measured at each of their steps, and named."""

import logging
import math
from time import perf_counter

from anyworker.logs import fields_of
from anyworker.runner.in_hand import Execution

logger = logging.getLogger(__name__)

SECONDS_BETWEEN = 60.0
"""Between two warnings for one worker: what blocks once blocks often."""


class Blocking:
    """Warn of the steps of one worker's function that take too long.

    Args:
        name: The function's.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._last = -math.inf
        self._untold = 0

    def noticed(self, execution: Execution, seconds: float) -> None:
        """A function ran so long without letting anything else run."""
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
