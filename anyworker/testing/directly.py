"""Ask a server in this process without waiting: in plain tests, and in async ones without ``await``."""

from collections.abc import Coroutine
from typing import Any, TypeVar

from anyworker.conductor.exchange import Answer, Timeouts
from anyworker.devserver import DevServer
from anyworker.devserver.http.exchange import Request

T = TypeVar("T")


class DirectExchange:
    """An `Exchange` whose coroutines never wait: the server answers at once, and no fault disturbs it."""

    def __init__(self, server: DevServer) -> None:
        self._server = server

    async def exchange(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Answer:
        """Carry out a request."""
        del timeouts
        path, _, query = target.decode("ascii").partition("?")
        lines = dict(line.partition(b": ")[::2] for line in headers.lower().split(b"\r\n"))
        content_type = lines.get(b"content-type", b"").decode("latin-1") or None
        answer = self._server.answer(Request(method.decode("ascii"), path, query, content_type, body))
        return Answer(answer.status, answer.headers(), answer.body)

    async def keep_time(self) -> None:
        """There is no time to keep."""

    async def aclose(self) -> None:
        """There is nothing to close."""


def at_once(coroutine: Coroutine[Any, Any, T]) -> T:
    """Return what a coroutine returns that never waits, without an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    message = "the coroutine waits for something"
    raise AssertionError(message)
