"""The token: fetched when first needed, one request at a time, renewed before it expires or when refused."""

import logging
import math
import random
from collections.abc import Callable

import anyio
import attrs

from anyworker.conductor.tokens import TokenFetcher
from anyworker.errors import ConductorError, ResponseError, TransportError
from anyworker.events import Publisher, TokenRefreshed, TokenRefreshFailure
from anyworker.policy.backoff import authorization_delay
from anyworker.policy.streaks import Streak

logger = logging.getLogger(__name__)

_EARLIEST_RENEWAL = 0.9
_RENEWAL_SPREAD = 0.08


@attrs.frozen(eq=False)
class Grant:
    """Ready-made header lines, good until the server refuses them."""

    headers: bytes = attrs.field(repr=False)
    token: str | None = attrs.field(default=None, repr=False)
    renewal_at: float = math.inf
    """Loop time from which a successor should be fetched."""
    expires_at: float = math.inf


def renewal_due(fetched: float, ttl: float, jitter: float) -> float:
    """Return the loop time at which a token should be renewed: 2 to 10 % before its time is over.

    Args:
        fetched: Loop time at which the token was asked for.
        ttl: Seconds it lives.
        jitter: In [0, 1); spreads the renewals of many processes.
    """
    return fetched + ttl * (_EARLIEST_RENEWAL + _RENEWAL_SPREAD * jitter)


class Authentication:
    """Keep one good grant for all callers.

    Args:
        headers: Lines that every request has.
        fetch: Gets a token; None for requests without.
        ttl: Seconds a token lives.
        now: Loop time.
        jitter: A random number in [0, 1).
        publisher: Hears of tokens, which stay here.
    """

    def __init__(
        self,
        headers: bytes,
        fetch: TokenFetcher | None,
        *,
        ttl: float,
        now: Callable[[], float] = anyio.current_time,
        jitter: Callable[[], float] = random.random,
        publisher: Publisher | None = None,
    ) -> None:
        self._headers = headers
        self._fetch = fetch
        self._ttl = ttl
        self._now = now
        self._jitter = jitter
        self._publisher = publisher or Publisher()
        self._lock = anyio.Lock()
        self._rounds = 0
        self._failures = 0
        self._renewals = Streak()
        self._failure: ConductorError | None = None
        self._retry_at = 0.0
        self._grant = None if fetch else Grant(headers)

    def current(self) -> Grant | None:
        """Return header lines that are good as they are, None if `grant` has something to do."""
        grant = self._grant
        return grant if grant is None or grant.token is None or self._now() < grant.renewal_at else None

    async def grant(self) -> Grant:
        """Return header lines with a token that is not too old.

        Raises:
            AuthorizationError: Key and secret were refused, or the token provider failed; then, at once,
                for as long as its ``retry_after`` says.
            ConductorError: The server could not be asked for a token; then, at once, for as long.
        """
        if (grant := self.current()) is not None:
            return grant
        return await (self._renewed(None) if self._grant is None else self._fresh(self._grant))

    async def _fresh(self, grant: Grant) -> Grant:
        now = self._now()
        is_good = now < grant.expires_at
        if is_good and (now < self._retry_at or self._lock.locked()):
            # Its successor is on the way, or could not be had just now.
            return grant
        try:
            return await self._renewed(grant)
        except ConductorError as error:
            if is_good and self._grant is grant:
                if self._renewals.failed((type(error), error.status)):
                    logger.warning("The token is not renewed, and used as long as it is good: %s", error)
                return grant
            raise

    async def successor(self, refused: Grant) -> Grant | None:
        """Return a newer grant than the one that the server refused; None if there can be none.

        Raises:
            ConductorError: As for `grant`.
        """
        if self._fetch is None:
            return None
        if self._grant is refused:
            self._grant = None
        grant = await self._renewed(None)
        # Without a token the answer would be the same.
        return grant if grant.token is not None else None

    async def _renewed(self, old: Grant | None) -> Grant:
        rounds = self._rounds
        async with self._lock:
            if self._grant is not None and self._grant is not old:
                return self._grant
            left = max(0.0, self._retry_at - self._now())
            if self._failure is not None and (left or self._rounds != rounds):
                raise _again(self._failure, left)
            return await self._fetched()

    async def _fetched(self) -> Grant:
        assert self._fetch is not None  # noqa: S101 (without a fetcher the grant never changes)
        started = self._now()
        try:
            token = await self._fetch()
        except ConductorError as failure:
            self._rounds += 1
            self._failures += 1
            self._failure = failure
            delay = authorization_delay(self._failures)
            self._retry_at = self._now() + delay
            self._tell_failure(failure, delay)
            raise _again(failure, delay) from failure
        self._rounds += 1
        if self._renewals.ended():
            logger.info("The token is renewed after %d failed attempts", self._failures)
        self._failures = 0
        self._failure = None
        self._retry_at = 0.0
        self._grant = grant = self._granted(token, started)
        if token is not None and self._publisher.hears(TokenRefreshed):
            duration_ms = (self._now() - started) * 1000
            self._publisher.publish(
                TokenRefreshed(task_type="", duration_ms=duration_ms, ttl_seconds=self._ttl)
            )
        return grant

    def ended(self) -> None:
        """Nobody needs a token any more: tell the end of a streak of failures."""
        if count := self._renewals.ended():
            logger.info("The token was not renewed to the end, %d attempts failed", count)

    def _tell_failure(self, failure: ConductorError, delay: float) -> None:
        if self._publisher.hears(TokenRefreshFailure):
            self._publisher.publish(
                TokenRefreshFailure(
                    task_type="",
                    cause=failure,
                    attempts=self._failures,
                    retry_in_ms=delay * 1000,
                    is_still_good=self._grant is not None and self._now() < self._grant.expires_at,
                )
            )

    def _granted(self, token: str | None, started: float) -> Grant:
        if token is None:
            return Grant(self._headers)
        return Grant(
            self._headers + f"X-Authorization: {token}\r\n".encode("ascii"),
            token,
            renewal_due(started, self._ttl, self._jitter()),
            started + self._ttl,
        )


def _again(failure: ConductorError, left: float) -> ConductorError:
    """Return an error of its own for each caller: the request that it wanted to make was not sent."""
    reason = f"{failure.reason}; no token, the next attempt is in {left:.1f} s"
    method, path, status = failure.method, failure.path, failure.status
    match failure:
        case ResponseError() if status is not None:
            return type(failure)(
                reason, method=method, path=path, status=status, is_retryable=True, retry_after=left
            )
        case TransportError():
            return TransportError(reason, method=method, path=path, may_have_arrived=False)
        case _:
            return type(failure)(reason, method=method, path=path, status=status, is_retryable=True)
