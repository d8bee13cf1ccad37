"""An exchange that measures the requests it carries."""

import time

import httpx

from anyworker.conductor.exchange import Answer, Exchange, Timeouts
from anyworker.observe import catalog
from anyworker.observe.distribution import Distribution
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
        self._known: dict[tuple[bytes, bytes, int | str], Distribution] = {}
        self.keep_time = inner.keep_time
        self.aclose = inner.aclose

    async def exchange(
        self, method: bytes, target: bytes, headers: bytes, body: bytes, timeouts: Timeouts
    ) -> Answer:
        """Send a request."""
        began = time.perf_counter()
        status: int | str = "cancelled"
        try:
            answer = await self._inner.exchange(method, target, headers, body, timeouts)
            status = answer.status
        except httpx.RequestError:
            status = "error"
            raise
        finally:
            self._distribution(method, target, status).add(time.perf_counter() - began)
        return answer

    def _distribution(self, method: bytes, target: bytes, status: int | str) -> Distribution:
        key = (method, target, status)
        known = self._known.get(key)
        if known is None:
            if len(self._known) >= _MANY:
                self._known.clear()
            path = target.partition(b"?")[0].decode("ascii")
            uri = route(path.removeprefix(self._prefix))
            known = self._ledger.distribution(catalog.REQUEST_TIME, method.decode("ascii"), uri, str(status))
            self._known[key] = known
        return known
