"""An ASGI application that shows every form of answer; uvicorn and hypercorn serve it in tests."""

import gzip
from collections.abc import Awaitable, Callable
from typing import Any

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

PLAIN = {
    "/ok": (200, [(b"content-length", b"2")], b"ok"),
    "/empty": (204, [], b""),
    "/unchanged": (304, [(b"etag", b'"x"')], b""),
    "/missing": (404, [(b"content-length", b"7")], b"missing"),
    "/moved": (302, [(b"location", b"/ok"), (b"content-length", b"0")], b""),
    "/close": (200, [(b"connection", b"close"), (b"content-length", b"3")], b"bye"),
    "/gzip": (200, [(b"content-encoding", b"gzip")], gzip.compress(b"squeezed")),
}


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Answer by the path; ``/echo`` gives the body back, ``/client`` the port of the client's end.

    ``/never`` waits for the client to go.
    """
    if scope["type"] != "http":
        return
    body = b""
    is_more = True
    while is_more:
        message = await receive()
        body += message.get("body", b"")
        is_more = message.get("more_body", False)
    if scope["path"] == "/never":
        await receive()
        return
    headers = [(b"x-method", scope["method"].encode())]
    pieces = [body]
    status = 200
    if scope["path"] in PLAIN:
        status, more_headers, plain = PLAIN[scope["path"]]
        headers += more_headers
        pieces = [plain]
    elif scope["path"] == "/chunked":
        pieces = [b"%d," % number for number in range(1000)]
    elif scope["path"] == "/client":
        pieces = [b"%d" % scope["client"][1]]
    elif scope["path"] == "/target":
        pieces = [scope["raw_path"] + b"?" + scope["query_string"]]
    if scope["method"] == "HEAD":
        pieces = []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    for piece in pieces:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
