"""Answers that are no success, and failures without an answer, as errors of ours."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import attrs
import httpx
import msgspec

from anyworker.conductor.exchange import Answer
from anyworker.errors import (
    AuthorizationError,
    BadRequestError,
    ConductorError,
    ConflictError,
    MethodNotAllowedError,
    NotFoundError,
    ResponseError,
    ServerError,
    TooManyRequestsError,
    TransportError,
    UnexpectedAnswerError,
)

_NOTHING_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.LocalProtocolError,
    httpx.UnsupportedProtocol,
    httpx.ProxyError,
)
_BY_STATUS: dict[int, type[ResponseError]] = {
    400: BadRequestError,
    401: AuthorizationError,
    403: AuthorizationError,
    404: NotFoundError,
    405: MethodNotAllowedError,
    409: ConflictError,
    429: TooManyRequestsError,
}
_NO_SUCH_PATH = ("No static resource", "No handler found", "No endpoint ")
_LONGEST_MESSAGE = 2000
_LONGEST_EXCERPT = 200
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INVISIBLE = re.compile(r"<(script|style|head)\b.*?(</\1\s*>|$)|<!--.*?(-->|$)", re.DOTALL | re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.DOTALL | re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>?")


@attrs.frozen
class ApiUrl:
    """The API's URL as configured, without a slash at its end."""

    url: str
    source: str = "server_api_url"
    """What a user would change: a variable or an argument."""

    origin: str = attrs.field(init=False)
    """Scheme, host and port."""
    prefix: str = attrs.field(init=False)
    """The path that all endpoints are under; may be empty."""

    @origin.default
    def _origin(self) -> str:
        scheme, _, rest = self.url.partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    @prefix.default
    def _prefix(self) -> str:
        return self.url[len(self.origin) :]

    @property
    def remedy(self) -> str:
        """What to do when something else than Conductor answers, as part of a sentence."""
        advice = "check host and port" if self.url.endswith("/api") else "it should end in /api"
        return f"{self.source} is {self.url}: {advice}"


@attrs.frozen
class Request:
    """What an error tells of the request that failed."""

    api: ApiUrl
    method: str
    path: str
    """Path and query below the API's URL."""

    def unexpected(self, reason: str, status: int) -> UnexpectedAnswerError:
        """Return the error of an answer that no Conductor gives."""
        return UnexpectedAnswerError(
            reason, method=self.method, path=self.path, status=status, is_retryable=False
        )


def transport_error(failure: httpx.RequestError, request: Request) -> TransportError:
    """Return our error for a request that brought no usable answer."""
    kind, text = type(failure).__name__, _one_line(str(failure))
    return TransportError(
        f"{kind}: {text}" if text else kind,
        method=request.method,
        path=request.path,
        may_have_arrived=not isinstance(failure, _NOTHING_SENT),
    )


def answer_error(answer: Answer, request: Request) -> ConductorError:
    """Return our error for an answer with another status than 2xx."""
    status = answer.status
    if status < 400:
        target = _one_line((answer.header(b"location") or b"nowhere").decode("latin-1"))[:_LONGEST_EXCERPT]
        reason = f"redirect to {target} refused, no Conductor API redirects; {request.api.remedy}"
        return request.unexpected(reason, status)
    if status == 404 and (trouble := _not_conductor(answer, request.api)):
        return request.unexpected(trouble, status)
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else ResponseError)
    return kind(
        _message(answer),
        method=request.method,
        path=request.path,
        status=status,
        # Of the server's 500s only some pass, but nothing in the answer tells which.
        is_retryable=status >= 500 or status in {408, 425, 429},
        retry_after=_retry_after(answer),
    )


def not_json_error(answer: Answer, request: Request, trouble: str) -> UnexpectedAnswerError:
    """Return our error for a success whose body cannot be what was asked for.

    Args:
        answer: The answer.
        request: What was asked.
        trouble: What is wrong with the body, with the path of the bad value.
    """
    if is_markup(answer):
        reason = f"a page instead of an answer, {_excerpt(answer)!r}; no Conductor API: {request.api.remedy}"
    elif answer.body.lstrip()[:1] in (b"{", b"[", b'"'):
        # Never a part of it: payloads hold what must not be logged.
        reason = trouble
    else:
        reason = f"{trouble}, in {_excerpt(answer)!r}; {request.api.remedy}"
    return request.unexpected(reason, answer.status)


def is_markup(answer: Answer) -> bool:
    """Return whether a body is HTML or XML, which Conductor uses for no success."""
    return answer.body.lstrip()[:1] == b"<"


def _not_conductor(answer: Answer, api: ApiUrl) -> str | None:
    message = _message(answer)
    if is_markup(answer):
        return f"a page instead of an answer, {message!r}; no Conductor API: {api.remedy}"
    if not message.startswith(_NO_SUCH_PATH):
        return None
    if api.url.endswith("/api"):
        return f"{message!r}: no such path; the server lacks this call, or {api.remedy}"
    return f"{message!r}: no Conductor API; {api.remedy}"


def _message(answer: Answer) -> str:
    try:
        body = msgspec.json.decode(answer.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        body = None
    text = _message_of(body) if isinstance(body, dict) else ""
    return _one_line(text)[:_LONGEST_MESSAGE] or _excerpt(answer) or "no message"


def _message_of(body: dict[str, Any]) -> str:
    message, code = body.get("message"), body.get("error")
    text = message if isinstance(message, str) else ""
    if isinstance(code, str) and code not in text:
        text = f"{code}: {text}" if text else code
    details = body.get("validationErrors")
    found = [_detail(item) for item in details if isinstance(item, dict)] if isinstance(details, list) else []
    # The server gives them in no fixed order.
    return " ".join([text, "; ".join(sorted(found))]).strip()


def _detail(item: dict[str, Any]) -> str:
    return f"{item.get('path')}: {item.get('message')}"


def _excerpt(answer: Answer) -> str:
    text = answer.body.decode("utf-8", "replace")
    if is_markup(answer):
        import html  # noqa: PLC0415 - half a megabyte for what servers hardly ever answer

        title = _TITLE.search(text)
        visible = _TAG.sub(" ", _INVISIBLE.sub(" ", text))
        text = html.unescape(f"{title[1] if title else ''} {visible}")
    return " ".join(_one_line(text).split())[:_LONGEST_EXCERPT]


def _one_line(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()


def _retry_after(answer: Answer) -> float | None:
    value = (answer.header(b"retry-after") or b"").decode("latin-1").strip()
    if value.isdecimal() and value.isascii():
        return float(value[:9])
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
