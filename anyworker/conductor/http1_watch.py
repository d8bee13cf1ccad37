"""One keeper of the time limits of many exchanges, in place of a cancel scope around each."""

import math
import time

import anyio
import attrs

from anyworker.conductor.http1_connection import Connection, close


@attrs.define(eq=False)
class Watch:
    """Close connections whose answer is overdue, which fails the exchange that waits on them.

    A scope with a deadline of its own costs a short exchange a tenth of its time; an entry in a dict costs
    next to nothing. While nobody runs the watch, exchanges must keep their limits themselves.
    """

    is_running: bool = attrs.field(init=False, default=False)
    _due: dict[Connection, float] = attrs.field(init=False, factory=dict)
    """``time.monotonic()`` by which the answer must be there: cheaper to ask than the event loop."""
    _looks_at: float = attrs.field(init=False, default=math.inf)
    """When the watch looks next; it is not called back for what ends before its time."""
    _earlier: anyio.Event = attrs.field(init=False, factory=anyio.Event)

    def begin(self, connection: Connection, seconds: float) -> None:
        """Expect an answer within so many seconds."""
        due = time.monotonic() + seconds
        self._due[connection] = due
        if due < self._looks_at:
            self._looks_at = due
            self._earlier.set()

    def end(self, connection: Connection) -> None:
        """Expect nothing more on a connection."""
        self._due.pop(connection, None)

    async def run(self) -> None:
        """Watch until cancelled."""
        self.is_running = True
        try:
            while True:
                self._looks_at = min(self._due.values(), default=math.inf)
                with anyio.move_on_after(self._looks_at - time.monotonic()):
                    await self._earlier.wait()
                self._earlier = anyio.Event()
                await self._close_overdue()
        finally:
            self.is_running = False
            # Whoever still waits has nobody left to keep its time.
            await self._close_all()

    async def _close_overdue(self) -> None:
        now = time.monotonic()
        overdue = [connection for connection, due in self._due.items() if due <= now]
        await self._give_up(overdue)

    async def _close_all(self) -> None:
        await self._give_up(list(self._due))

    async def _give_up(self, connections: list[Connection]) -> None:
        for connection in connections:
            connection.is_overdue = True
            self.end(connection)
        if connections:
            await close(*connections)
