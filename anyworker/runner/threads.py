"""Where plain functions run."""

import math
import sys
import traceback
from collections.abc import Callable
from typing import Protocol, TypeVar

import anyio
import anyio.to_thread

T = TypeVar("T")


class RunSync(Protocol):
    """Run a plain function where it does not block the event loop."""

    async def __call__(self, function: Callable[[], T], /) -> T:
        """Return what it returns."""
        ...


def thread_runner() -> RunSync:
    """Return what runs plain functions in worker threads, in a copy of the caller's context.

    The slots bound the threads. A limiter here would count abandoned ones differently on the two backends,
    so it lets everything through.
    """
    limiter = anyio.CapacityLimiter(math.inf)

    async def run_in_thread(function: Callable[[], T], /) -> T:
        return await anyio.to_thread.run_sync(function, limiter=limiter, abandon_on_cancel=True)

    return run_in_thread


async def run_inline(function: Callable[[], T], /) -> T:
    """Run a plain function right here: for tests under virtual time, which a thread would always lose to."""
    return function()


def stack_of(thread_id: int | None) -> str:
    """Return what a thread is doing, for people."""
    frame = sys._current_frames().get(thread_id or 0)  # noqa: SLF001 - the documented way to see a thread
    return "".join(traceback.format_stack(frame)) if frame else "(it has just ended)"
