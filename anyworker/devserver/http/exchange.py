"""One request to the server and one answer, apart from any way of carrying them."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar
from urllib.parse import unquote, unquote_plus

import attrs

from anyworker.devserver.queueing.polls import Poll
from anyworker.devserver.timing.watches import Watch
from anyworker.devserver.wire import complaints, errors
from anyworker.devserver.wire.jsontext import decode, encode

JSON = b"application/json"
TEXT = b"text/plain;charset=UTF-8"
HTML = b"text/html;charset=utf-8"
CLOSE = (b"connection", b"close")
"""The header of an answer after which the server closes the connection."""

_JSON_TYPE = re.compile(r"application/(?:[\w.-]+\+)?json", re.IGNORECASE)
_TRUE = frozenset({"true", "on", "yes", "1"})
_FALSE = frozenset({"false", "off", "no", "0"})


@attrs.frozen
class Request:
    """What a client sent."""

    method: str
    """Upper case."""
    path: str
    """Percent-encoded, with its leading slash."""
    query: str = ""
    """Percent-encoded, without the question mark."""
    content_type: str | None = None
    body: bytes = b""
    token: str | None = attrs.field(default=None, repr=False)
    """The header ``X-Authorization``, which only the Orkes flavor looks at."""


@attrs.frozen
class Answer:
    """What the server says."""

    status: int
    content_type: bytes | None = None
    body: bytes = b""
    allow: str | None = None
    extra: tuple[tuple[bytes, bytes], ...] = ()
    """Headers beyond those of the real server."""

    def headers(self) -> list[tuple[bytes, bytes]]:
        """Return the headers as the real server sends them.

        A JSON body has no Content-Length there: it goes out in chunks, which is left to the carrier.
        """
        headers: list[tuple[bytes, bytes]] = []
        if self.content_type is not None:
            headers.append((b"content-type", self.content_type))
        if self.content_type is not JSON and self.status != 204:
            headers.append((b"content-length", str(len(self.body)).encode()))
        if self.allow is not None:
            headers.append((b"allow", self.allow.encode()))
        if self.status in {400, 500}:
            headers.append(CLOSE)
        headers.extend(self.extra)
        return headers


Awaited = TypeVar("Awaited", Poll, Watch)


@attrs.frozen
class Pending(Generic[Awaited]):
    """The answer comes of a poll or a watch, when that is done."""

    awaited: Awaited
    render: Callable[[Awaited, int], Answer]
    """Turns what was waited for into the answer, given the time."""

    def answer(self, now: int) -> Answer:
        """Return the answer, after what was waited for is done."""
        return self.render(self.awaited, now)


Outcome = Answer | Pending[Poll] | Pending[Watch]
"""What the API says at once."""


EMPTY = Answer(200)
NO_CONTENT = Answer(204)


def as_json(value: object) -> Answer:
    """Answer 200 with JSON."""
    return Answer(200, JSON, encode(value))


def as_text(value: str) -> Answer:
    """Answer 200 with text."""
    return Answer(200, TEXT, value.encode())


def refused(error: errors.RequestRefused) -> Answer:
    """Answer with an error."""
    return Answer(error.status, JSON, error.body())


@attrs.define
class Call:
    """A request on its way through an endpoint, with what its path and query say."""

    request: Request
    now: int
    """Epoch milliseconds."""
    variables: tuple[str, ...] = ()
    """The variable segments of the path."""
    _query: dict[str, list[str]] | None = None

    def values(self, name: str) -> list[str] | None:
        """Return all values of a query parameter, None if it is absent."""
        if self._query is None:
            self._query = _parse_query(self.request.query)
        return self._query.get(name)

    def text(self, name: str) -> str | None:
        """Return a query parameter, repeated values joined with commas; None if it is absent."""
        values = self.values(name)
        return None if values is None else ",".join(values)

    def required_text(self, name: str) -> str:
        """Return a query parameter.

        Raises:
            RequestRefused: 500, it is absent.
        """
        value = self.text(name)
        if value is None:
            raise complaints.missing_parameter(name)
        return value

    def whole(self, name: str, default: int, kind: str = "int") -> int:
        """Return a number from the query; absent or empty is the default.

        Raises:
            RequestRefused: 500, it is no number.
        """
        number = self.boxed(name, kind)
        return default if number is None else number

    def boxed(self, name: str, kind: str = "java.lang.Integer") -> int | None:
        """Return a number from the query, None if it is absent or empty.

        Raises:
            RequestRefused: 500, it is no number.
        """
        values = self.values(name)
        if values is None or values[0] == "":
            return None
        return whole(name, values[0], kind)

    def flag(self, name: str, *, default: bool) -> bool:
        """Return a boolean from the query; absent or empty is the default.

        Raises:
            RequestRefused: 500, it is neither true nor false.
        """
        values = self.values(name)
        value = "" if values is None else values[0]
        told = value.strip().lower()
        if told in _TRUE or told in _FALSE:
            return told in _TRUE
        if told:
            raise complaints.bad_flag(name, value)
        return default

    def raw(self, signature: str) -> bytes:
        """Return the body, whatever it is.

        Args:
            signature: The server's method, as its message for a missing body names it.

        Raises:
            RequestRefused: 500, there is none; 400 or 500, its content type is none.
        """
        _check_content_type(self.request.content_type)
        if not self.request.body:
            raise complaints.missing_body(signature)
        return self.request.body

    def json(self, signature: str) -> Any:
        """Return the value in the body.

        Args:
            signature: The server's method, as its message for a missing body names it.

        Raises:
            RequestRefused: 500, there is none, or it is not JSON.
        """
        request = self.request
        if request.body or request.content_type:
            _check_json(request.content_type)
        if not request.body:
            raise complaints.missing_body(signature)
        value = decode(request.body)
        if value is None:
            raise complaints.missing_body(signature)
        return value


Endpoint = Callable[[Call], Outcome]
Endpoints = Iterator[tuple[str, str, Endpoint]]
"""Method, path and handler of each."""


def whole(name: str, value: str, kind: str) -> int:
    """Return a number from a path or a query, decimal or hexadecimal.

    Args:
        name: The parameter's.
        value: Its text.
        kind: Its Java type, as the message for a text that is no number names it.

    Raises:
        RequestRefused: 500, it is no number.
    """
    text = "".join(value.split())
    limit = 2 ** (63 if kind in {"long", "java.lang.Long"} else 31)
    try:
        if "_" in text:
            raise ValueError  # Python's own
        number = int(text, 16 if text.lower().lstrip("+-").startswith("0x") else 10)
    except ValueError:
        raise complaints.bad_number(name, kind, text) from None
    if not -limit <= number < limit:
        raise complaints.bad_number(name, kind, text)
    return number


def _check_content_type(content_type: str | None) -> str:
    """Return what a body claims to be, which the server looks at before the body.

    Raises:
        RequestRefused: 500, it is no content type; 400, it is a pattern of content types.
    """
    kind = (content_type or "").partition(";")[0].strip() or "application/octet-stream"
    main, slash, sub = kind.partition("/")
    if not slash:
        raise complaints.bad_mime_type(kind)
    if main == "*":
        raise errors.bad_request("Content-Type cannot contain wildcard type '*'")
    if sub.startswith("*"):
        raise errors.bad_request("Content-Type cannot contain wildcard subtype '*'")
    return kind


def _check_json(content_type: str | None) -> None:
    if _JSON_TYPE.fullmatch(_check_content_type(content_type)):
        return
    if not content_type:
        raise complaints.wrong_content_type("application/octet-stream")
    charset = "" if "charset" in content_type.lower() else ";charset=UTF-8"
    raise complaints.wrong_content_type(content_type + charset)


def _parse_query(query: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for pair in query.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            if "%" in pair or "+" in pair:
                name, value = unquote_plus(name), unquote_plus(value)
            found.setdefault(name, []).append(value)
    return found


def segments(path: str) -> list[str]:
    """Return the decoded segments of a path, each without what follows a semicolon."""
    parts = path.split("/")[1:]
    if "%" not in path and ";" not in path:
        return parts
    return [unquote(part.partition(";")[0]) for part in parts]
