"""Run a fleet in a process of its own: steer it, and end the process with it."""

import contextlib
import logging
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from functools import partial
from typing import Any, Protocol

import anyio

from anyworker.fleet.control.leaving import exit_now
from anyworker.fleet.control.signals import SignalStages, Stage
from anyworker.fleet.conventions import EXIT_ABANDONED
from anyworker.fleet.fleet import Fleet
from anyworker.fleet.hosting import ABANDON_SECONDS
from anyworker.fleet.lifespan import CLOSE_SECONDS, Lifespan, name_of
from anyworker.fleet.serving import serving
from anyworker.fleet.status import FleetStatus

logger = logging.getLogger(__name__)


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
    with contextlib.ExitStack() as closing:
        async with serving(*workers, **settings) as fleet:
            async with anyio.create_task_group() as watch:
                watch.start_soon(steer, fleet)
                watch.start_soon(_leave_abandoned, fleet)
                await fleet.wait()
                watch.cancel_scope.cancel()
            closing.enter_context(_limited(settings.get("lifespan"), fleet))
    return fleet.status()


@contextlib.contextmanager
def _limited(lifespan: Lifespan | None, fleet: Fleet) -> Iterator[None]:
    """End the process where a lifespan does not close in the block, even if it keeps the event loop."""
    if lifespan is None:
        yield
        return
    seconds = CLOSE_SECONDS + ABANDON_SECONDS

    def give_up() -> None:
        logger.error("lifespan %s has not closed after %g seconds: leaving", name_of(lifespan), seconds)
        exit_now(exit_status_of(fleet.status(), None))

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


class Steered(Protocol):
    """What signals and orders act on: a fleet in this process, or one of processes."""

    def quiet(self) -> None:
        """Stop polling."""

    def resume(self) -> None:
        """Poll again."""

    def drain(self) -> Awaitable[None]:
        """Stop polling, finish, end."""
        ...

    def stop(self) -> Awaitable[None]:
        """Cancel what runs, end."""
        ...


def enter(fleet: Steered, stage: Stage) -> None:
    """Let a fleet enter a stage of its end."""
    if stage is Stage.CANCEL:
        fleet.stop()
    else:
        fleet.drain()


def hush(fleet: Steered, is_quiet: bool) -> None:
    """Let a fleet be quiet, or poll again."""
    if is_quiet:
        fleet.quiet()
    else:
        fleet.resume()


async def steer_by(stages: SignalStages, fleet: Steered) -> None:
    """Let a fleet do what signals say, until it is to end at once."""
    await stages.follow(partial(enter, fleet), partial(hush, fleet))


async def _leave_abandoned(fleet: Fleet) -> None:
    """Exit although a function shields itself: the process was told to stop long ago."""
    await fleet.abandoning.wait()
    await anyio.sleep(ABANDON_SECONDS)
    exit_now(EXIT_ABANDONED)


def exit_status_of(status: FleetStatus, stages: SignalStages | None) -> int:
    """Return the exit status that tells how a fleet ended.

    Args:
        status: Of the fleet at its end.
        stages: The signals, None where there were none.
    """
    if not status.is_everything_handed_over:
        return EXIT_ABANDONED
    # Told to end twice while nothing was in hand yet, in this process or in others: no orderly end.
    forced = stages.forced_status if stages is not None and status.was_cut_short else None
    return forced or 0


def leave(status: FleetStatus, stages: SignalStages | None = None) -> None:
    """Return where everything was handed over and no thread is left; otherwise end the process."""
    exit_status = exit_status_of(status, stages)
    if any(worker.threads for worker in status.workers):
        # A thread that cannot be stopped would hold up an ordinary exit for as long as it runs.
        exit_now(exit_status)
    if exit_status:
        sys.exit(exit_status)
