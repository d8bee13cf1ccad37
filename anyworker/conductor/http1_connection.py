"""One kept connection: is it still good, and one exchange over it."""

import os
import select
import socket
import ssl
from collections.abc import Coroutine
from typing import Any, Final, Protocol

import anyio
import attrs
import httpx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute

from anyworker.conductor.exchange import Answer, Timeouts
from anyworker.conductor.http1_parser import AnswerParser


class Watch(Protocol):
    """Keeps the time of exchanges: see `http1_watch`."""

    def begin(self, connection: "Connection", seconds: float) -> None:
        """Expect an answer within so many seconds."""
        ...

    def end(self, connection: "Connection") -> None:
        """Expect nothing more on a connection."""
        ...


_LARGE: Final = 16384
"""A request up to this many bytes fits into an empty socket buffer, so sending it cannot block."""
_READ_SIZE: Final = 65536
_SENDS_AT_ONCE: Final = os.name == "posix"
"""Elsewhere the number of a socket is no file descriptor."""
_SETTLE_SECONDS: Final = 0.01
"""How long an idle TLS connection gets to show whether what arrived on it was only TLS's own business."""
_CLOSE_SECONDS: Final = 1.0
"""Bound of closing; a connection is closed without waiting for the other side."""
_BROKEN: Final = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.BusyResourceError, OSError)


