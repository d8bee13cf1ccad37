"""Let child processes log as their parent does."""

import contextlib
import logging
import pickle
import sys
from collections.abc import Iterator
from typing import Any

from anyworker.fleet.processes.orders import Logs
from anyworker.logs import ConsoleFormatter


def own_logs() -> Logs:
    """Return the levels of this process's loggers, and how its root logger writes to a standard stream."""
    loggers = {"": logging.root, **logging.root.manager.loggerDict}
    levels = {
        name: logger.level
        for name, logger in loggers.items()
        if isinstance(logger, logging.Logger) and logger.level != logging.NOTSET
    }
    for handler in logging.root.handlers:
        stream = getattr(handler, "stream", None)
        if isinstance(handler, logging.StreamHandler) and stream in {sys.stdout, sys.stderr}:
            name = "stdout" if stream is sys.stdout else "stderr"
            kept = [pickled for each in handler.filters if (pickled := _pickled(each))]
            return Logs(levels, name, _pickled(handler.formatter), kept)
    return Logs(levels, None)


@contextlib.contextmanager
def follow_logs(logs: Logs) -> Iterator[None]:
    """Log as the parent does while the block imports user code, and after it where that sets up nothing.

    Args:
        logs: The parent's.
    """
    for name, level in logs.levels.items():
        logging.getLogger(name).setLevel(level)
    if logs.stream is None:
        yield
        return
    handler = logging.StreamHandler(sys.stdout if logs.stream == "stdout" else sys.stderr)
    handler.setFormatter(_restored(logs.formatter) or ConsoleFormatter())
    for pickled in logs.filters:
        if (each := _restored(pickled)) is not None:
            handler.addFilter(each)
    logging.root.addHandler(handler)
    yield
    if any(other is not handler for other in logging.root.handlers):
        logging.root.removeHandler(handler)


def _pickled(part: object) -> bytes:
    """Return a formatter or filter for another process; nothing where it is not to be had there."""
    if part is None or type(part).__module__ == "__main__" or getattr(part, "__module__", "") == "__main__":
        return b""
    try:
        return pickle.dumps(part)
    except Exception:  # noqa: BLE001 - user code; the usual format stands in
        return b""


def _restored(pickled: bytes) -> Any:
    """Return what the parent gave, None where it does not exist here."""
    with contextlib.suppress(Exception):
        return pickle.loads(pickled)  # noqa: S301 - our parent's
    return None
