"""Exchanges over any httpx transport: proxies, HTTP/2, mocks, applications in the same process."""

import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, Iterator
from typing import Final

import anyio
import attrs
import httpx

from anyworker.conductor.exchange import Answer, Timeouts
from anyworker.conductor.http1_request import check_lines, check_start

_IN_PROCESS: Final = (httpx.ASGITransport, httpx.MockTransport)
"""Transports without a connection: all their time is the answer's."""
_CLOSE_SECONDS: Final = 1.0
"""Bound of closing a response."""
_PIECE: Final = 16384
_CODING_HEADERS: Final = frozenset({b"content-encoding", b"content-length", b"transfer-encoding"})


@attrs.define(eq=False)
class ForeignExchange:
    """An ``Exchange`` over a transport that somebody else wrote.

    The transport is called directly, without httpx's client: no redirects, no cookies, no environment.
    It enforces the timeouts by its own lights; beyond that an exchange is cut off when the sum of its
    limits has passed, or the answer's head has been there for longer than the read timeout.

    Args:
        transport: What carries the requests; closed with this object.
        origin: Scheme, host and port count, the rest is ignored.
        max_body_bytes: Limit of an answer's body, its content coding removed.
    """

    _transport: httpx.AsyncBaseTransport
    _origin: httpx.URL = attrs.field(converter=httpx.URL)
    _max_body_bytes: int = attrs.field(default=256 * 1024 * 1024, kw_only=True)

    async def exchange(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Answer:
        """Send a request and return its whole answer, its content coding removed; see ``Exchange``."""
        check_start(method, target)
        check_lines(headers)
        try:
            url = self._origin.copy_with(raw_path=target)
        except httpx.InvalidURL as error:
            reason = f"the target cannot be sent: {error}"
            raise httpx.LocalProtocolError(reason) from error
        request = httpx.Request(
            method.decode("ascii"),
            url,
            headers=_parse_lines(headers),
            content=body or None,
            extensions={"timeout": attrs.asdict(timeouts)},
        )
        return await self._send(request, timeouts)

    async def keep_time(self) -> None:
        """Leave time limits to the exchanges themselves."""
        await anyio.sleep_forever()

    async def aclose(self) -> None:
        """Close the transport."""
        await self._transport.aclose()

    async def _send(self, request: httpx.Request, timeouts: Timeouts) -> Answer:
        seconds = timeouts.read
        if not isinstance(self._transport, _IN_PROCESS):
            seconds += timeouts.pool + timeouts.connect + timeouts.write
        try:
            with anyio.move_on_after(seconds) as scope:
                response = await self._transport.handle_async_request(request)
                try:
                    scope.deadline = min(scope.deadline, anyio.current_time() + timeouts.read)
                    return await self._read(response)
                finally:
                    with anyio.move_on_after(_CLOSE_SECONDS, shield=True):
                        await response.aclose()
        except httpx.DecodingError as error:
            reason = f"the answer's body is not what its content coding says: {error}"
            raise httpx.RemoteProtocolError(reason) from error
        except OSError as error:
            # Transports should turn these into httpx's, but not all do.
            reason = f"the transport failed: {error!r}"
            raise httpx.ReadError(reason) from error
        reason = f"no complete answer within {timeouts.read:g} s"
        raise httpx.ReadTimeout(reason)

    async def _read(self, response: httpx.Response) -> Answer:
        if response.status_code < 200:
            reason = f"the server answers with status {response.status_code}, which nobody asked for"
            raise httpx.RemoteProtocolError(reason)
        headers = [(name.lower(), value) for name, value in response.headers.raw]
        if response.is_stream_consumed:
            body = response.content
        else:
            body = await self._receive(response)
            if "content-encoding" in response.headers:
                body = self._decode(headers, body)
        if "content-encoding" in response.headers:
            # These describe the body as it was under way.
            headers = [(name, value) for name, value in headers if name not in _CODING_HEADERS]
        return Answer(response.status_code, headers, body)

    async def _receive(self, response: httpx.Response) -> bytes:
        """Return the body as it is under way."""
        body = bytearray()
        # Reading ends early at the limit, and trio wants generators closed where they were opened.
        async with contextlib.aclosing(_iterate(response.stream)) as pieces:
            async for piece in pieces:
                body += piece
                self._check_size(body)
        return bytes(body)

    def _decode(self, headers: list[tuple[bytes, bytes]], coded: bytes) -> bytes:
        """Remove the content coding piece by piece, so that a small body cannot fill the memory."""
        body = bytearray()
        for piece in httpx.Response(200, headers=headers, stream=_Pieces(coded)).iter_bytes():
            body += piece
            self._check_size(body)
        return bytes(body)

    def _check_size(self, body: bytearray) -> None:
        if len(body) > self._max_body_bytes:
            reason = f"the answer's body is longer than the limit of {self._max_body_bytes} bytes"
            raise httpx.RemoteProtocolError(reason)


class _Pieces(httpx.SyncByteStream):
    """A body in pieces of a moderate size."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), _PIECE):
            yield self._body[start : start + _PIECE]


async def _iterate(stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> AsyncGenerator[bytes, None]:
    """Iterate over a body, and close its iterator with this one, if it can be closed."""
    if not isinstance(stream, AsyncIterable):
        for piece in stream:
            yield piece
        return
    pieces = aiter(stream)
    try:
        async for piece in pieces:
            yield piece
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()


def _parse_lines(lines: bytes) -> list[tuple[bytes, bytes]]:
    """Return checked header lines as httpx takes them."""
    headers = []
    for line in lines.split(b"\r\n")[:-1]:
        name, _, value = line.partition(b":")
        headers.append((name, value.strip()))
    return headers
