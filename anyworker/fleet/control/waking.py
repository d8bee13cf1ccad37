"""Let signals wake an event loop whichever thread the kernel gives them to."""

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def woken_by_signals(wire: socket.socket) -> Iterator[None]:
    """Write to a socket for each signal in the block, where the event loop has no descriptor for that.

    trio and uvloop have one of their own, which stays; asyncio has none. In the main thread only.
    """
    ours = wire.fileno()
    theirs = signal.set_wakeup_fd(ours, warn_on_full_buffer=False)
    if theirs != -1:
        signal.set_wakeup_fd(theirs, warn_on_full_buffer=False)
    try:
        yield
    finally:
        current = signal.set_wakeup_fd(-1)
        if current not in {-1, ours}:
            signal.set_wakeup_fd(current, warn_on_full_buffer=False)


def in_main_thread() -> bool:
    """Return whether this is the thread that Python's handlers of signals run in."""
    return threading.current_thread() is threading.main_thread()
