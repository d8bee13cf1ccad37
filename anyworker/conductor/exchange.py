"""The seam between the client and whatever carries its requests: one request, one whole answer."""

from collections.abc import Coroutine
from typing import Any, Protocol

import attrs


@attrs.frozen
class Timeouts:
    """Limits of one exchange, in seconds."""

    connect: float = 10.0
    """From the first packet to a usable connection, TLS included."""
    read: float = 30.0
    """From the request sent to the last byte of the answer."""
    write: float = 30.0
    """For sending the whole request."""
    pool: float = 30.0
    """For a free connection when as many as allowed are in use."""


@attrs.define
class Answer:
    """One whole answer, nobody's to change: a frozen class takes three times as long to make."""

    status: int
    headers: list[tuple[bytes, bytes]]
    """In order, names in lower case."""
    body: bytes
    http_version: str = "1.1"

    def header(self, name: bytes) -> bytes | None:
        """Return the first value of a header, its name given in lower case; None if it is absent."""
        for key, value in self.headers:
            if key == name:
                return value
        return None


class Traffic(Protocol):
    """Hears of every request once it is over, also of one that brought no answer."""

    def took(self, method: bytes, target: bytes, status: int, seconds: float) -> None:
        """A request took so many seconds.

        Args:
            method: Upper case.
            target: Path and query.
            status: The answer's.
            seconds: From its start to its whole answer.
        """

    def failed(self, method: bytes, target: bytes, cause: BaseException, seconds: float) -> None:
        """A request brought no answer within so many seconds, or nobody waits for it any more."""


class Exchange(Protocol):
    """Send one request and return its whole answer.

    Implementations never send a request twice and never follow a redirect. They need not ask whether the
    sender has been cancelled already: `Calls` does.
    """

    def exchange(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Coroutine[Any, Any, Answer]:
        r"""Send a request.

        Args:
            method: Upper case.
            target: Path and query, percent-encoded, starting with a slash.
            headers: Complete header lines, each ending in CRLF, without Host, Content-Length, Connection
                and the closing empty line.
            body: Empty for none.
            timeouts: Limits of this exchange.

        Raises:
            httpx.TransportError: No usable answer; ``ConnectError``, ``ConnectTimeout`` and ``PoolTimeout``
                mean that nothing was sent.
        """
        ...

    async def keep_time(self) -> None:
        """Keep the time limits of all exchanges together while this runs, if that is cheaper than one by one.

        It runs until cancelled; exchanges keep their limits without it, too.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...
