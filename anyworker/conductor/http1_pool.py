"""Kept connections of all origins under one limit."""

import ssl
import time
from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

import anyio
import anyio.to_thread
import attrs
import httpx

from anyworker.conductor.exchange import Answer, Timeouts
from anyworker.conductor.http1_connection import Connection, close
from anyworker.conductor.http1_parser import AnswerParser
from anyworker.conductor.http1_watch import Watch

if TYPE_CHECKING:
    from anyio.abc import ByteStream

_FEW_ORIGINS: Final = 64
"""From this many on, origins without a connection are forgotten."""


class Address(NamedTuple):
    """Where an origin is."""

    is_tls: bool
    host: str
    """A name in ASCII, or an address without brackets."""
    port: int


@attrs.frozen(kw_only=True)
class PoolOptions:
    """Settings of a pool."""

    max_connections: int
    """Open at once, whether in use or idle."""
    idle_timeout: float
    """Seconds after which an idle connection is not used again."""
    max_header_bytes: int
    max_body_bytes: int


class Permits:
    """A number of permits, handed out first come, first served."""

    __slots__ = ("_waiting", "free")

    free: int
    """Permits that nobody holds; zero while somebody waits."""

    def __init__(self, total: int) -> None:
        self.free = total
        self._waiting: deque[anyio.Event] = deque()

    async def acquire(self) -> None:
        """Wait for a permit. A cancelled wait loses none."""
        if self.free:
            self.free -= 1
            return
        turn = anyio.Event()
        self._waiting.append(turn)
        try:
            await turn.wait()
        except BaseException:
            if turn.is_set():
                self.release()
            else:
                self._waiting.remove(turn)
            raise

    def release(self) -> None:
        """Give a permit to who waits longest, or back."""
        if self._waiting:
            self._waiting.popleft().set()
        else:
            self.free += 1


