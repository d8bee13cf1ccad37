"""What every endpoint needs: the token, its renewal, errors of ours, and paths that a URL can hold."""

from collections.abc import Mapping
from time import perf_counter
from urllib.parse import quote

import attrs
import httpx
from anyio.lowlevel import checkpoint_if_cancelled

from anyworker.conductor.answers import Request, answer_error, is_markup, not_json_error
from anyworker.conductor.auth import Authentication
from anyworker.conductor.exchange import Answer, Timeouts
from anyworker.conductor.replay import Operation
from anyworker.conductor.wire import JSON, Wire
from anyworker.errors import DeclarationError


@attrs.frozen(eq=False)
class Calls:
    """Send requests with a token and return the answers to those that succeeded."""

    wire: Wire
    authentication: Authentication

    async def call(
        self,
        operation: Operation,
        target: bytes,
        body: bytes = b"",
        *,
        content_type: bytes = JSON,
        timeouts: Timeouts | None = None,
    ) -> Answer:
        """Send a request and return its answer, whose status is 2xx.

        After 401 or 403 it is sent once more with a newer token, if there can be one: what was refused was
        not executed.

        Args:
            operation: What kind of request it is.
            target: From `target`.
            body: Empty for none.
            content_type: The body's, as a header line.
            timeouts: Limits other than the usual ones.

        Raises:
            ConductorError: The request failed, or a page came back: something else than the server took it.
        """
        grant = self.authentication.current() or await self.authentication.grant()
        headers = grant.headers + content_type if body else grant.headers
        wire = self.wire
        limits = timeouts or wire.timeouts
        if operation.heeds_cancellation:
            try:  # noqa: SIM105 - a context manager costs more, for every request
                await checkpoint_if_cancelled()
            except RuntimeError:
                pass  # without an event loop, as plain tests ask, nobody can be cancelled
        # As `Wire.send` with `Wire.attempt`, of which there would be one more for every request under way.
        traffic = wire.traffic
        began = 0.0 if traffic is None else perf_counter()
        try:
            answer = await wire.exchange.exchange(operation.method, target, headers, body, limits)
            if traffic is not None:
                traffic.took(operation.method, target, answer.status, perf_counter() - began)
        except BaseException as failure:
            if traffic is not None:
                traffic.failed(operation.method, target, failure, perf_counter() - began)
            if not isinstance(failure, httpx.RequestError):
                raise
            answer = await wire.recover(failure, operation, target, headers, body=body, timeouts=limits)
        if answer.status in {401, 403} and (newer := await self.authentication.successor(grant)):
            headers = newer.headers + content_type if body else newer.headers
            answer = await wire.send(operation, target, headers, body, limits)
        if not 200 <= answer.status < 300:
            raise answer_error(answer, self.request(operation, target))
        if is_markup(answer):
            raise not_json_error(answer, self.request(operation, target), "")
        return answer

    async def text(
        self, operation: Operation, target: bytes, body: bytes = b"", *, content_type: bytes = JSON
    ) -> str:
        """Send a request and return the text of its answer, which may be empty.

        Raises:
            ConductorError: As for `call`.
        """
        answer = await self.call(operation, target, body, content_type=content_type)
        return answer.body.decode("utf-8", "replace").strip().strip('"')

    def target(self, path: str, query: Mapping[str, object] | None = None) -> bytes:
        """Return what a request line has for a path below the API's URL; a query's None is left out."""
        return self.wire.target(path + query_text(query) if query else path)

    def request(self, operation: Operation, target: bytes) -> Request:
        """Return what errors tell of a request."""
        return self.wire.request(operation, target)


def query_text(query: Mapping[str, object]) -> str:
    """Return a query with its question mark; None is left out, a list repeats its name, True is ``true``."""
    pairs = [
        f"{name}={_quoted(item)}"
        for name, value in query.items()
        for item in (value if isinstance(value, list | tuple) else (value,))
        if item is not None
    ]
    return "?" + "&".join(pairs) if pairs else ""


def _quoted(value: object) -> str:
    text = str(value).lower() if isinstance(value, bool) else str(value)
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as error:
        raise _unusable(value, str(error)) from None


def segment(name: str, what: str) -> str:
    """Return a name as one segment of a path, percent-encoded.

    Args:
        name: A task type, an id.
        what: What to call it in an error.

    Raises:
        DeclarationError: No server can be asked for it: empty, or with ``/`` or a backslash, which
            Conductor's server refuses also when they are encoded.
    """
    if not name:
        raise _unusable(name, f"{what} must not be empty")
    if "/" in name or "\\" in name:
        raise _unusable(name, f"as a {what} it must not hold '/' or a backslash")
    if name in {".", ".."}:
        # Written plainly they would be taken for steps in the path.
        return name.replace(".", "%2E")
    return _quoted(name)


def _unusable(value: object, reason: str) -> DeclarationError:
    return DeclarationError(f"{value!r} cannot be part of a URL: {reason}")
