"""The dev server as an ASGI application, for uvicorn and its like."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from anyworker.devserver.exchange import Request
from anyworker.devserver.shell import Shell

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class DevServerApp:
    """An ASGI 3 application over a dev server's state."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

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
        answer = await self._shell.respond(request)
        await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers()})
        await send({"type": "http.response.body", "body": answer.body})


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
