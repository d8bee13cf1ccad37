"""Own a process: run workers until a signal, and tell by the exit status how it went."""

import gc
import logging
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import anyio

from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError
from anyworker.events import Listener
from anyworker.fleet.control.opening import serve_by_signals
from anyworker.fleet.control.signals import SignalStages
from anyworker.fleet.control.steering import leave
from anyworker.fleet.conventions import EXIT_COULD_NOT_START
from anyworker.fleet.discovery.loader import load_all
from anyworker.fleet.discovery.naming import named_parts
from anyworker.fleet.lifespan import Lifespan
from anyworker.fleet.main_module import end_import
from anyworker.fleet.problems import Problems
from anyworker.fleet.serving import UPDATE_RETRY_DELAYS, settle
from anyworker.fleet.settings_check import check_settings
from anyworker.fleet.status import FleetStatus
from anyworker.observe.settings import MetricsSettings
from anyworker.outbox_settings import OutboxChoice
from anyworker.runner.calling.wrapping import Middleware

logger = logging.getLogger(__name__)


def run(
    *workers: object,
    backend: Literal["asyncio", "trio"] = "asyncio",
    backend_options: Mapping[str, Any] | None = None,
    processes: int | Literal["per-worker"] = 1,
    configuration: Configuration | None = None,
    import_modules: Sequence[str] = (),
    event_listeners: Iterable[Listener] = (),
    metrics_settings: MetricsSettings | None = None,
    lifespan: Lifespan | str | None = None,
    middleware: Sequence[Middleware | str] = (),
    grace: float = 25.0,
    update_retry_delays: Sequence[float] = UPDATE_RETRY_DELAYS,
    outbox: OutboxChoice = None,
    max_tasks: int | None = None,
    watchdog: float | None = 60.0,
    restart_max_attempts: int | None = None,
    max_tasks_per_process: int | None = None,
    max_rss_mb: float | None = None,
) -> None:
    """Run workers until SIGINT or SIGTERM, in this process or in several.

    The first signal drains: no more polls, what runs may finish within ``grace`` seconds, results are
    delivered. The second cancels what runs; what may run again is handed back. The third exits at once.
    SIGUSR1 stops polling and SIGUSR2 begins it again, while what runs goes on.
    Returns when everything was handed over; otherwise the process exits, with status 3 where it could not
    start, 4 where a result or a task had to be abandoned, 128 + n where signal n forced it.

    Args:
        *workers: Workers, decorated functions or class-based workers; by default all that are registered.
        backend: The event loop: ``asyncio`` or ``trio``.
        backend_options: anyio's own, such as ``{"use_uvloop": True}`` for asyncio.
        processes: 1, all workers in this process; N, so many processes with all workers each;
            ``"per-worker"``, one process for each worker. Processes import the workers again, and get
            listeners and settings by their pickles. One that dies is replaced.
        configuration: The server; by default what the environment says.
        import_modules: Modules or files to import first, for the workers that they register.
        event_listeners: Objects with methods of `TaskRunnerEventsListener`.
        metrics_settings: Where metrics go; by default nowhere, and nothing is counted.
        lifespan: Makes the async context manager that is entered before the first poll and left after the
            last result. The mapping that it yields fills parameters marked `FromLifespan`. Or where to
            import it from, like ``my_app.resources:pool``.
        middleware: What stands around every execution, the outermost first; see `anyworker.middleware`. Or
            where to import each from; a class is called for its object.
        grace: Seconds that tasks in hand may take to finish after the first signal.
        update_retry_delays: Seconds between attempts to deliver a result.
        outbox: Where results go that could not be delivered: the path of a file that several processes may
            share, or `OutboxSettings`; by default memory.
        max_tasks: Most tasks of all workers of a process in hand at once, beside each one's ``thread_count``;
            by default any number. A place that becomes free goes to the worker that has waited longest.
        watchdog: Seconds for which an event loop may be blocked before ``/health`` says so; one of several
            processes is killed then, and replaced. None for any time.
        restart_max_attempts: Restarts in a row after which a process that dies is not replaced; None for any
            number. One that has served for 10 s ends the row.
        max_tasks_per_process: Tasks after which one of several processes is drained and replaced.
        max_rss_mb: Memory in MB of 2**20 bytes beyond which one of several processes is drained and replaced.

    Raises:
        SystemExit: The process cannot start, or could not hand over everything.
    """
    end_import()
    options = dict(backend_options or {})
    upkeep = {
        "watchdog": watchdog,
        "restart_max_attempts": restart_max_attempts,
        "max_tasks_per_process": max_tasks_per_process,
        "max_rss_mb": max_rss_mb,
    }
    settings: dict[str, Any] = {
        "configuration": configuration,
        "event_listeners": tuple(event_listeners),
        "metrics_settings": metrics_settings,
        "lifespan": None,
        "middleware": (),
        "grace": grace,
        "update_retry_delays": update_retry_delays,
        "outbox": outbox,
        "max_tasks": max_tasks,
    }
    with SignalStages() as stages:
        stages.is_awaited = True
        try:
            with Problems() as problems:
                with problems.of_one_part():
                    check_settings(backend, options, processes, upkeep)
                is_loaded = False
                with problems.of_one_part(), stages.importing():
                    load_all(import_modules)
                    settings |= named_parts(lifespan, middleware)
                    is_loaded = True
                if problems:  # all the rest that is wrong is said, too
                    with problems.of_one_part():
                        settle(workers if is_loaded else None, **settings)
            if processes == 1:
                main = _in_this_process(stages, workers, {**settings, "watchdog": watchdog})
            else:
                division = {
                    "processes": processes,
                    "backend": backend,
                    "backend_options": options,
                    "import_modules": import_modules,
                    "upkeep": upkeep,
                }
                main = _in_processes(stages, workers, division, settings)
            status = anyio.run(main, backend=backend, backend_options=options)
        except ConfigurationError as error:
            for problem in error.problems:
                logger.error("Cannot start: %s", problem)  # noqa: TRY400 - the problem says all
            sys.exit(EXIT_COULD_NOT_START)
        leave(status, stages)


def _in_this_process(
    stages: SignalStages, workers: Sequence[object], settings: Mapping[str, Any]
) -> Callable[[], Coroutine[Any, Any, FleetStatus]]:
    # What is loaded stays for the life of the process: a full collection need not walk through it.
    gc.collect()
    gc.freeze()
    return partial(serve_by_signals, stages, workers, **settings)


def _in_processes(
    stages: SignalStages, workers: Sequence[object], division: Mapping[str, Any], settings: Mapping[str, Any]
) -> Callable[[], Coroutine[Any, Any, FleetStatus]]:
    # Who runs everything in one process need not wait for what keeps several.
    from anyworker.fleet.processes.processes import supervise, supervisor_of  # noqa: PLC0415

    return partial(supervise, supervisor_of(workers, settings=settings, **division), stages)
