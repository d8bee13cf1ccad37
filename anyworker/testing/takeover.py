"""Virtual time for event loops that somebody else starts: those of pytest's plugins."""

import asyncio
import contextlib
import math
import selectors
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from anyworker.testing.clock import JumpingSelector, deadlock_revealed, virtual_backend

T = TypeVar("T")


_REMEDIES = {
    "trio": """\
trio takes its clock at the start. anyio's plugin starts it for the test's first async fixture; say so there:

    @pytest.fixture
    def anyio_backend():
        return anyworker.testing.virtual_backend("trio")""",
    "uvloop": "uvloop keeps its time to itself; use asyncio's own event loop.",
}


class NoVirtualTimeError(RuntimeError):
    """The event loop that runs has no virtual clock and cannot be given one.

    Args:
        kind: The package that the loop is from.
    """

    def __init__(self, kind: str) -> None:
        remedy = _REMEDIES.get(kind, "Use asyncio's own event loop, or trio.")
        super().__init__(f"the time of this event loop cannot be made virtual once it runs. {remedy}")


def is_time_virtual() -> bool:
    """Return whether the event loop that runs has a virtual clock that jumps by itself."""
    if _loop_module() == "trio":
        import trio  # noqa: PLC0415 - only who runs on trio pays for it
        from trio.testing import MockClock  # noqa: PLC0415 - as above

        clock = trio.lowlevel.current_clock()
        return isinstance(clock, MockClock) and clock.autojump_threshold < math.inf
    return isinstance(getattr(asyncio.get_running_loop(), "_selector", None), JumpingSelector)


@contextlib.contextmanager
def virtual_time() -> Iterator[None]:
    """Make time virtual for the length of the block, in an event loop that runs already.

    It goes on from the loop's time. Loops of asyncio can do it; trio's clock is chosen at the start.

    Raises:
        NoVirtualTimeError: This loop cannot; the message says what can.
    """
    if is_time_virtual():
        yield
        return
    loop = _selector_loop()
    real: selectors.BaseSelector = loop._selector  # noqa: SLF001 - the loop has no other way to its selector
    jumping = JumpingSelector(float(math.ceil(loop.time())))
    _move(real, jumping)
    _equip(loop, jumping, jumping.time)
    try:
        yield
    finally:
        # What still waits in this loop has deadlines in its time, which therefore never goes back.
        ahead = jumping.now - time.monotonic()
        _move(jumping, real)
        _equip(loop, real, lambda: time.monotonic() + ahead)
        jumping.close()


def _selector_loop() -> Any:
    loop = None if _loop_module() == "trio" else asyncio.get_running_loop()
    if isinstance(loop, asyncio.SelectorEventLoop):
        return loop
    raise NoVirtualTimeError(_loop_module())


def _loop_module() -> str:
    return type(anyio.lowlevel.current_token().native_token).__module__.partition(".")[0]


def _equip(loop: Any, selector: selectors.BaseSelector, clock: Callable[[], float]) -> None:
    loop._selector, loop.time = selector, clock  # noqa: SLF001 - as above


def _move(source: selectors.BaseSelector, target: selectors.BaseSelector) -> None:
    for key in list(source.get_map().values()):
        source.unregister(key.fileobj)
        target.register(key.fileobj, key.events, key.data)


def run_trio(function: Callable[[], Awaitable[T]], **options: Any) -> T:
    """Start trio as pytest-trio does, under virtual time unless the test has a clock of its own.

    Args:
        function: Called without arguments.
        **options: As for ``trio.run``.
    """
    import trio  # noqa: PLC0415 - only who runs on trio pays for it

    _, virtual = virtual_backend("trio")
    if options.get("clock") is None:
        options["clock"] = virtual["clock"]
    options["instruments"] = [*(options.get("instruments") or ()), *virtual["instruments"]]
    with deadlock_revealed():
        result: T = trio.run(function, **options)
        return result
