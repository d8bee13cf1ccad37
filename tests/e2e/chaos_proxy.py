"""A proxy of TCP connections on the loopback that delays, halves and drops what goes through it."""

import contextlib
import enum
import random
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.abc
import attrs

CHUNK = 65536
DELAYS = (0.05, 1.5)
"""Seconds, from and to."""
_POLL = re.compile(rb"(?:GET \S*/tasks/poll/|POST \S*/tasks/update-v2)")
_TASK_ID = re.compile(rb'"taskId":"([0-9a-f-]{36})"')


class Fate(enum.Enum):
    """What becomes of a piece of a conversation."""

    PASS = enum.auto()
    DELAY = enum.auto()
    HALVE = enum.auto()
    """Half of it passes, then the connection is cut."""
    DROP = enum.auto()
    """The connection is cut before it."""


@attrs.define(eq=False)
class Weather:
    """How likely what is; fair to begin with.

    Args:
        draw: Draws from [0, 1).
    """

    draw: Callable[[], float]
    delay: float = 0.0
    halve: float = 0.0
    drop: float = 0.0

    def turn(self, *, delay: float = 0.0, halve: float = 0.0, drop: float = 0.0) -> None:
        """Change to these likelihoods; fair without any."""
        self.delay, self.halve, self.drop = delay, halve, drop

    def fate(self) -> Fate:
        """Draw what becomes of the next piece."""
        drawn = self.draw()
        for fate, likelihood in (
            (Fate.DROP, self.drop),
            (Fate.HALVE, self.halve),
            (Fate.DELAY, self.delay),
        ):
            if drawn < likelihood:
                return fate
            drawn -= likelihood
        return Fate.PASS


class _Cut(Exception):
    """A connection is to be cut."""


@attrs.define(eq=False)
class Proxy:
    """Pass connections on to a port of the loopback, as the weather lets it.

    Args:
        target: The port.
        weather: Asked for each piece that passes.
        lost: Called with the id of each task that an answer to a poll would have brought.
    """

    target: int
    weather: Weather
    lost: Callable[[str], object]
    cuts: int = 0
    """Connections that it has cut."""

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[int]:
        """Serve on a port of the loopback for the length of the block; yield the port."""
        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        async with listener, anyio.create_task_group() as tasks:
            tasks.start_soon(listener.serve, self._serve)
            try:
                yield int(listener.extra(anyio.abc.SocketAttribute.local_port))
            finally:
                tasks.cancel_scope.cancel()

    async def _serve(self, client: anyio.abc.SocketStream) -> None:
        """Carry one connection until one of the ends closes it, or it is cut."""
        async with client:
            try:
                server = await anyio.connect_tcp("127.0.0.1", self.target)
            except OSError:
                return
            async with server, anyio.create_task_group() as pumps:
                conversation = _Conversation(self)
                pumps.start_soon(conversation.pump, client, server, pumps.cancel_scope, False)
                pumps.start_soon(conversation.pump, server, client, pumps.cancel_scope, True)


@attrs.define(eq=False)
class _Conversation:
    """One connection."""

    proxy: Proxy
    is_poll: bool = False
    """Whether the last request was one that may bring tasks."""
    answer: bytes = b""
    """What has come of the answer to it."""

    async def pump(
        self,
        source: anyio.abc.SocketStream,
        sink: anyio.abc.SocketStream,
        scope: anyio.CancelScope,
        is_answer: bool,
    ) -> None:
        """Carry one direction."""
        with contextlib.suppress(
            anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, _Cut
        ):
            while True:
                chunk = await source.receive(CHUNK)
                self._hear(chunk, is_answer=is_answer)
                await self._carry(chunk, sink, is_answer=is_answer)
        scope.cancel()

    def _hear(self, chunk: bytes, *, is_answer: bool) -> None:
        if is_answer:
            self.answer += chunk
        elif chunk.startswith((b"GET ", b"POST ", b"PUT ")):
            self.is_poll, self.answer = _POLL.match(chunk) is not None, b""

    async def _carry(self, chunk: bytes, sink: anyio.abc.SocketStream, *, is_answer: bool) -> None:
        match self.proxy.weather.fate():
            case Fate.DELAY:
                shortest, longest = DELAYS
                await anyio.sleep(shortest + (longest - shortest) * self.proxy.weather.draw())
            case Fate.HALVE:
                await sink.send(chunk[: len(chunk) // 2] or chunk[:1])
                self._cut(is_answer=is_answer)
            case Fate.DROP:
                self._cut(is_answer=is_answer)
            case Fate.PASS:
                pass
        await sink.send(chunk)

    def _cut(self, *, is_answer: bool) -> None:
        self.proxy.cuts += 1
        if is_answer and self.is_poll:
            for task_id in set(_TASK_ID.findall(self.answer)):
                self.proxy.lost(task_id.decode())
        raise _Cut


def seeded_weather(seed: int) -> Weather:
    """Return weather that is the same for the same seed."""
    return Weather(random.Random(seed).random)
