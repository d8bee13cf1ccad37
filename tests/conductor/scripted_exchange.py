"""A server that is a function: the seam at which the client is tested without sockets."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import attrs
import msgspec

from anyworker.conductor.exchange import Answer, Timeouts

API = "http://conductor.test/api"


@attrs.frozen
class Sent:
    """One request as it reached the seam."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    timeouts: Timeouts

    @property
    def path(self) -> str:
        return urlsplit(self.target).path

    @property
    def query(self) -> list[tuple[str, str]]:
        return parse_qsl(urlsplit(self.target).query, keep_blank_values=True)

    @property
    def token(self) -> str | None:
        return self.headers.get("x-authorization")

    def json(self) -> object:
        return msgspec.json.decode(self.body)


Handler = Callable[[Sent], "Answer | Exception | Awaitable[Answer]"]


class ScriptedExchange:
    """Answer each request by a function of it, or by the next of a list of answers."""

    def __init__(self, *script: "Answer | Exception", handler: Handler | None = None) -> None:
        self.sent: list[Sent] = []
        self.is_closed = False
        self._script = list(script)
        self._handler = handler

    async def exchange(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Answer:
        assert headers.endswith(b"\r\n")
        lines = [line.partition(": ") for line in headers.decode("latin-1").split("\r\n")[:-1]]
        names = [name.lower() for name, _, _ in lines]
        assert len(set(names)) == len(names), "a header is sent twice"
        fields = {name.lower(): value for name, _, value in lines}
        self.sent.append(Sent(method.decode(), target.decode("ascii"), fields, body, timeouts))
        answer = self._handler(self.sent[-1]) if self._handler else self._script.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer if isinstance(answer, Answer) else await answer

    async def aclose(self) -> None:
        self.is_closed = True

    def paths(self) -> list[str]:
        return [sent.path for sent in self.sent]


def reply(status: int = 200, body: object = b"", **headers: str) -> Answer:
    """Return an answer; a body that is no bytes and no text becomes JSON."""
    fields = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    if isinstance(body, str):
        body = body.encode()
    return Answer(status, fields, body if isinstance(body, bytes) else msgspec.json.encode(body))


def refusal(status: int, message: str) -> Answer:
    """Return an error as Conductor gives it."""
    return reply(status, {"status": status, "message": message, "instance": "vm", "retryable": False})


def polled_task() -> dict[str, object]:
    """Return a task as the real server gave it to a poll, taken from the wire."""
    return msgspec.json.decode(Path(__file__).with_name("task_polled.json").read_bytes())
