"""Metrics in a file, for a collector that reads files."""

import contextlib
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, write_to_textfile

from anyworker.errors import ConfigurationError
from anyworker.observe.exposition import Exposition
from anyworker.policy.streaks import Streak

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def textfile(path: Path, exposition: Exposition, interval: float) -> Iterator[None]:
    """Keep a file up to date for the block, and write it a last time at its end.

    Args:
        path: Replaced as a whole each time.
        exposition: What is written.
        interval: Seconds between two writings.

    Raises:
        ConfigurationError: It cannot be written.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(exposition)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), registry)
    except OSError as error:
        problem = f"metrics: cannot write {path}: {error.strerror}; choose another directory or file_name"
        raise ConfigurationError(problem) from error
    ended = threading.Event()

    failures = Streak()

    def write() -> None:
        try:
            write_to_textfile(str(path), registry)
        except OSError as error:
            if failures.failed(error.errno):
                logger.error("Metrics cannot be written to %s: %s", path, error)  # noqa: TRY400 - it says all
        else:
            if count := failures.ended():
                logger.info("Metrics are written to %s again after %d failed attempts", path, count)

    def keep() -> None:
        while not ended.wait(interval):
            write()

    thread = threading.Thread(target=keep, name="anyworker-metrics", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        write()
        if count := failures.ended():
            logger.info("Metrics were not written to %s to the end, %d attempts failed", path, count)
