"""Lines that a function logs, in its task's log on the server too."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping

from anyworker.context import current_task_context
from anyworker.options import ResolvedWorker

OWN = "anyworker"


class TaskLogHandler(logging.Handler):
    """Add what is logged while a task's function runs to the task's log.

    Args:
        levels: The least level that goes there, for each task type.
    """

    def __init__(self, levels: Mapping[str, int]) -> None:
        super().__init__(min(levels.values(), default=logging.CRITICAL))
        self._levels = dict(levels)

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record to the log of the task that runs here, if one does and it is meant to."""
        context = current_task_context()
        if context is None or record.name.partition(".")[0] == OWN:
            return
        least = self._levels.get(context.task.task_type)
        if least is None or record.levelno < least:
            return
        try:
            context.add_log(self.format(record), record.levelno)
        except Exception:  # noqa: BLE001 - a message of the user's may not fit its arguments
            self.handleError(record)


def log_levels(workers: Iterable[ResolvedWorker]) -> dict[str, int]:
    """Return from which level on what functions log goes to their tasks' logs, where it does."""
    return {
        resolved.worker.task_definition_name: resolved.options.forward_logs
        for resolved in workers
        if resolved.options.forward_logs is not None
    }


@contextlib.asynccontextmanager
async def forwarding(levels: Mapping[str, int]) -> AsyncIterator[None]:
    """Forward during the block. What loggers drop by their own level is not seen here either."""
    if not levels:
        yield
        return
    handler = TaskLogHandler(levels)
    root = logging.getLogger()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)
