"""The dev server in process: an httpx transport without a socket."""

import anyio.lowlevel
import httpx

from anyworker.devserver.exchange import Request
from anyworker.devserver.shell import Shell


class DevServerTransport(httpx.AsyncBaseTransport):
    """Answer requests from a dev server's state, on asyncio and trio, also under virtual time.

    Scheme and host of a URL do not matter. A request that is cancelled before it began has no effect; a poll
    that is cancelled while it waits still takes its tasks.
    """

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Carry out one request."""
        body = await request.aread()
        await anyio.lowlevel.checkpoint()
        path, _, query = request.url.raw_path.partition(b"?")
        answer = await self._shell.respond(
            Request(
                request.method.upper(),
                path.decode("ascii", "replace"),
                query.decode("ascii", "replace"),
                request.headers.get("content-type"),
                body,
                request.headers.get("x-authorization"),
            )
        )
        sent = b"" if request.method == "HEAD" else answer.body
        return httpx.Response(
            answer.status,
            headers=answer.headers(),
            stream=httpx.ByteStream(sent),
            extensions={"http_version": b"HTTP/1.1"},
        )