@attrs.define(eq=False)
class Pool:
    """Connections by origin, most recently used first.

    Every exchange holds a permit, so no more than ``max_connections`` are in use; where idle ones would
    exceed that number, the one that has been idle longest is closed.
    """

    _options: PoolOptions
    _ssl_context: ssl.SSLContext | None
    watch: Watch = attrs.field(init=False, factory=Watch)
    """Keeps the time of exchanges while somebody runs it."""
    _permits: Permits = attrs.field(init=False)
    _idle: dict[Address, deque[Connection]] = attrs.field(init=False, factory=dict)
    """Right: used last."""
    _epoch: int = attrs.field(init=False, default=0)
    """Connections of an earlier epoch are not kept."""

    def __attrs_post_init__(self) -> None:
        self._permits = Permits(self._options.max_connections)

    async def exchange(
        self, address: Address, request: bytes, timeouts: Timeouts, *, is_head: bool, is_last: bool
    ) -> Answer:
        """Send a request over a kept connection, or a new one, and return its whole answer.

        Args:
            address: Where to.
            request: Head and body.
            timeouts: Limits of its phases.
            is_head: Whether its method is HEAD.
            is_last: Whether the request asks for the connection to be closed.

        Raises:
            httpx.TransportError: No usable answer. The connection, if there was one, is closed.
        """
        if self._permits.free:
            self._permits.free -= 1
        else:
            await self._wait_for_permit(timeouts.pool)
        connection: Connection | None = None
        is_kept = False
        try:
            connection = self._take_quiet(address) or await self._find(address, timeouts.connect)
            watch = self.watch if self.watch.is_running else None
            answer = await connection.exchange(request, is_head=is_head, timeouts=timeouts, watch=watch)
            is_kept = connection.keeps_alive and not is_last and connection.epoch == self._epoch
        finally:
            self._permits.release()
            if connection is not None:
                if is_kept:
                    self._keep(address, connection)
                else:
                    await close(connection)
        return answer

    async def aclose(self, address: Address | None = None) -> None:
        """Close the idle connections, of one origin or of all; those in use close after their exchange."""
        self._epoch += 1
        addresses = list(self._idle) if address is None else [address]
        await close(*(each for key in addresses for each in self._idle.pop(key, ())))

    def _keep(self, address: Address, connection: Connection) -> None:
        connection.expires = time.monotonic() + self._options.idle_timeout
        idle = self._idle.get(address)
        if idle is None:
            idle = self._idle[address] = deque()
        idle.append(connection)

    async def _wait_for_permit(self, seconds: float) -> None:
        with anyio.move_on_after(seconds):
            await self._permits.acquire()
            return
        reason = f"all {self._options.max_connections} connections were in use for {seconds:g} s"
        raise httpx.PoolTimeout(reason)

    def _take_quiet(self, address: Address) -> Connection | None:
        """Return the connection that was used last, if all is well with it and none is due to be closed."""
        idle = self._idle.get(address)
        if idle and idle[0].expires > time.monotonic() and idle[-1].is_quiet():
            return idle.pop()
        return None

    async def _find(self, address: Address, seconds: float) -> Connection:
        """Return a usable idle connection or a new one, closing those that are no longer good."""
        idle = self._idle.get(address) or deque()
        while idle and idle[0].expires <= time.monotonic():
            await close(idle.popleft())
        while idle:
            connection = idle.pop()
            is_usable = False
            try:
                is_usable = connection.is_quiet() or await connection.settles()
            finally:
                if not is_usable:
                    await close(connection)
            if is_usable:
                return connection
        return await self._connect(address, seconds)

    async def _connect(self, address: Address, seconds: float) -> Connection:
        await self._make_room()
        try:
            with anyio.move_on_after(seconds):
                return await self._open(address)
        except (OSError, ValueError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
            reason = f"cannot connect to {address.host}, port {address.port}: {_reason(error)}"
            raise httpx.ConnectError(reason) from error
        reason = f"no connection to {address.host}, port {address.port} within {seconds:g} s"
        raise httpx.ConnectTimeout(reason)

    async def _make_room(self) -> None:
        """Close the connection that was idle longest, of whatever origin, if another would be too many."""
        in_use = self._options.max_connections - self._permits.free
        if in_use + sum(map(len, self._idle.values())) > self._options.max_connections:
            oldest = min((idle for idle in self._idle.values() if idle), key=lambda idle: idle[0].expires)
            await close(oldest.popleft())
        if len(self._idle) > _FEW_ORIGINS:
            self._idle = {address: idle for address, idle in self._idle.items() if idle}

    async def _open(self, address: Address) -> Connection:
        if address.is_tls:
            if self._ssl_context is None:
                # Reading the system's certificates takes tens of milliseconds.
                self._ssl_context = await anyio.to_thread.run_sync(_default_ssl_context)
            stream: ByteStream = await anyio.connect_tcp(
                address.host, address.port, ssl_context=self._ssl_context, tls_standard_compatible=False
            )
        else:
            stream = await anyio.connect_tcp(address.host, address.port)
        parser = AnswerParser(
            max_header_bytes=self._options.max_header_bytes, max_body_bytes=self._options.max_body_bytes
        )
        try:
            return Connection(stream, parser, self._epoch)
        except BaseException:
            # The other side has gone already: the socket has no peer to tell of.
            await anyio.aclose_forcefully(stream)
            raise


def offer_http1(context: ssl.SSLContext) -> ssl.SSLContext:
    """Make a context offer HTTP/1.1 in the handshake (ALPN), and return it."""
    context.set_alpn_protocols(["http/1.1"])
    return context


def _default_ssl_context() -> ssl.SSLContext:
    return offer_http1(ssl.create_default_context())


def _reason(error: BaseException) -> str:
    """Say why, where anyio only says that all attempts failed."""
    cause = error.__cause__
    if isinstance(cause, BaseExceptionGroup):
        return "; ".join(dict.fromkeys(str(each) for each in cause.exceptions))
    return str(cause or error) or type(error).__name__
