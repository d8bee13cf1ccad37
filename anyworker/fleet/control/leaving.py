"""End a process although threads go on, from wherever that is decided."""

import _thread  # threading.Thread.start takes locks that the code under a signal handler may hold
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Iterable
from typing import NoReturn

logger = logging.getLogger(__name__)

_FAREWELL_SECONDS = 0.5
"""How long a forced exit waits for its log line, and again for what is flushed."""


def exit_now(status: int) -> NoReturn:
    """End the process without waiting for any thread, having flushed log handlers and standard streams.

    Whatever holds their locks, even the code that a signal handler interrupted, delays the end by half a
    second at most.

    Args:
        status: The exit status.
    """
    try:
        run_beside(
            stream.flush for stream in (*_log_handlers(), sys.stdout, sys.stderr) if stream is not None
        )
    finally:
        os._exit(status)


def exit_for_third(signum: signal.Signals) -> NoReturn:
    """End the process as the third signal asks for, with status 128 + its number."""
    status = 128 + signum
    try:
        run_beside(
            [lambda: logger.critical("third signal (%s): leaving with status %d", signum.name, status)]
        )
    finally:
        exit_now(status)


def _log_handlers() -> list[logging.Handler]:
    """Return the handlers of all loggers, taking no lock."""
    loggers = [logging.root, *list(logging.root.manager.loggerDict.values())]
    found = [
        handler for each in loggers if isinstance(each, logging.Logger) for handler in list(each.handlers)
    ]
    return list(dict.fromkeys(found))


def run_beside(jobs: Iterable[Callable[[], object]]) -> None:
    """Run each job in a thread of its own and wait for all of them, half a second at most."""
    deadline = time.monotonic() + _FAREWELL_SECONDS
    running: list[_thread.LockType] = []
    for job in jobs:
        busy = _thread.allocate_lock()
        busy.acquire()
        with contextlib.suppress(RuntimeError):  # no more threads to be had
            _thread.start_new_thread(_run_job, (job, busy))
            running.append(busy)
    for busy in running:
        busy.acquire(timeout=max(0.0, deadline - time.monotonic()))


def _run_job(job: Callable[[], object], busy: _thread.LockType) -> None:
    # Closed streams, broken pipes, full disks: the process ends all the same.
    with contextlib.suppress(Exception):
        job()
    busy.release()
