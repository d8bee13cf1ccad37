"""A server that does what a test tells it, byte by byte, connection by connection."""

import os
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import attrs
import httpx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSStream

from anyworker.conductor.exchange import Answer, Exchange, Timeouts
from anyworker.conductor.http1 import Http1Transport

OK = b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok"
"""A plain answer."""
is_watched = False
"""Whether a watch keeps the time of exchanges."""
TIMEOUTS = Timeouts(connect=5, read=5, write=5, pool=5)
_CONTENT_LENGTH = re.compile(rb"^content-length: (\d+)\r$", re.IGNORECASE | re.MULTILINE)


@attrs.define(eq=False)
class Peer:
    """The server's end of one connection."""

    stream: ByteStream
    number: int
    """Counts connections from zero."""
    server: "ScriptedServer"
    _rest: bytes = b""

    async def request(self) -> bytes:
        """Read one whole request and note it."""
        while b"\r\n\r\n" not in self._rest:
            self._rest += await self.stream.receive()
        head, _, self._rest = self._rest.partition(b"\r\n\r\n")
        length = _CONTENT_LENGTH.search(head + b"\r\n")
        while length and len(self._rest) < int(length[1]):
            self._rest += await self.stream.receive()
        size = int(length[1]) if length else 0
        body, self._rest = self._rest[:size], self._rest[size:]
        request = head + b"\r\n\r\n" + body
        self.server.requests.append(request)
        return request

    async def send(self, data: bytes) -> None:
        """Send bytes as they are."""
        await self.stream.send(data)

    async def until_closed(self) -> bytes:
        """Wait until the client closes its end, and return what it still sent."""
        rest = self._rest
        try:
            while True:
                rest += await self.stream.receive()
        except (anyio.EndOfStream, anyio.BrokenResourceError, ssl.SSLError):
            return rest

    def _own_socket(self) -> socket.socket:
        # A duplicate reaches the connection at once, whatever the backend's own socket object can do.
        return socket.socket(fileno=os.dup(self.stream.extra(SocketAttribute.raw_socket).fileno()))

    async def finish(self) -> None:
        """End the connection in order; the end has arrived when this returns."""
        with self._own_socket() as own:
            own.shutdown(socket.SHUT_WR)
        await anyio.aclose_forcefully(self.stream)

    async def reset(self) -> None:
        """Break the connection off (RST)."""
        with self._own_socket() as own:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await anyio.aclose_forcefully(self.stream)
        # uvloop closes a socket some turns of the loop later.
        for _ in range(10):
            await anyio.lowlevel.checkpoint()


@attrs.define(eq=False)
class ScriptedServer:
    """What a test sees of the server."""

    url: str
    requests: list[bytes] = attrs.field(factory=list)
    """Whole requests in order of arrival."""
    connections: int = 0
    """How many were accepted."""
    open_connections: int = 0
    """How many have a script that still runs."""
    idle: anyio.Event = attrs.field(factory=anyio.Event)
    """For the test to tell scripts that the client is idle."""
    _changed: anyio.Event = attrs.field(factory=anyio.Event)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition on the counts holds."""
        while not condition():
            await self._changed.wait()

    def count(self, *, opened: int) -> None:
        """Count connections up or down."""
        self.connections += max(opened, 0)
        self.open_connections += opened
        self._changed.set()
        self._changed = anyio.Event()


Script = Callable[[Peer], Awaitable[object]]


@asynccontextmanager
async def scripted_server(
    script: Script, *, ssl_context: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[ScriptedServer]:
    """Serve every connection by a script of its own.

    The connection is closed when its script ends. A script ends quietly when the client closes.
    """
    listener = await anyio.create_tcp_listener(local_host=host, local_port=0)
    port = listener.extra(SocketAttribute.local_port)
    scheme = "https" if ssl_context else "http"
    server = ScriptedServer(f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}")

    async def serve(stream: ByteStream) -> None:
        number = server.connections
        server.count(opened=1)
        try:
            if ssl_context:
                stream = await TLSStream.wrap(
                    stream, server_side=True, ssl_context=ssl_context, standard_compatible=False
                )
            await script(Peer(stream, number, server))
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError, ssl.SSLError):
            pass
        finally:
            server.count(opened=-1)
            await anyio.aclose_forcefully(stream)

    async with listener, anyio.create_task_group() as group:
        group.start_soon(listener.serve, serve)
        yield server
        group.cancel_scope.cancel()


async def answer_ok(peer: Peer) -> None:
    """Answer every request."""
    while True:
        await peer.request()
        await peer.send(OK)


async def get(exchange: Exchange, target: bytes = b"/", timeouts: Timeouts = TIMEOUTS) -> Answer:
    return await exchange.exchange(b"GET", target, b"", b"", timeouts)


@asynccontextmanager
async def connected(
    script: Script,
    *,
    max_connections: int = 128,
    idle_timeout: float = 50.0,
    server_context: ssl.SSLContext | None = None,
    client_context: ssl.SSLContext | None = None,
) -> AsyncIterator[tuple[ScriptedServer, Exchange]]:
    """Yield a server and an exchange with it, over TLS where the server has a context."""
    client = Http1Transport(
        max_connections=max_connections, idle_timeout=idle_timeout, ssl_context=client_context
    )
    with anyio.fail_after(10):
        async with (
            scripted_server(script, ssl_context=server_context) as server,
            client as transport,
            timed(transport.origin(server.url)) as exchange,
        ):
            yield server, exchange


@asynccontextmanager
async def timed(exchange: Exchange) -> AsyncIterator[Exchange]:
    """Let a watch keep the time of the exchanges in the block, if the test wants it."""
    async with anyio.create_task_group() as group:
        if is_watched:
            group.start_soon(exchange.keep_time)
            await anyio.wait_all_tasks_blocked()
        failure: BaseException | None = None
        try:
            yield exchange
        except Exception as error:  # noqa: BLE001 - raised again below, out of the group
            failure = error
        group.cancel_scope.cancel()
    if failure is not None:
        raise failure


@attrs.define(eq=False)
class Gate:
    """A script that answers with the connection's number, when the test lets it."""

    _opened: dict[str, anyio.Event] = attrs.field(factory=dict)

    def event(self, target: str) -> anyio.Event:
        return self._opened.setdefault(target, anyio.Event())

    async def script(self, peer: Peer) -> None:
        while True:
            target = (await peer.request()).split()[1].decode()
            peer.server.count(opened=0)
            if target != "/":
                await self.event(target).wait()
            body = b"%d" % peer.number
            await peer.send(b"HTTP/1.1 200 \r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))


async def exchange_with(
    script: Script, call: Callable[[Exchange], Awaitable[Answer]] = get, **options: int
) -> tuple[Answer, ScriptedServer]:
    failure: httpx.TransportError | None = None
    with anyio.fail_after(10):
        async with scripted_server(script) as server, Http1Transport(**options) as transport:
            try:
                async with timed(transport.origin(server.url)) as exchange:
                    answer = await call(exchange)
            except httpx.TransportError as error:
                failure = error
    if failure:
        raise failure
    return answer, server
