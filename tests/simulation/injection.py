"""Strike at one of the moments at which a worker's tasks wait, and know at which awaits of its code that was.

Every step of every task is seen, whatever starts it: trio tells an instrument, and on asyncio each task's
coroutine is driven by a wrapper, which its loop's task factory puts around it. Both are public interfaces.
"""

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import sniffio

import anyworker.runner

ROOM = str(Path(anyworker.runner.__file__).parent)

Site = tuple[str, str, int]
"""An await: file within the room, function, line."""


class Injection:
    """Do something at the ``at``-th moment, from 0, at which a task waits in the runner's code.

    Args:
        at: Which one.
        act: What is done.
        most: How often the same await counts; waits for nothing to do come again and again.
    """

    def __init__(self, at: int, act: Callable[[], None], most: float) -> None:
        self._left = at
        self._act = act
        self._most = most
        self._counts: dict[Site, int] = {}
        self.site: Site | None = None
        """Where it struck; None before."""

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See the steps of tasks that begin within the block. To be entered in the event loop."""
        watch = _on_trio if sniffio.current_async_library() == "trio" else _on_asyncio
        with watch(self):
            yield

    def waits(self, coroutine: Any, strike: Callable[[Callable[[], None]], object]) -> None:
        """A task waits."""
        if self.site is not None or (site := _site_of(coroutine)) is None:
            return
        self._counts[site] = count = self._counts.get(site, 0) + 1
        if count > self._most:
            return
        if not self._left:
            self.site = site
            strike(self._act)
        self._left -= 1


def _site_of(coroutine: Any) -> Site | None:
    """Return the innermost await in the runner's code, None where a task waits elsewhere."""
    found = None
    while coroutine is not None:
        frame = getattr(coroutine, "cr_frame", None) or getattr(coroutine, "gi_frame", None)
        if frame is not None and frame.f_code.co_filename.startswith(ROOM):
            name = frame.f_code.co_filename.removeprefix(ROOM + "/")
            found = (name, frame.f_code.co_qualname, frame.f_lineno)
        coroutine = getattr(coroutine, "cr_await", None) or getattr(coroutine, "gi_yieldfrom", None)
    return found


@contextmanager
def _on_trio(injection: Injection) -> Iterator[None]:
    import trio

    class Steps(trio.abc.Instrument):
        def after_task_step(self, task: trio.lowlevel.Task) -> None:
            injection.waits(task.coro, lambda act: act())

    steps = Steps()
    trio.lowlevel.add_instrument(steps)
    try:
        yield
    finally:
        trio.lowlevel.remove_instrument(steps)


@contextmanager
def _on_asyncio(injection: Injection) -> Iterator[None]:
    import asyncio

    loop = asyncio.get_running_loop()

    async def watched(coroutine: Coroutine[Any, Any, Any]) -> Any:
        # Done when the task has begun to wait, which it has not yet while its coroutine gives way.
        return await _driven(coroutine, lambda: injection.waits(coroutine, loop.call_soon))

    loop.set_task_factory(lambda loop, coro, **options: asyncio.Task(watched(coro), loop=loop, **options))
    try:
        yield
    finally:
        loop.set_task_factory(None)


@types.coroutine
def _driven(coroutine: Coroutine[Any, Any, Any], waits: Callable[[], None]) -> Generator[Any, Any, Any]:
    """Run a coroutine to its end, and tell whenever it gives way."""
    go_on: Callable[[], Any] = partial(coroutine.send, None)
    while True:
        try:
            awaited: Awaitable[Any] = go_on()
        except StopIteration as end:
            return end.value
        waits()
        try:
            sent = yield awaited
        except BaseException as error:  # noqa: BLE001 - whatever it is goes on to the coroutine
            go_on = partial(coroutine.throw, error)
        else:
            go_on = partial(coroutine.send, sent)
