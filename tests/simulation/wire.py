"""What goes between one process of a run and the server, read by somebody who believes neither."""

import json
from typing import Any, Literal, Protocol

import anyio
import attrs
import httpx

POLL = "/api/tasks/poll/batch/"
UPDATES = {"/api/tasks", "/api/tasks/update-v2"}


@attrs.define(eq=False)
class Exchange:
    """One request and its answer."""

    life: int
    """The number of the process that sent it."""
    what: Literal["poll", "update", "beat", "look", "other"]
    label: str
    """Method and path, for people."""
    params: dict[str, str]
    body: Any
    status: int | None = None
    """None: no answer came."""
    is_cancelled: bool = False
    """Whether its process did not wait for the answer."""
    sent: float = 0.0
    """Loop time."""
    answer: Any = None
    """Its body, where that is JSON."""

    @property
    def task_id(self) -> str | None:
        """The task that it is about, None for none or several."""
        if self.what == "look":
            return self.label.rpartition("/")[2]
        return self.body["taskId"] if self.what in {"update", "beat"} else None

    @property
    def task_type(self) -> str:
        """The task type of a poll."""
        return self.label.rpartition("/")[2]

    @property
    def brought(self) -> list[Any]:
        """The tasks that came with the answer."""
        if not self.is_accepted or not isinstance(self.answer, list | dict):
            return []
        if self.what == "poll" and isinstance(self.answer, list):
            return self.answer
        return [self.answer] if self.label == "POST /api/tasks/update-v2" else []

    @property
    def is_token(self) -> bool:
        """Whether it asks for a token."""
        return self.label == "POST /api/token"

    @property
    def is_accepted(self) -> bool:
        """Whether the answer says that all went well."""
        return self.status is not None and self.status < 300


class Listener(Protocol):
    """Hears of exchanges."""

    def sent(self, exchange: Exchange) -> None:
        """A request begins."""
        ...

    def ended(self, exchange: Exchange) -> None:
        """Its answer has come, or it is certain that none will."""
        ...


@attrs.define(eq=False)
class Wire(httpx.AsyncBaseTransport):
    """Carry the requests of one process; cut it, and the process is as good as killed."""

    inner: httpx.AsyncBaseTransport
    life: int
    listener: Listener
    is_cut: bool = False

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if self.is_cut:
            raise httpx.ConnectError("this process is dead")
        exchange = _exchange(self.life, request, await request.aread())
        exchange.sent = anyio.current_time()
        self.listener.sent(exchange)
        try:
            response = await self.inner.handle_async_request(request)
            body = await response.aread()
            exchange.status, exchange.answer = response.status_code, _json(body)
        except anyio.get_cancelled_exc_class():
            exchange.is_cancelled = True
            raise
        finally:
            if not self.is_cut:
                self.listener.ended(exchange)
        return httpx.Response(response.status_code, headers=response.headers, content=body)


def _exchange(life: int, request: httpx.Request, sent: bytes) -> Exchange:
    path, body = request.url.path, _json(sent)
    what: Literal["poll", "update", "beat", "look", "other"] = "other"
    if path.startswith(POLL):
        what = "poll"
    elif request.method == "POST" and path in UPDATES:
        what = "beat" if body.get("extendLease") else "update"
    elif (
        request.method == "GET"
        and path.startswith("/api/tasks/")
        and path.count("/") == 3
        and "search" not in path
    ):
        what = "look"
    return Exchange(life, what, f"{request.method} {path}", dict(request.url.params), body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
