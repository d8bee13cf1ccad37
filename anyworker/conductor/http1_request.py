"""The head of an HTTP/1.1 request: checked, so that no value can smuggle in a line, and as bytes."""

import re
from typing import Final

import httpx

_VISIBLE: Final = bytes(range(0x21, 0x7F))
_TOKEN: Final = b"!#$%&'*+-.^_`|~" + bytes(c for c in _VISIBLE if chr(c).isalnum())
_USUAL_METHODS: Final = frozenset({b"GET", b"POST", b"PUT", b"DELETE"})
_METHODS_WITH_BODY: Final = frozenset({b"POST", b"PUT", b"PATCH"})
"""For these even an empty body has its length said."""
_LINES: Final = re.compile(
    rb"(?:(?!(?:host|content-length|transfer-encoding|connection)\s*:)"
    rb"[!#$%&'*+\-.^_`|~0-9a-z]+:[^\r\n\0]*\r\n)*",
    re.IGNORECASE,
)


def check_start(method: bytes, target: bytes) -> None:
    """Check what stands in the first line.

    Raises:
        httpx.LocalProtocolError: The method is no token or opens a tunnel, or the target is no path
            or has characters that are not percent-encoded.
    """
    if method not in _USUAL_METHODS and (
        not method or method.translate(None, _TOKEN) or method == b"CONNECT"
    ):
        reason = f"{method!r} is not a method that can be sent"
        raise httpx.LocalProtocolError(reason)
    if target.translate(None, _VISIBLE) or not (target.startswith(b"/") or target == b"*"):
        reason = f"the target {target!r} is not a percent-encoded path"
        raise httpx.LocalProtocolError(reason)


def check_lines(lines: bytes) -> None:
    """Check complete header lines.

    Raises:
        httpx.LocalProtocolError: They are no header lines, or contain one that the transport writes.
    """
    if not _LINES.fullmatch(lines):
        raise httpx.LocalProtocolError(
            "the headers are not lines that end in CRLF, or name Host, Connection or the body's framing"
        )


def check_header(name: bytes, value: bytes) -> None:
    """Check one header.

    Raises:
        httpx.LocalProtocolError: The name is no token, or the value contains a line break or NUL.
    """
    if not name or name.translate(None, _TOKEN) or value.translate(None, b"\r\n\0") != value:
        reason = f"the header {name!r} has characters that no header may have"
        raise httpx.LocalProtocolError(reason)


def encode(method: bytes, target: bytes, lines: bytes, body: bytes) -> bytes:
    """Return a whole request as bytes, from checked parts.

    Args:
        method: Upper case.
        target: Path and query.
        lines: Header lines with Host, without the body's length.
        body: Empty for none.
    """
    if body or method in _METHODS_WITH_BODY:
        return b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (method, target, lines, len(body), body)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, lines)
