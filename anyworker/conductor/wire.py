"""One request and its answer, whatever its status: repeats where that is safe, errors of ours."""

from collections.abc import Mapping
from time import perf_counter
from typing import Any, cast

import anyio.to_thread
import attrs
import httpx

from anyworker.conductor.answers import ApiUrl, Request, transport_error
from anyworker.conductor.exchange import Answer, Exchange, Timeouts, Traffic
from anyworker.conductor.foreign import ForeignExchange
from anyworker.conductor.http1 import Http1Transport
from anyworker.conductor.replay import Operation
from anyworker.configuration import Configuration
from anyworker.errors import ConfigurationError

JSON = b"Content-Type: application/json\r\n"
TEXT = b"Content-Type: text/plain; charset=utf-8\r\n"
_DISCONNECTS = (httpx.RemoteProtocolError, httpx.ReadError, httpx.WriteError)
_OWN_HEADERS = {"user-agent": "anyworker", "accept": "application/json, text/plain"}
# The server closes a connection that was idle for 60 s without notice.
_PROXY_LIMITS = httpx.Limits(max_connections=1000, max_keepalive_connections=1000, keepalive_expiry=50.0)


@attrs.frozen(eq=False)
class Wire:
    """The API at its URL, through one exchange."""

    exchange: Exchange
    api: ApiUrl
    timeouts: Timeouts
    traffic: Traffic | None = None
    """Hears of all requests."""

    async def send(
        self,
        operation: Operation,
        target: bytes,
        headers: bytes,
        body: bytes = b"",
        timeouts: Timeouts | None = None,
    ) -> Answer:
        """Send a request; once more if the connection broke and a second copy does no harm.

        A request that timed out is not repeated here, nor one that could not be sent at all: both are for
        callers, who know how long to wait.

        Raises:
            TransportError: No usable answer.
        """
        limits = timeouts or self.timeouts
        try:
            return await self.attempt(operation, target, headers, body, limits)
        except httpx.RequestError as failure:
            return await self.recover(failure, operation, target, headers, body=body, timeouts=limits)

    async def recover(
        self,
        failure: httpx.RequestError,
        operation: Operation,
        target: bytes,
        headers: bytes,
        *,
        body: bytes,
        timeouts: Timeouts,
    ) -> Answer:
        """Send a request whose connection broke once more, if that does no harm.

        Raises:
            TransportError: It may not be repeated, or failed again.
        """
        if isinstance(failure, _DISCONNECTS) and operation.may_repeat:
            try:
                return await self.attempt(operation, target, headers, body, timeouts)
            except httpx.RequestError as again:
                failure = again
        raise transport_error(failure, self.request(operation, target)) from failure

    async def attempt(
        self, operation: Operation, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Answer:
        """Send a request once.

        Raises:
            httpx.RequestError: No usable answer.
        """
        traffic = self.traffic
        if traffic is None:
            return await self.exchange.exchange(operation.method, target, headers, body, timeouts)
        began = perf_counter()
        try:
            answer = await self.exchange.exchange(operation.method, target, headers, body, timeouts)
        except BaseException as failure:
            traffic.failed(operation.method, target, failure, perf_counter() - began)
            raise
        traffic.took(operation.method, target, answer.status, perf_counter() - began)
        return answer

    def target(self, path: str) -> bytes:
        """Return what a request line has for a path below the API's URL."""
        return (self.api.prefix + path).encode("ascii")

    def request(self, operation: Operation, target: bytes) -> Request:
        """Return what errors tell of a request."""
        return Request(self.api, operation.method.decode(), target.decode()[len(self.api.prefix) :])


def header_lines(headers: Mapping[str, str]) -> bytes:
    """Return the lines that every request has: the user's headers and, unless they say otherwise, ours."""
    given = {name.lower() for name in headers}
    lines = {**{name: value for name, value in _OWN_HEADERS.items() if name not in given}, **headers}
    return "".join(f"{name}: {value.strip()}\r\n" for name, value in lines.items()).encode("latin-1")


async def open_exchange(configuration: Configuration) -> Exchange:
    """Return what carries requests: the transport given, httpx's own if there is a proxy, else ours."""
    api, proxy = api_url(configuration), configuration.proxy
    if configuration.transport is not None:
        return ForeignExchange(_transport(configuration.transport), api.origin)
    context = None
    if api.url.startswith("https:") or (proxy or "").startswith("https:"):
        # Reading the system's certificates takes tens of milliseconds.
        context = await anyio.to_thread.run_sync(configuration.ssl_context)
    if proxy:
        transport = httpx.AsyncHTTPTransport(verify=context or False, proxy=proxy, limits=_PROXY_LIMITS)
        return ForeignExchange(transport, api.origin)
    return Http1Transport(ssl_context=context).origin(api.origin)


def _transport(given: Any) -> httpx.AsyncBaseTransport:
    """Return the transport given, or what the factory given makes.

    Raises:
        ConfigurationError: It makes something else.
    """
    made = given if hasattr(given, "handle_async_request") and not isinstance(given, type) else given()
    if not hasattr(made, "handle_async_request"):
        problem = f"transport: {given!r} made {made!r}, which is no httpx.AsyncBaseTransport"
        raise ConfigurationError(problem)
    return cast("httpx.AsyncBaseTransport", made)


def api_url(configuration: Configuration) -> ApiUrl:
    """Return the API's URL with the name of its source."""
    source = configuration.sources["server_api_url"]
    named = "server_api_url" if source in {"argument", "default"} else source
    return ApiUrl(configuration.server_api_url, named)


def timeouts(configuration: Configuration) -> Timeouts:
    """Return the limits of an ordinary exchange."""
    return Timeouts(
        connect=configuration.connect_timeout,
        read=configuration.read_timeout,
        write=configuration.write_timeout,
    )
