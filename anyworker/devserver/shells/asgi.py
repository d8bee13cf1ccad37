"""The dev server as an ASGI application, for uvicorn and its like."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anyworker.devserver.faults.kinds import Dropped, Truncated
from anyworker.devserver.http.exchange import CLOSE, JSON, Request
from anyworker.devserver.shells.connections import Connections, Transport, close, transport_of
from anyworker.devserver.shells.shell import Respond
from anyworker.errors import AnyworkerError

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class DevServerApp:
    """An ASGI 3 application over a dev server's state."""

    def __init__(self, respond: Respond) -> None:
        self._respond = respond
        self._connections = Connections()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request, or the lifespan of the server that runs the application."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, send)
        else:
            # The real server knows no web sockets either: this closes one before it is accepted.
            await send({"type": "websocket.close"})

    async def _serve(self, scope: Message, receive: Receive, send: Send) -> None:
        body = await _body(receive)
        if body is None:
            return
        raw_path: bytes = scope.get("raw_path") or scope["path"].encode()
        headers = scope["headers"]
        request = Request(
            scope["method"].upper(),
            raw_path.partition(b"?")[0].decode("ascii", "replace"),
            scope["query_string"].decode("ascii", "replace"),
            _header(headers, b"content-type"),
            body,
            _header(headers, b"x-authorization"),
        )
        # Disconnects are not listened for: a poll whose client has gone takes tasks, as on the real server.
        reply = await self._respond(request)
        transport = transport_of(receive)
        match reply:
            case Dropped():
                await _lose(transport, receive, reset=reply.how != "close")
            case Truncated():
                await _send_part(reply, transport, receive, send)
            case answer:
                headers = answer.headers()
                if transport is not None and self._connections.is_last(transport) and CLOSE not in headers:
                    headers.append(CLOSE)
                if scope.get("http_version") == "1.0" and answer.content_type is JSON:
                    # HTTP/1.0 knows no chunks, in which uvicorn would send what has no length.
                    headers.append((b"content-length", str(len(answer.body)).encode()))
                await send({"type": "http.response.start", "status": answer.status, "headers": headers})
                await send({"type": "http.response.body", "body": answer.body})


async def _lose(transport: Transport | None, receive: Receive, *, reset: bool) -> None:
    """End the connection without an answer."""
    if transport is None:
        raise ConnectionLost
    close(transport, reset=reset)
    await _until_gone(receive)


async def _send_part(reply: Truncated, transport: Transport | None, receive: Receive, send: Send) -> None:
    """Begin to answer, and end the connection in the midst of the body."""
    answer = reply.answer
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers()})
    await send({"type": "http.response.body", "body": answer.body[: reply.kept], "more_body": True})
    if transport is None:
        raise ConnectionLost
    transport.close()
    await _until_gone(receive)


async def _until_gone(receive: Receive) -> None:
    """Wait until uvicorn knows that the connection is gone; else it would complain of a missing answer."""
    while (await receive())["type"] != "http.disconnect":
        pass


class ConnectionLost(AnyworkerError):
    """Make a server that is not uvicorn end a connection as it ends one when an application fails."""

    def __init__(self) -> None:
        super().__init__("the connection is lost on demand")


async def _live(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await send({"type": "lifespan.shutdown.complete"})
            return


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, None when the client went away before it was complete."""
    parts: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            return b"".join(parts)


def _header(headers: list[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    for name, value in headers:
        if name == wanted:
            return value.decode("latin-1")
    return None
