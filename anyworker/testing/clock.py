"""Virtual time on both backends: hours of waiting pass in milliseconds, and every deadline is exact.

While anything can run, time stands still; when everything waits, it jumps to the next deadline. asyncio
gets an event loop whose selector advances a clock instead of sleeping, trio its own ``MockClock``; either is
only a set of backend options, so that code under test keeps using anyio and sees nothing unusual.

::

    assert run_virtual(ten_hours_of_polling, backend="trio") == 36_000.0

    @pytest.fixture(params=VIRTUAL_BACKENDS)
    def anyio_backend(request):
        return virtual_backend(request.param)

What waits for the outside world loses the race against the clock: a worker thread or a socket that takes a
real millisecond may find that an hour has passed. Test those on the real clock. Two more things to know:
``anyio.wait_all_tasks_blocked()`` may take 0.1 virtual seconds on asyncio, and under Hypothesis all examples
of one test share trio's clock, so compare differences of times.
"""

import asyncio
import contextlib
import logging
import math
import selectors
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Any, Literal, TypeVar, TypeVarTuple, assert_never

import anyio

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")
BackendName = Literal["asyncio", "trio"]

VIRTUAL_BACKENDS: tuple[BackendName, ...] = ("asyncio", "trio")
"""The backends that have a virtual clock; uvloop keeps its time to itself."""

THREAD_PATIENCE = 5.0
"""Real seconds for which another thread may still bring an event before the wait counts as a deadlock."""


class DeadlockError(RuntimeError):
    """Under virtual time everything waits, without a deadline, for what cannot happen any more."""

    def __init__(self) -> None:
        super().__init__("deadlock: every task waits, no deadline is set, and no I/O can arrive")


class JumpingSelector(selectors.DefaultSelector):
    """Poll instead of sleeping, and move the clock by the time that the loop wanted to sleep."""

    def __init__(self, now: float = 0.0) -> None:
        super().__init__()
        self.now = now
        """Virtual time in seconds."""

    def time(self) -> float:
        """Return the virtual time."""
        return self.now

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; if nothing is, let the timeout pass at once.

        Raises:
            DeadlockError: Without a timeout, when nothing but the loop's own wake-up pipe is watched and no
                other thread writes to it.
        """
        if timeout is not None:
            ready = super().select(0)
            if not ready:
                self.now += max(timeout, 0.0)
            return ready
        if len(self.get_map()) > 1:
            return super().select()
        ready = super().select(_patience())
        if not ready:
            raise DeadlockError
        return ready


class _VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop that takes the time from its selector."""

    def __init__(self, start: float) -> None:
        self._jumping_selector = JumpingSelector(start)
        super().__init__(self._jumping_selector)

    def time(self) -> float:
        """Return the virtual time."""
        return self._jumping_selector.now


class _TrioDeadlockWatch:
    """A trio instrument that ends a run in which ``MockClock`` would spin for ever."""

    def __init__(self) -> None:
        self._stuck_since = math.inf
        """Real time at which nothing was left that could happen, infinite while something can."""

    def before_io_wait(self, timeout: float) -> None:
        """Notice a wait that nothing can end, and crash the run.

        An instrument cannot raise, a system task can: trio then cancels everything. Under the pytest plugin
        the test ends with ``Cancelled``, whose reason names the deadlock.
        """
        if not _is_trio_stuck():
            self._stuck_since = math.inf
            return
        now = time.monotonic()
        self._stuck_since = min(self._stuck_since, now)
        if now - self._stuck_since >= _patience():
            import trio  # noqa: PLC0415 - only who runs on trio pays for it

            self._stuck_since = math.inf
            logger.error("%s", DeadlockError())
            trio.lowlevel.spawn_system_task(_crash)


def _patience() -> float:
    return THREAD_PATIENCE if threading.active_count() > 1 else 0.0


def _is_trio_stuck() -> bool:
    import trio  # noqa: PLC0415 - only who runs on trio pays for it

    statistics = trio.lowlevel.current_statistics()
    if statistics.tasks_runnable or statistics.run_sync_soon_queue_size:
        return False
    if statistics.seconds_to_next_deadline < math.inf:
        return False
    watched = statistics.io_statistics
    if sys.platform == "linux":
        waiting = watched.tasks_waiting_read + watched.tasks_waiting_write
    else:
        waiting = watched.tasks_waiting
    return waiting <= 1  # the one is trio's own wake-up socket


async def _crash() -> None:
    raise DeadlockError


def virtual_backend(backend: BackendName, *, start: float = 0.0) -> tuple[BackendName, dict[str, Any]]:
    """Return a backend with a fresh virtual clock, in the form that anyio's pytest plugin takes.

    Args:
        backend: ``"asyncio"`` or ``"trio"``.
        start: What the clock shows at first.

    Returns:
        Its name and its options for ``anyio.run``, for one run or one test.
    """
    match backend:
        case "asyncio":
            return backend, {"loop_factory": partial(_VirtualTimeLoop, start)}
        case "trio":
            from trio.testing import MockClock  # noqa: PLC0415 - only who runs on trio pays for it

            clock = MockClock(autojump_threshold=0)
            clock.jump(start)
            return backend, {"clock": clock, "instruments": [_TrioDeadlockWatch()]}
        case _:
            assert_never(backend)


def run_virtual(
    function: Callable[[*Arguments], Awaitable[Result]],
    *args: *Arguments,
    backend: BackendName = "asyncio",
    start: float = 0.0,
) -> Result:
    """Run a coroutine function to its end under virtual time, from synchronous code.

    Args:
        function: Called with ``args``.
        args: Positional arguments.
        backend: ``"asyncio"`` or ``"trio"``.
        start: What the clock shows at first.

    Returns:
        What the function returns.

    Raises:
        DeadlockError: Everything waits for what cannot happen any more.
    """
    name, options = virtual_backend(backend, start=start)
    with deadlock_revealed():
        return anyio.run(function, *args, backend=name, backend_options=options)


@contextlib.contextmanager
def deadlock_revealed() -> Iterator[None]:
    """Raise a deadlock as such: trio hides what a system task raised in the cause of an error of its own."""
    try:
        yield
    except Exception as error:
        hidden = error.__cause__
        if isinstance(hidden, BaseExceptionGroup) and hidden.subgroup(DeadlockError):
            raise DeadlockError from error
        raise
