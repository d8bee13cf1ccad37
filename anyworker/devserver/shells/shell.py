"""What carriers of requests share: the event loop's clock, and waiting while the engine's time goes on."""

import datetime
import math
from collections.abc import Awaitable, Callable

import anyio
import anyio.from_thread
import anyio.lowlevel
import attrs
from anyio.lowlevel import EventLoopToken

from anyworker.devserver.api.api import Api
from anyworker.devserver.engine import Engine
from anyworker.devserver.faults.echoes import Echoes
from anyworker.devserver.faults.faults import Faults
from anyworker.devserver.faults.kinds import Reply
from anyworker.devserver.faults.passage import Passage, Trouble
from anyworker.devserver.http.exchange import Answer, Outcome, Pending, Request
from anyworker.devserver.orkes.orkes import Orkes
from anyworker.devserver.queueing.polls import Poll
from anyworker.devserver.timing.watches import Watch

Respond = Callable[[Request], Awaitable[Reply]]
"""What carriers bring requests to."""


class LoopClock:
    """Epoch milliseconds that go by as the event loop's clock does.

    Args:
        epoch: Epoch seconds at the first look; the wall clock's by default.
    """

    def __init__(self, epoch: float | None = None) -> None:
        self._epoch = epoch
        self.loop: EventLoopToken | None = None
        """The event loop that was last asked for its time."""
        self._origin = 0.0
        self._start = 0
        self._last = 0

    def now(self) -> int:
        """Return the time; it never goes back, also from one event loop to the next."""
        loop = anyio.lowlevel.current_token()
        if loop != self.loop:
            self._rebind(loop)
        now = self._start + round((anyio.current_time() - self._origin) * 1000)
        self._last = max(self._last, now)
        return self._last

    def loop_time(self, at: int) -> float:
        """Return the loop's time at a moment, after :meth:`now` was called in this loop."""
        return self._origin + (at - self._start) / 1000

    def peek(self) -> int | None:
        """Return the time, None outside of the event loop that was last asked for it."""
        return self.now() if self.loop is not None and self.loop == _running_loop() else None

    def last(self) -> int:
        """Return the time, or outside of the event loop the last that was told."""
        return self.peek() or self._last

    def anywhere(self) -> int:
        """Return the time; where no event loop runs, it stands still."""
        if _running_loop() is not None:
            return self.now()
        self._last = self._last or self._first()
        return self._last

    def _first(self) -> int:
        epoch = datetime.datetime.now(datetime.UTC).timestamp() if self._epoch is None else self._epoch
        return round(epoch * 1000)

    def _rebind(self, loop: EventLoopToken) -> None:
        self.loop, self._origin = loop, anyio.current_time()
        # Between two loops the wall clock goes on; one that was set stands still.
        self._start = max(self._last, self._first()) if self._epoch is None else self._last or self._first()


@attrs.define(eq=False)
class _Waiter:
    """A request that waits for its poll, or for what it watches."""

    awaited: Poll | Watch
    woken: anyio.Event


