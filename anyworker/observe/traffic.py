"""An exchange that measures the requests it carries."""

from collections.abc import Callable
from time import perf_counter

import httpx

from anyworker.conductor.exchange import Answer, Exchange, Timeouts
from anyworker.observe import catalog
from anyworker.observe.ledger import Ledger
from anyworker.observe.routes import route

_MANY = 2000
"""Targets whose routes are remembered: those with ids are new each time."""


class MeasuredExchange:
    """Carry requests by another exchange, and measure each.

    Args:
        inner: Carries them.
        ledger: Where the measurements go.
        prefix: The path of the API's URL.
    """

    def __init__(self, inner: Exchange, ledger: Ledger, prefix: str) -> None:
        self._inner = inner
        self._ledger = ledger
        self._prefix = prefix
        self._known: dict[tuple[bytes, bytes, int | str], Callable[[float], None]] = {}
        self.keep_time = inner.keep_time
        self.aclose = inner.aclose

    async def exchange(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Answer:
        """Send a request."""
        began = perf_counter()
        status: int | str = "cancelled"
        try:
            answer = await self._inner.exchange(method, target, headers, body, timeouts)
            status = answer.status
        except httpx.RequestError:
            status = "error"
            raise
        finally:
            key = (method, target, status)
            (self._known.get(key) or self._taker(key))(perf_counter() - began)
        return answer

    def _taker(self, key: tuple[bytes, bytes, int | str]) -> Callable[[float], None]:
        if len(self._known) >= _MANY:
            self._known.clear()
        method, target, status = key
        path = target.partition(b"?")[0].decode("ascii")
        uri = route(path.removeprefix(self._prefix))
        found = self._ledger.distribution(catalog.REQUEST_TIME, method.decode("ascii"), uri, str(status))
        self._known[key] = found.take
        return found.take
