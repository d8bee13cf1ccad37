"""What can go wrong with a request: each kind of fault, and what a client gets instead of an answer."""

import http
from typing import Literal, get_args

import attrs

from anyworker.devserver.http.exchange import HTML, JSON, TEXT, Answer, Request, refused
from anyworker.devserver.orkes.tokens import EXPIRED, Unauthorized
from anyworker.devserver.wire import complaints, errors
from anyworker.devserver.wire.jsontext import encode

Loss = Literal["close", "reset", "refuse"]
"""How a connection is lost: closed without an answer, reset, or never made (on a socket: reset)."""
LOSSES: tuple[Loss, ...] = get_args(Loss)

_PHRASES = {status.value: status.phrase for status in http.HTTPStatus}
PAGE = b"<!doctype html><html><head><title>Sign in</title></head><body><h1>Please sign in</h1></body></html>"
"""What a proxy may put in the place of the API."""


@attrs.frozen
class Dropped:
    """The connection is lost before a byte of the answer."""

    how: Loss


@attrs.frozen
class Truncated:
    """The connection is closed in the midst of the body."""

    answer: Answer
    """The whole of it."""
    kept: int
    """How many bytes of the body arrive; fewer than there are."""


Reply = Answer | Dropped | Truncated
"""What becomes of a request."""


@attrs.frozen
class Drop:
    """Lose the connection."""

    how: Loss = "close"
    after_effect: bool = False
    is_exclusive = True

    def reply(self, _request: Request, _answer: Answer | None, _now: int) -> Reply:
        """Return what becomes of the request."""
        return Dropped(self.how)


@attrs.frozen
class Say:
    """Give another answer."""

    status: int
    content_type: bytes | None = None
    body: bytes | None = None
    """None: what goes with the status."""
    retry_after: str | None = None
    after_effect: bool = False
    is_exclusive = True

    def reply(self, _request: Request, _answer: Answer | None, now: int) -> Reply:
        """Return what becomes of the request."""
        if self.body is None:
            answer = _error(self.status, now)
        else:
            answer = Answer(self.status, self.content_type, self.body)
        if self.retry_after is None:
            return answer
        return attrs.evolve(answer, extra=((b"retry-after", self.retry_after.encode()),))


@attrs.frozen
class Forget:
    """Be a server of the time before the endpoint existed."""

    status: Literal[404, 405]
    after_effect: bool = False
    is_exclusive = True

    def reply(self, request: Request, _answer: Answer | None, _now: int) -> Reply:
        """Return what becomes of the request."""
        if self.status == 404:
            return refused(errors.unknown_path(request.path))
        return refused(complaints.wrong_method(request.method))


@attrs.frozen
class Truncate:
    """Break off in the midst of the body."""

    keep: int | None = None
    """Bytes that arrive; None for the half."""
    after_effect: bool = True
    is_exclusive = True

    def reply(self, _request: Request, answer: Answer | None, _now: int) -> Reply | None:
        """Return what becomes of the request, None if its answer has nothing to be cut off."""
        if answer is None or not answer.body:
            return None
        length = len(answer.body)
        return Truncated(answer, min(length // 2 if self.keep is None else self.keep, length - 1))


@attrs.frozen
class Pause:
    """Let the request wait."""

    seconds: float | None
    """None: until it is released."""
    after_effect: bool = False
    is_exclusive = False


@attrs.frozen
class Duplicate:
    """Hand the tasks that a poll brings to the next poll of the same queue as well."""

    after_effect: bool = True
    is_exclusive = False


@attrs.frozen
class Surplus:
    """Let a batch poll bring more than it asked for."""

    extra: int
    after_effect: bool = True
    is_exclusive = False


@attrs.frozen
class Nothing:
    """Let the request pass."""

    after_effect: bool = False
    is_exclusive = True

    def reply(self, _request: Request, _answer: Answer | None, _now: int) -> None:
        """Leave the request alone."""


Outcome = Drop | Say | Forget | Truncate | Nothing
"""Kinds of which a request meets one at most."""
Delivery = Duplicate | Surplus
Kind = Outcome | Pause | Delivery


def body_of(content: object) -> tuple[bytes | None, bytes | None]:
    """Return content type and bytes of a body: of bytes or text as HTML or plain text, else of JSON."""
    if content is None:
        return None, None
    if isinstance(content, (str, bytes)):
        data = content if isinstance(content, bytes) else content.encode()
        return HTML if data.lstrip().startswith(b"<") else TEXT, data
    return JSON, encode(content)


def _error(status: int, now: int) -> Answer:
    if status < 400:
        return Answer(status)
    if status == 401:
        return refused(Unauthorized(EXPIRED, "Token has expired", now))
    phrase = _PHRASES.get(status, "Failed")
    return refused(errors.RequestRefused(status, f"{phrase} (a fault on demand)"))
