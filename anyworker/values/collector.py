"""Keep the garbage collector away while something large is built.

Each of a hundred thousand new objects counts towards a collection of all that the process has, which stops
every thread for longer than the conversion itself would stop the event loop.
"""

import gc
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class _Pause:
    """The process has one collector, so all that is built at the same time shares one pause."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holders = 0
        self._was_enabled = False

    def begin(self) -> None:
        with self._lock:
            if self._holders == 0:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._holders += 1

    def end(self) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0 and self._was_enabled:
                gc.enable()


_pause = _Pause()


def without_collections(function: Callable[[], T]) -> T:
    """Return what a function returns; what it leaves in cycles is collected afterwards."""
    _pause.begin()
    try:
        return function()
    finally:
        _pause.end()
