"""Virtual time of a whole test, and event loops that plain tests start for a moment."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeVar, get_args

import anyio
import anyio.lowlevel

from anyworker.testing.clock import BackendName, run_virtual
from anyworker.testing.takeover import virtual_time

T = TypeVar("T")

_current: ContextVar["VirtualTime | None"] = ContextVar("anyworker_virtual_time", default=None)


class VirtualTime:
    """The time of one test: it stands still while anything can run, and jumps while everything waits.

    In an async test it is the clock of the event loop. A plain test has none: there the loops that `run_task`
    or ``conductor.run`` start take it up one after another.
    """

    def __init__(self) -> None:
        self._origin = 0.0
        self._elapsed = 0.0

    def now(self) -> float:
        """Return the seconds that have passed in this test."""
        return round(anyio.current_time() - self._origin, 6) if is_loop_running() else self._elapsed

    def run(self, function: Callable[[], Awaitable[T]], *, backend: BackendName = "asyncio") -> T:
        """Return what a coroutine function returns, run in an event loop whose clock goes on from here.

        Args:
            function: Called without arguments.
            backend: The event loop.

        Raises:
            DeadlockError: Everything waits for what cannot happen any more.
        """

        async def timed() -> T:
            try:
                return await function()
            finally:
                self._elapsed = anyio.current_time()

        return run_virtual(timed, backend=backend, start=self._elapsed)

    @contextmanager
    def in_loop(self) -> Iterator[None]:
        """Take the clock of the event loop that runs, made virtual for the length of the block.

        Raises:
            NoVirtualTimeError: This event loop cannot; the message says what can.
        """
        with virtual_time():
            self._origin = anyio.current_time()
            yield

    @contextmanager
    def as_current(self) -> Iterator[None]:
        """Be the time of what starts event loops within the block."""
        _current.set(self)
        try:
            yield
        finally:
            _current.set(None)


def is_loop_running() -> bool:
    """Return whether an event loop runs in this thread."""
    try:
        anyio.lowlevel.current_token()
    except RuntimeError:  # anyio has no class of its own for this in every version we allow
        return False
    return True


def run_in_own_loop(
    function: Callable[[], Awaitable[T]],
    name: str,
    *,
    backend: BackendName,
    virtual_time: bool | None,
    instead: str | None = None,
) -> T:
    """Run a coroutine function to its end from plain code.

    Args:
        function: Called without arguments.
        name: Of what the user called.
        backend: The event loop.
        virtual_time: Whether time is virtual; None: where the test's time is.
        instead: What is to be awaited in an event loop; by default the same with ``_async`` appended.

    Raises:
        RuntimeError: An event loop runs here already.
        ValueError: There is no such backend.
    """
    if is_loop_running():
        awaited = instead or f"{name}_async(...)"
        message = f"{name}() starts an event loop, and one runs here already: await {awaited} instead"
        raise RuntimeError(message)
    if backend not in get_args(BackendName):
        message = f"backend={backend!r}: expected one of {', '.join(get_args(BackendName))}"
        raise ValueError(message)
    current = _current.get()
    if current is not None and virtual_time is not False:
        return current.run(function, backend=backend)
    return run_virtual(function, backend=backend) if virtual_time else anyio.run(function, backend=backend)
