"""Own a process: run workers until a signal, and tell by the exit status how it went."""

import gc
import importlib.util
import logging
import sys
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import anyio

from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError
from anyworker.events import Listener
from anyworker.fleet.conventions import EXIT_ABANDONED, EXIT_COULD_NOT_START
from anyworker.fleet.fleet import Fleet, FleetStatus
from anyworker.fleet.lifespan import Lifespan
from anyworker.fleet.loader import load_all
from anyworker.fleet.serving import ABANDON_SECONDS, UPDATE_RETRY_DELAYS, serving
from anyworker.fleet.signals import SignalStages, Stage, exit_now

logger = logging.getLogger(__name__)


def run(
    *workers: object,
    backend: Literal["asyncio", "trio"] = "asyncio",
    backend_options: Mapping[str, Any] | None = None,
    processes: Literal[1] = 1,
    configuration: Configuration | None = None,
    import_modules: Sequence[str] = (),
    event_listeners: Iterable[Listener] = (),
    lifespan: Lifespan | None = None,
    grace: float = 25.0,
    update_retry_delays: Sequence[float] = UPDATE_RETRY_DELAYS,
) -> None:
    """Run workers in this process until SIGINT or SIGTERM.

    The first signal drains: no more polls, what runs may finish within ``grace`` seconds, results are
    delivered. The second cancels what runs; what may run again is handed back. The third exits at once.
    Returns when everything was handed over; otherwise the process exits, with status 3 where it could not
    start, 4 where a result or a task had to be abandoned, 128 + n where signal n forced it.

    Args:
        *workers: Workers, decorated functions or class-based workers; by default all that are registered.
        backend: The event loop: ``asyncio`` or ``trio``.
        backend_options: anyio's own, such as ``{"use_uvloop": True}`` for asyncio.
        processes: 1, all workers in this process.
        configuration: The server; by default what the environment says.
        import_modules: Modules or files to import first, for the workers that they register.
        event_listeners: Objects with methods of `TaskRunnerEventsListener`.
        lifespan: Makes the async context manager that is entered before the first poll and left after the
            last result. The mapping that it yields fills parameters marked `FromLifespan`.
        grace: Seconds that tasks in hand may take to finish after the first signal.
        update_retry_delays: Seconds between attempts to deliver a result.

    Raises:
        SystemExit: The process cannot start, or could not hand over everything.
    """
    with SignalStages() as stages:
        try:
            _check(backend, backend_options or {}, processes)
            with stages.importing():
                load_all(import_modules)
            # What is loaded stays for the life of the process: a full collection need not walk through it.
            gc.collect()
            gc.freeze()
            main = partial(
                serve,
                lambda fleet: stages.follow(partial(enter, fleet)),
                workers,
                configuration=configuration,
                event_listeners=event_listeners,
                lifespan=lifespan,
                grace=grace,
                update_retry_delays=update_retry_delays,
            )
            status = anyio.run(main, backend=backend, backend_options=dict(backend_options or {}))
        except ConfigurationError as error:
            for problem in error.problems:
                logger.error("Cannot start: %s", problem)  # noqa: TRY400 - the problem says all
            sys.exit(EXIT_COULD_NOT_START)
        leave(status)


async def serve(
    steer: Callable[[Fleet], Coroutine[Any, Any, None]], workers: Sequence[object], **settings: Any
) -> FleetStatus:
    """Run workers in a process that is the caller's own; return how the fleet ended.

    Args:
        steer: Runs beside the fleet and stops it, as by :func:`enter`.
        workers: As for :func:`run`, like the settings.
        **settings: What ``serving`` takes.

    Raises:
        ConfigurationError: Something that is configured cannot work.
    """
    async with serving(*workers, **settings) as fleet, anyio.create_task_group() as watch:
        watch.start_soon(steer, fleet)
        watch.start_soon(_leave_abandoned, fleet)
        await fleet.wait()
        watch.cancel_scope.cancel()
    return fleet.status()


def enter(fleet: Fleet, stage: Stage) -> None:
    """Let a fleet enter a stage of its end."""
    if stage is Stage.CANCEL:
        fleet.stop()
    else:
        fleet.drain()


async def _leave_abandoned(fleet: Fleet) -> None:
    """Exit although a function shields itself: the process was told to stop long ago."""
    await fleet.abandoning.wait()
    await anyio.sleep(ABANDON_SECONDS)
    exit_now(EXIT_ABANDONED)


def leave(status: FleetStatus) -> None:
    """Return where everything was handed over and no thread is left; otherwise end the process."""
    exit_status = 0 if status.is_everything_handed_over else EXIT_ABANDONED
    if any(worker.threads for worker in status.workers):
        # A thread that cannot be stopped would hold up an ordinary exit for as long as it runs.
        exit_now(exit_status)
    if exit_status:
        sys.exit(exit_status)


def check_backend(backend: str, backend_options: Mapping[str, Any]) -> None:
    """Refuse an event loop that is not there.

    Raises:
        ConfigurationError: Says what to do.
    """
    _refuse(_backend_problems(backend, backend_options))


def _check(backend: str, backend_options: Mapping[str, Any], processes: int) -> None:
    problems = _backend_problems(backend, backend_options)
    if processes != 1:
        problems.append(f"processes={processes!r}: expected 1, all workers in this process")
    _refuse(problems)


def _backend_problems(backend: str, backend_options: Mapping[str, Any]) -> list[str]:
    problems = []
    if backend not in anyio.get_all_backends():
        remedy = ", with backend_options={'use_uvloop': True}" if backend == "uvloop" else ""
        problems.append(f"backend={backend!r}: expected 'asyncio' or 'trio'{remedy}")
    if backend_options.get("use_uvloop") and importlib.util.find_spec("uvloop") is None:
        problems.append("backend_options: uvloop is not installed; pip install 'anyworker[uvloop]'")
    return problems


def _refuse(problems: Sequence[str]) -> None:
    if problems:
        raise ConfigurationError(problems)
