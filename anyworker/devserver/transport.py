"""The dev server in process: an httpx transport without a socket."""

from collections.abc import AsyncIterator, Callable

import anyio.lowlevel
import httpx

from anyworker.devserver.faults.kinds import Dropped, Loss, Truncated
from anyworker.devserver.http.exchange import JSON, Answer, Request
from anyworker.devserver.shells.shell import Respond


class DevServerTransport(httpx.AsyncBaseTransport):
    """Answer requests from a dev server's state, on asyncio and trio, also under virtual time.

    Scheme and host of a URL do not matter. A request that is cancelled before it began has no effect; a poll
    that is cancelled while it waits still takes its tasks.
    """

    def __init__(self, respond: Respond) -> None:
        self._respond = respond

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry out one request."""
        body = await request.aread()
        await anyio.lowlevel.checkpoint()
        path, _, query = request.url.raw_path.partition(b"?")
        reply = await self._respond(
            Request(
                request.method.upper(),
                path.decode("ascii", "replace"),
                query.decode("ascii", "replace"),
                request.headers.get("content-type"),
                body,
                request.headers.get("x-authorization"),
            )
        )
        match reply:
            case Dropped():
                raise _LOSSES[reply.how](request)
            case Truncated():
                return _response(reply.answer, _BrokenStream(reply, request))
            case answer:
                sent = b"" if request.method == "HEAD" else answer.body
                return _response(answer, httpx.ByteStream(sent))


def _response(answer: Answer, stream: httpx.AsyncByteStream) -> httpx.Response:
    return httpx.Response(
        answer.status, headers=answer.headers(), stream=stream, extensions={"http_version": b"HTTP/1.1"}
    )


class _BrokenStream(httpx.AsyncByteStream):
    """A body that breaks off."""

    def __init__(self, reply: Truncated, request: httpx.Request) -> None:
        self._reply = reply
        self._request = request

    async def __aiter__(self) -> AsyncIterator[bytes]:
        kept, body = self._reply.kept, self._reply.answer.body
        if kept:
            yield body[:kept]
        is_chunked = self._reply.answer.content_type is JSON
        detail = "incomplete chunked read" if is_chunked else f"received {kept} bytes, expected {len(body)}"
        message = f"peer closed connection without sending complete message body ({detail})"
        raise httpx.RemoteProtocolError(message, request=self._request)


def _closed(request: httpx.Request) -> httpx.TransportError:
    return httpx.RemoteProtocolError("Server disconnected without sending a response.", request=request)


def _reset(request: httpx.Request) -> httpx.TransportError:
    return httpx.ReadError("Connection reset by peer", request=request)


def _refused(request: httpx.Request) -> httpx.TransportError:
    return httpx.ConnectError("Connection refused", request=request)


_LOSSES: dict[Loss, Callable[[httpx.Request], httpx.TransportError]] = {
    "close": _closed,
    "reset": _reset,
    "refuse": _refused,
}