@attrs.define(eq=False)
class Connection:
    """A stream with its place in the pool.

    After an exchange that raises, or that leaves ``keeps_alive`` false, it can only be closed.
    """

    stream: ByteStream
    parser: AnswerParser
    epoch: int
    """Of the pool, when it was opened."""
    expires: float = 0.0
    """``time.monotonic()`` from when on it is too old to be used again."""
    keeps_alive: bool = False
    """Whether the last exchange left it fit for another."""
    is_overdue: bool = False
    """Whether a watch has closed it because its answer took too long."""
    _is_spoiled: bool = attrs.field(init=False, default=False)
    """Whether something that nobody asked for was decrypted."""
    _tls: ssl.SSLObject | None = attrs.field(init=False)
    _socket: socket.socket = attrs.field(init=False)
    _fileno: int = attrs.field(init=False)
    _poll: select.poll = attrs.field(init=False, factory=select.poll)

    def __attrs_post_init__(self) -> None:
        extra = self.stream.extra
        self._tls = extra(TLSAttribute.ssl_object, None)
        self._socket = extra(SocketAttribute.raw_socket)
        self._fileno = self._socket.fileno()
        self._poll.register(self._fileno, select.POLLIN)

    def is_quiet(self) -> bool:
        """Tell whether nothing came in while it was idle: no end, no reset, no byte that nobody asked for.

        anyio's streams do not read while nobody receives, so news waits in the kernel: one system call tells.
        """
        if self._poll.poll(0) or self._socket.fileno() != self._fileno:
            return False
        return self._tls is None or self._has_nothing_decrypted(self._tls)

    def _has_nothing_decrypted(self, tls: ssl.SSLObject) -> bool:
        if not self._is_spoiled:
            try:
                tls.read(1)
            except ssl.SSLWantReadError:
                return True
            except ssl.SSLError:
                pass
            self._is_spoiled = True
        return False

    async def settles(self) -> bool:
        """Tell whether it is usable although something came in.

        Over TLS this may be TLS's own business, session tickets and key updates, which is taken in here.
        """
        if self._tls is None or self._is_spoiled:
            return False
        with anyio.move_on_after(_SETTLE_SECONDS):
            try:
                await self.stream.receive(1)
            except (anyio.EndOfStream, *_BROKEN):
                return False
            return False
        return True

    def exchange(
        self, request: bytes, *, is_head: bool, timeouts: Timeouts, watch: Watch | None = None
    ) -> Coroutine[Any, Any, Answer]:
        """Send a request and return its whole answer.

        Args:
            request: Head and body.
            is_head: Whether its method is HEAD.
            timeouts: Of which ``write`` and ``read`` count here.
            watch: Keeps the time in place of a scope, where one runs.

        Raises:
            httpx.TransportError: ``WriteTimeout``, ``WriteError``, ``ReadTimeout``, ``ReadError`` or
                ``RemoteProtocolError``.
        """
        self.keeps_alive = False
        self.parser.expect(is_head=is_head)
        if len(request) > _LARGE:
            return self._exchange_large(request, timeouts)
        if watch is None:
            return self._exchange_timed(request, timeouts)
        return self._exchange_small(request, timeouts, watch)

    async def _exchange_timed(self, request: bytes, timeouts: Timeouts) -> Answer:
        with anyio.move_on_after(timeouts.read):
            return await self._exchange_small(request, timeouts, None)
        raise _read_timeout(timeouts)

    async def _exchange_small(self, request: bytes, timeouts: Timeouts, watch: Watch | None) -> Answer:
        if watch is not None:
            watch.begin(self, timeouts.read)
        try:
            try:
                if (sent := self._send_at_once(request)) < len(request):
                    await self.stream.send(request[sent:])
            except _BROKEN as error:
                await self._receive_last_words(error)
            else:
                await self._receive()
            return self.parser.take_answer()
        except httpx.TransportError:
            if self.is_overdue:
                raise _read_timeout(timeouts) from None
            raise
        finally:
            if watch is not None:
                watch.end(self)

    def _send_at_once(self, request: bytes) -> int:
        """Hand the kernel what it takes without waiting and return how many bytes that were.

        Nothing was sent on the connection since its last answer, so nothing waits before this in the stream.
        Its own ``send`` would do the same, and pass through the event loop once more; that is a sixth
        of a task's cost.
        """
        if not _SENDS_AT_ONCE or self._tls is not None:
            return 0
        try:
            return os.write(self._socket.fileno(), request)
        except BlockingIOError:
            return 0

    async def _exchange_large(self, request: bytes, timeouts: Timeouts) -> Answer:
        """Listen while sending: a server may answer, and close, before it has taken the whole request."""
        is_sent = False
        write_error: Exception | None = None
        read_error: httpx.TransportError | None = None

        async def send() -> None:
            nonlocal is_sent, write_error
            try:
                await self.stream.send(request)
            except _BROKEN as error:
                write_error = error
            else:
                is_sent = True
                scope.deadline = anyio.current_time() + timeouts.read

        with anyio.move_on_after(timeouts.write) as scope:
            async with anyio.create_task_group() as group:
                group.start_soon(send)
                try:
                    await self._receive()
                except httpx.TransportError as error:
                    read_error = error
                group.cancel_scope.cancel()
            self.keeps_alive = self.keeps_alive and is_sent
            if read_error is None:
                return self.parser.take_answer()
            raise _write_error(write_error) if write_error else read_error
        raise _read_timeout(timeouts) if is_sent else _write_timeout(timeouts)

    async def _receive(self) -> None:
        """Feed the parser until the answer is complete."""
        parser, receive = self.parser, self.stream.receive
        try:
            data = await receive(_READ_SIZE)
            while not parser.feed(data):
                data = await receive(_READ_SIZE)
        except anyio.EndOfStream as end:
            if isinstance(end.__context__, ssl.SSLError):
                # Without TLS's own goodbye anybody on the way may have cut the connection.
                parser.refuse_unbounded()
            parser.feed_eof()
        except _BROKEN as error:
            reason = f"the connection broke before the answer was complete: {error!r}"
            raise httpx.ReadError(reason) from error
        else:
            # On asyncio a full piece may be the first part of more that anyio holds back, out of our sight.
            self.keeps_alive = parser.keeps_alive and len(data) < _READ_SIZE

    async def _receive_last_words(self, error: Exception) -> None:
        """Read the answer of a server that gave one and closed without taking the request."""
        try:
            await self._receive()
        except httpx.TransportError:
            raise _write_error(error) from error
        finally:
            self.keeps_alive = False


async def close(*connections: Connection) -> None:
    """Close connections at once and without a goodbye, also when cancelled."""
    with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
        for connection in connections:
            await connection.stream.aclose()


def _write_error(error: Exception) -> httpx.WriteError:
    return httpx.WriteError(f"the connection broke while the request was sent: {error!r}")


def _read_timeout(timeouts: Timeouts) -> httpx.ReadTimeout:
    return httpx.ReadTimeout(f"no complete answer within {timeouts.read:g} s")


def _write_timeout(timeouts: Timeouts) -> httpx.WriteTimeout:
    return httpx.WriteTimeout(f"the request was not taken within {timeouts.write:g} s")
