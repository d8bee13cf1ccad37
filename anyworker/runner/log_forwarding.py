"""Lines that a function logs, in its task's log on the server too."""

import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Iterator

from anyworker.context import current_task_context
from anyworker.options import ResolvedWorker

OWN = "anyworker"


@contextlib.asynccontextmanager
async def forwarding(workers: Iterable[ResolvedWorker]) -> AsyncIterator[None]:
    """Forward during the block what the functions of those workers log that say so.

    The root logger lets pass what is to be forwarded, so that ``forward_logs`` does not depend on its level;
    its handlers go on to get what they got. What a logger drops by a level of its own is not forwarded.
    """
    levels = [level for resolved in workers if (level := resolved.options.forward_logs) is not None]
    if not levels:
        yield
        return
    with _opened.to(min(levels)):
        yield


class TaskLogHandler(logging.Handler):
    """Add what is logged while a task's function runs to the task's log, where its worker says so."""

    def emit(self, record: logging.LogRecord) -> None:
        """Add a record to the log of the task that runs here, if one does and it is meant to."""
        # Its presence alone would silence what `logging` writes where nobody has set up anything.
        last_resort = logging.lastResort
        if last_resort is not None and record.levelno >= last_resort.level and self._is_alone(record.name):
            last_resort.handle(record)
        context = current_task_context()
        if context is None or context.log_level is None or record.levelno < context.log_level:
            return
        if record.name.partition(".")[0] == OWN:
            return
        try:
            context.add_log(self.format(record), record.levelno)
        except Exception:  # noqa: BLE001 - a message of the user's may not fit its arguments
            self.handleError(record)

    def _is_alone(self, name: str) -> bool:
        return all(handler is self for logger in _way_up(name) for handler in logger.handlers)


class _Guard(logging.Filter):
    """Keep from a handler of the root logger what its level would have dropped."""

    def __init__(self, level: int) -> None:
        super().__init__()
        self._level = level

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= self._level:
            return True
        deciding = next(logger for logger in _way_up(record.name) if logger.level or logger.parent is None)
        return deciding is not logging.getLogger()


class _RootLogger:
    """What forwarding changes at the root logger, for as long as anybody in the process forwards."""

    def __init__(self) -> None:
        self._levels: list[int] = []
        self._handler = TaskLogHandler()
        self._guard: _Guard | None = None
        self._former = self._lowered = logging.NOTSET

    @contextlib.contextmanager
    def to(self, level: int) -> Iterator[None]:
        """Let records of a level pass during the block."""
        self._levels.append(level)
        self._arrange()
        try:
            yield
        finally:
            self._levels.remove(level)
            self._arrange()

    def _arrange(self) -> None:
        root = logging.getLogger()
        self._restore(root)
        if not self._levels:
            return
        self._former, wanted = root.level, min(self._levels)
        if wanted < self._former:
            self._guard = _Guard(self._former)
            for handler in root.handlers:
                handler.addFilter(self._guard)
            root.setLevel(wanted)
            self._lowered = wanted
        root.addHandler(self._handler)

    def _restore(self, root: logging.Logger) -> None:
        root.removeHandler(self._handler)
        if self._guard is None:
            return
        for handler in root.handlers:
            handler.removeFilter(self._guard)
        if root.level == self._lowered:  # else somebody has set it since
            root.setLevel(self._former)
        self._guard = None


def _way_up(name: str) -> Iterator[logging.Logger]:
    """Yield the loggers whose handlers a record comes to."""
    logger: logging.Logger | None = logging.getLogger(name)
    while logger is not None:
        yield logger
        logger = logger.parent if logger.propagate else None


_opened = _RootLogger()
