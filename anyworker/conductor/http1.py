"""HTTP/1.1 with kept connections, on anyio and httptools."""

import math
import ssl
from collections.abc import AsyncIterable, Coroutine, Iterable
from typing import Any, Final

import attrs
import httpx
from anyio.lowlevel import checkpoint_if_cancelled

from anyworker.conductor.exchange import Answer, Timeouts
from anyworker.conductor.http1_pool import Address, Pool, PoolOptions, offer_http1
from anyworker.conductor.http1_request import check_header, check_lines, check_start, encode

_PORTS: Final = {"http": 80, "https": 443}
_FEW_HEADS: Final = 1024
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding"})


class Http1Transport(httpx.AsyncBaseTransport):
    """Carry requests over kept connections, on asyncio and trio.

    It serves ``httpx.AsyncClient(transport=...)``, and more cheaply a client that asks for one ``origin``.
    It never sends a request twice, follows no redirect, and gives answers as a whole, never as a stream.
    Bodies are never longer than ``max_body_bytes``, so they fit into memory.

    Args:
        ssl_context: For https; by default the system's certificates are trusted. It is told to offer
            HTTP/1.1 only.
        max_connections: Open at once, over all origins. Who needs one more waits, first come, first served.
        idle_timeout: Seconds after which an idle connection is not used again. Conductor closes it after 60.
        max_header_bytes: Limit of an answer's head.
        max_body_bytes: Limit of an answer's body.
    """

    def __init__(
        self,
        *,
        ssl_context: ssl.SSLContext | None = None,
        max_connections: int = 128,
        idle_timeout: float = 50.0,
        max_header_bytes: int = 65536,
        max_body_bytes: int = 256 * 1024 * 1024,
    ) -> None:
        if max_connections < 1:
            reason = f"max_connections must be at least 1, not {max_connections}"
            raise ValueError(reason)
        options = PoolOptions(
            max_connections=max_connections,
            idle_timeout=idle_timeout,
            max_header_bytes=max_header_bytes,
            max_body_bytes=max_body_bytes,
        )
        self._pool = Pool(options, offer_http1(ssl_context) if ssl_context else None)

    def origin(self, url: str) -> "Origin":
        """Return the way to one server.

        Args:
            url: Scheme, host and port count, the rest is ignored.

        Raises:
            httpx.UnsupportedProtocol: It is not http or https, or has no host.
            httpx.InvalidURL: It is no URL.
        """
        parsed = httpx.URL(url)
        return Origin(self._pool, _address(parsed), b"Host: %b\r\n" % parsed.netloc)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request and return its whole answer, its content coding untouched.

        Of the request's ``timeout`` extension, None is no limit, and what is absent has its limit from
        ``Timeouts``. The read timeout bounds the whole answer, not the time between two pieces of it.

        Raises:
            httpx.TransportError: No usable answer.
        """
        address = _address(request.url)
        method = request.method.encode("ascii", "replace")
        target = request.extensions.get("target", request.url.raw_path)
        check_start(method, target)
        lines = _lines(request.headers.raw)
        await checkpoint_if_cancelled()
        answer = await self._pool.exchange(
            address,
            encode(method, target, lines, await _body(request.stream)),
            _timeouts(request.extensions.get("timeout", {})),
            is_head=method == b"HEAD",
            is_last="close" in request.headers.get("connection", "").lower(),
        )
        return httpx.Response(
            answer.status,
            headers=answer.headers,
            stream=httpx.ByteStream(answer.body),
            extensions={"http_version": b"HTTP/" + answer.http_version.encode()},
        )

    async def aclose(self) -> None:
        """Close all connections, those in use after their exchange. It can be used again."""
        await self._pool.aclose()


@attrs.define(eq=False)
class Origin:
    """One server behind the transport: an ``Exchange`` of bytes, without httpx's types."""

    _pool: Pool
    _address: Address
    _host_line: bytes
    _good_heads: set[tuple[bytes, bytes, bytes]] = attrs.field(init=False, factory=set, repr=False)
    """What was found good: a client sends the same few heads again and again."""

    def exchange(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Coroutine[Any, Any, Answer]:
        """Send a request and return its whole answer; see ``Exchange.exchange``."""
        if (method, target, headers) not in self._good_heads:
            self._check_head(method, target, headers)
        request = encode(method, target, self._host_line + headers, body)
        return self._pool.exchange(self._address, request, timeouts, is_head=method == b"HEAD", is_last=False)

    async def keep_time(self) -> None:
        """Keep the time of all exchanges, at less cost; see ``Exchange.keep_time``."""
        await self._pool.watch.run()

    async def aclose(self) -> None:
        """Close all connections to this server, those in use after their exchange."""
        await self._pool.aclose(self._address)

    def _check_head(self, method: bytes, target: bytes, lines: bytes) -> None:
        check_start(method, target)
        check_lines(lines)
        if len(self._good_heads) >= _FEW_HEADS:
            self._good_heads.clear()
        self._good_heads.add((method, target, lines))


def _address(url: httpx.URL) -> Address:
    if url.scheme not in _PORTS or not url.raw_host:
        reason = f"{url!s} is not the URL of an http or https server"
        raise httpx.UnsupportedProtocol(reason)
    return Address(url.scheme == "https", url.raw_host.decode("ascii"), url.port or _PORTS[url.scheme])


def _lines(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return httpx's headers as lines, without the framing of a body that is sent as a whole."""
    lines = []
    for name, value in headers:
        if name.lower() in _FRAMING:
            continue
        check_header(name, value)
        lines.append(b"%b: %b\r\n" % (name, value))
    return b"".join(lines)


async def _body(stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> bytes:
    if isinstance(stream, AsyncIterable):
        return b"".join([chunk async for chunk in stream])
    return b"".join(stream)


def _timeouts(given: dict[str, float | None]) -> Timeouts:
    """Return httpx's timeouts as ours."""
    limits = {name: given[name] for name in ("connect", "read", "write", "pool") if name in given}
    return Timeouts(**{name: math.inf if limit is None else limit for name, limit in limits.items()})
