"""JSON as the server reads and writes it, with its messages for what it cannot read."""

import json
import re
from typing import Any, NoReturn

import msgspec

from anyworker.devserver.wire.errors import RequestRefused, failure
from anyworker.devserver.wire.jsonfaults import LONGEST_NUMBER, fault_of

MAX_STRING = 20_000_000
MAX_DEPTH = 1000
_WHITESPACE = " \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_MANY_DIGITS = re.compile(rb"(?<![0-9.])[0-9.]{%d}" % (LONGEST_NUMBER + 1))
"""A number that is too long, unless it is text."""
_BEYOND_BMP = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_STRING_OR_BRACKET = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{}]', re.DOTALL)
_SURROGATE = re.compile("[\ud800-\udfff]")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def encode(value: object) -> bytes:
    """Return JSON in UTF-8, characters beyond the basic plane as pairs of escapes."""
    text = _encode(value)
    if text.isascii():
        return text
    return _BEYOND_BMP.sub(_escaped_pair, text)


def _escaped_pair(found: re.Match[bytes]) -> bytes:
    code = ord(found[0].decode()) - 0x10000
    return b"\\u%04X\\u%04X" % (0xD800 + (code >> 10), 0xDC00 + (code & 0x3FF))


def decode(body: bytes) -> Any:
    """Read the first JSON value of a body; what follows it is ignored, as the server does.

    Raises:
        RequestRefused: 500, with the server's message.
    """
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _depth(body) > MAX_DEPTH:
        raise _too_deep()
    try:
        value = _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = _decode_slowly(body)
    if (
        len(body) > LONGEST_NUMBER
        and _MANY_DIGITS.search(body)
        and (fault := fault_of(body.decode("utf-8-sig")))
    ):
        raise parse_error(fault)
    if len(body) > MAX_STRING:
        _check_strings(value)
    return value


def _depth(body: bytes) -> int:
    """Return how deep a text nests; how much of it an interpreter can follow varies."""
    deepest = depth = 0
    for found in _STRING_OR_BRACKET.finditer(body):
        if found[0] in b"{[":
            depth += 1
            deepest = max(deepest, depth)
        elif found[0] in b"}]":
            depth -= 1
    return deepest


def parse_error(detail: str) -> RequestRefused:
    """Refuse a body that is no JSON, or JSON of the wrong shape."""
    return failure(f"JSON parse error: {detail}")


def _decode_slowly(body: bytes) -> Any:
    """Read what the fast reader refuses: a second value, lone surrogates, a byte order mark; or refuse."""
    try:
        text = body.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        raise _bad_byte(body[error.start]) from None
    if not text.strip(_WHITESPACE):
        raise parse_error("No content to map due to end-of-input")
    try:
        value, _end = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text.lstrip(_WHITESPACE))
    except ValueError:
        raise parse_error(fault_of(text) or "Unexpected end-of-input in null") from None
    except RecursionError:
        raise _too_deep() from None
    return _without_surrogates(value)


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError  # Python reads NaN and Infinity, the server does not


def _bad_byte(byte: int) -> RequestRefused:
    return parse_error(f"Invalid UTF-8 start byte 0x{byte:02x}")


def _too_deep() -> RequestRefused:
    return parse_error(
        f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH}, from "
        "`StreamReadConstraints.getMaxNestingDepth()`)"
    )


def _too_long(length: int) -> RequestRefused:
    return parse_error(
        f"String value length ({length}) exceeds the maximum allowed ({MAX_STRING}, "
        "from `StreamReadConstraints.getMaxStringLength()`)"
    )


def _without_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return _SURROGATE.sub("?", value)
    if isinstance(value, dict):
        return {_without_surrogates(key): _without_surrogates(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_surrogates(item) for item in value]
    return value


def _check_strings(value: Any) -> None:
    if isinstance(value, str) and len(value) > MAX_STRING:
        raise _too_long(len(value))
    if isinstance(value, dict):
        for item in value.values():
            _check_strings(item)
    elif isinstance(value, list):
        for item in value:
            _check_strings(item)
