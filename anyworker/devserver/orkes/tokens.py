"""Tokens for a key and its secret, as Orkes hands them out: JSON Web Tokens that expire."""

import base64
import hashlib
import hmac

import attrs
import msgspec

from anyworker.devserver.wire.errors import RequestRefused

INVALID = "INVALID_TOKEN"
"""Clients answer it with a new token and the same request again, as they do the next one."""
EXPIRED = "EXPIRED_TOKEN"
REFUSED = "UNAUTHORIZED"
"""For key and secret. Not one of the two above: the official client would ask for a token to get a token."""

ANYBODY = "anonymous"
"""Who it is where no key is asked for."""

_HEADER = {"alg": "HS256", "typ": "JWT"}


class Unauthorized(RequestRefused):
    """The request is not carried out because nobody vouches for it.

    Args:
        code: What clients go by, in the body's ``error``.
        message: The body's message.
        now: Epoch milliseconds.
    """

    def __init__(self, code: str, message: str, now: int) -> None:
        super().__init__(401, message)
        self.code = code
        self.now = now

    def body(self) -> bytes:
        """Return the JSON body of the answer, which has another shape than that of every other error."""
        return msgspec.json.encode({"message": self.message, "error": self.code, "timestamp": self.now})


class _Claims(msgspec.Struct):
    """What a token says."""

    sub: str
    exp: float
    """Epoch seconds; good until then."""


@attrs.frozen
class Tokens:
    """Issues tokens and knows its own; keeps none of them."""

    _signing_key: bytes = attrs.field(repr=False)
    lifetime: float
    """Seconds."""
    _credentials: tuple[str, str] | None = attrs.field(default=None, repr=False)
    """The one key that is known, and its secret; None: everybody is let in."""

    def issue(self, key_id: str | None, key_secret: str | None, now: int) -> str:
        """Return a new token.

        Raises:
            Unauthorized: Key and secret are not the known ones.
        """
        if self._credentials is not None and (key_id, key_secret) != self._credentials:
            raise Unauthorized(REFUSED, "Invalid key or secret", now)
        claims = _Claims(key_id or ANYBODY, now / 1000 + self.lifetime)
        signed = f"{_encoded(_HEADER)}.{_encoded(claims)}"
        return f"{signed}.{self._signature(signed)}"

    def holder(self, token: str | None, now: int) -> str:
        """Return the key for which a token was issued.

        Raises:
            Unauthorized: There is no token, it is none of ours, or its time is over; never where everybody
                is let in.
        """
        if self._credentials is None:
            return ANYBODY
        if not token:
            raise Unauthorized(INVALID, "Token cannot be null or empty", now)
        signed, _, signature = token.rpartition(".")
        if not hmac.compare_digest(self._signature(signed).encode(), signature.encode()):
            raise Unauthorized(INVALID, "Token is invalid", now)
        claims = msgspec.json.decode(_decoded(signed.partition(".")[2]), type=_Claims)
        if now >= claims.exp * 1000:
            raise Unauthorized(EXPIRED, "Token has expired", now)
        return claims.sub

    def _signature(self, text: str) -> str:
        return _base64(hmac.digest(self._signing_key, text.encode(), hashlib.sha256))


def _encoded(value: object) -> str:
    return _base64(msgspec.json.encode(value))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
