"""How long requests take, by their route."""

from collections.abc import Callable

import httpx

from anyworker.observe import catalog
from anyworker.observe.ledger import Ledger
from anyworker.observe.routes import route

_MANY = 2000
"""Targets whose routes are remembered: those with ids are new each time."""


class MeasuredTraffic:
    """Measure every request.

    Args:
        ledger: Where the measurements go.
        prefix: The path of the API's URL.
    """

    def __init__(self, ledger: Ledger, prefix: str) -> None:
        self._ledger = ledger
        self._prefix = prefix
        self._known: dict[tuple[bytes, bytes, int | str], Callable[[float], None]] = {}

    def took(self, method: bytes, target: bytes, status: int | str, seconds: float) -> None:
        """A request was answered with a status after so many seconds."""
        key = (method, target, status)
        (self._known.get(key) or self._taker(key))(seconds)

    def failed(self, method: bytes, target: bytes, cause: BaseException, seconds: float) -> None:
        """A request was given up after so many seconds; its status says why."""
        status = "error" if isinstance(cause, httpx.RequestError) else "cancelled"
        self.took(method, target, status, seconds)

    def _taker(self, key: tuple[bytes, bytes, int | str]) -> Callable[[float], None]:
        if len(self._known) >= _MANY:
            self._known.clear()
        method, target, status = key
        path = target.partition(b"?")[0].decode("ascii")
        uri = route(path.removeprefix(self._prefix))
        found = self._ledger.distribution(catalog.REQUEST_TIME, method.decode("ascii"), uri, str(status))
        self._known[key] = found.take
        return found.take