class Shell:
    """Carries requests to the API and lets them wait, on one event loop at a time.

    There is no task in the background: of those that wait, one keeps the time for all. The engine knows every
    poll by itself, so one whose client has gone takes tasks all the same, as on a real server.
    """

    def __init__(self, engine: Engine, epoch: float | None = None, orkes: Orkes | None = None) -> None:
        self._engine = engine
        self._api = Api(engine, orkes)
        self._clock = LoopClock(epoch)
        self.faults = Faults(self._api.routes, self._clock.peek, self._in_loop)
        self._echoes = Echoes(engine)
        self._waiters: dict[_Waiter, None] = {}
        self._keeper: _Waiter | None = None
        self._alarm = math.inf

    async def respond(self, request: Request) -> Reply:
        """Carry out a request; return what becomes of it when that is known."""
        faults = self.faults
        passage = faults.passage(request) if faults.is_armed else None
        if passage is not None:
            reply = await self._meet(passage.before(self._clock.now()))
            if reply is not None:
                return reply
        answer = self._api.handle(request, self._clock.now())
        self._reset_alarm()
        if isinstance(answer, Pending) and not answer.awaited.is_done:
            if passage is not None and isinstance(answer.awaited, Poll):
                self._echoes.hurry(answer.awaited, self._clock.now())
            await self._wait(answer.awaited)
        if faults.is_armed:
            return await self._leave(answer, passage or faults.passage(request))
        return answer.answer(self._clock.now()) if isinstance(answer, Pending) else answer

    def answer(self, request: Request) -> Answer:
        """Carry out a request at once and free of faults, also where no event loop runs.

        Raises:
            ValueError: Its answer is still to be waited for.
        """
        now = self._clock.anywhere()
        answer = self._api.handle(request, now)
        self._reset_alarm()
        if not isinstance(answer, Pending):
            return answer
        if not answer.awaited.is_done:
            message = f"the answer to {request.method} {request.path} is to be waited for: use a transport"
            raise ValueError(message)
        return answer.answer(now)

    def seconds_to_next(self) -> float:
        """Return how long nothing happens by itself, infinite if nothing ever does."""
        due = self._engine.next_deadline()
        return math.inf if due is None else max(0, due - self._clock.anywhere()) / 1000

    def hurry(self) -> None:
        """Answer the polls that wait, and from now on every poll at once; from any thread."""
        self._in_loop(lambda: self._engine.hurry(self._clock.last()))

    async def _leave(self, answer: Outcome, passage: Passage) -> Reply:
        """Return what the faults make of an answer."""
        now, has_tasks = self._clock.now(), False
        if isinstance(answer, Pending):
            if isinstance(answer.awaited, Poll):
                self._echoes.tamper(answer.awaited, passage, now)
                has_tasks = bool(answer.awaited.tasks)
            answer = answer.answer(now)
        return await self._meet(passage.after(now, answer, has_tasks=has_tasks)) or answer

    async def _meet(self, trouble: Trouble) -> Reply | None:
        for fault, seconds in trouble.pauses:
            released = anyio.Event()
            with fault.holding(released.set), anyio.move_on_after(seconds):
                await released.wait()
        return trouble.reply

    def _in_loop(self, action: Callable[[], None]) -> None:
        """Do something where the requests are served, from whatever thread or loop it is asked for."""
        loop = self._clock.loop
        if loop is None or loop == _running_loop():
            action()
            return
        try:
            anyio.from_thread.run_sync(action, token=loop)
        except anyio.RunFinishedError:
            action()

    async def _wait(self, awaited: Poll | Watch) -> None:
        waiter = _Waiter(awaited, anyio.Event())
        self._waiters[waiter] = None
        try:
            while not awaited.is_done:
                waiter.woken = anyio.Event()
                awaited.on_done = waiter.woken.set
                if self._keeper is None:
                    self._keeper = waiter
                if self._keeper is waiter:
                    await self._keep_time(waiter.woken)
                else:
                    await waiter.woken.wait()
        finally:
            awaited.on_done = None
            del self._waiters[waiter]
            if self._keeper is waiter:
                self._pass_on()

    async def _keep_time(self, woken: anyio.Event) -> None:
        """Sleep until something is due in the engine or the waiter is woken, then let it happen."""
        due = self._engine.next_deadline()
        self._alarm = math.inf if due is None else due
        with anyio.CancelScope(deadline=math.inf if due is None else self._clock.loop_time(due)):
            await woken.wait()
        self._engine.advance(self._clock.now())

    def _pass_on(self) -> None:
        self._keeper = next(iter(self._waiters), None)
        if self._keeper is not None:
            self._keeper.woken.set()

    def _reset_alarm(self) -> None:
        """Wake the one that keeps the time if a request has made something due earlier."""
        if self._keeper is not None:
            due = self._engine.next_deadline()
            if due is not None and due < self._alarm:
                self._keeper.woken.set()


def _running_loop() -> EventLoopToken | None:
    try:
        return anyio.lowlevel.current_token()
    except RuntimeError:  # anyio has no class of its own for this in every version we allow
        return None
