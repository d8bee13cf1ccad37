"""JSON as the server reads and writes it, with its messages for what it cannot read."""

import json
import re
from typing import Any, NoReturn

import msgspec

from anyworker.devserver.wire.errors import RequestRefused, failure

MAX_STRING = 20_000_000
MAX_DEPTH = 1000
_TOKENS = "(JSON String, Number, Array, Object or token 'null', 'true' or 'false')"
_EXPECTED = (
    ("Expecting property name", "was expecting double-quote to start field name"),
    ("Illegal trailing comma", "was expecting double-quote to start field name"),
    ("Expecting ':'", "was expecting a colon to separate field name and value"),
    ("Expecting ','", "was expecting comma to separate Object entries"),
)
"""What the server expected, by the beginning of the complaint of Python's reader."""
_WHITESPACE = " \t\r\n"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_BEYOND_BMP = re.compile(rb"[\xf0-\xf4][\x80-\xbf]{3}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_WORD = re.compile(r"-?[A-Za-z_$][\w$]*")

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
    try:
        value = _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        value = _decode_slowly(body)
    if len(body) > MAX_STRING:
        _check_strings(value)
    return value


def parse_error(detail: str) -> RequestRefused:
    """Refuse a body that is no JSON, or JSON of the wrong shape."""
    return failure(f"JSON parse error: {detail}")


def _decode_slowly(body: bytes) -> Any:
    """Read what the fast reader refuses: a second value, lone surrogates, a byte order mark; or refuse."""
    try:
        text = body.removeprefix(_BYTE_ORDER_MARK).decode()
    except UnicodeDecodeError as error:
        raise _bad_byte(body[error.start]) from None
    text = text.strip(_WHITESPACE)
    if not text:
        raise parse_error("No content to map due to end-of-input")
    try:
        value, _end = json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text)
    except json.JSONDecodeError as error:
        raise parse_error(_complaint(error, text)) from None
    except RecursionError:
        raise _too_deep() from None
    return _without_surrogates(value)


def _refuse_constant(name: str) -> NoReturn:
    raise _non_standard(name)


def _non_standard(name: str) -> RequestRefused:
    return parse_error(
        f"Non-standard token '{name}': enable `JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS` to allow"
    )


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


def _complaint(error: json.JSONDecodeError, text: str) -> str:
    """Put a complaint of Python's reader in the words of the server's."""
    if error.msg.startswith("Unterminated string"):
        return "Unexpected end-of-input in VALUE_STRING"
    if error.pos >= len(text):
        return _unexpected_end(text)
    char = text[error.pos]
    if error.msg.startswith("Invalid control character"):
        return (
            f"Illegal unquoted character ((CTRL-CHAR, code {ord(char)})): "
            "has to be escaped using backslash to be included in string value"
        )
    if error.msg.startswith("Invalid \\escape"):
        escaped = text[error.pos + 1 : error.pos + 2]
        return f"Unrecognized character escape '{escaped}' (code {ord(escaped or ' ')})"
    return _unexpected(char, error, text)


def _unexpected_end(text: str) -> str:
    if text[-1] in ",:" or (text.count('"') == 2 and text[-1] == '"'):
        return "Unexpected end-of-input within/between Object entries"
    kind = "Object" if text[0] == "{" else "Array"
    return (
        f"Unexpected end-of-input: expected close marker for {kind} (start marker at "
        "[Source: REDACTED (`StreamReadFeature.INCLUDE_SOURCE_IN_LOCATION` disabled); line: 1, column: 1])"
    )


def _unexpected(char: str, error: json.JSONDecodeError, text: str) -> str:
    if error.msg.startswith("Illegal trailing comma"):
        char = text[error.pos + 1 :].lstrip(_WHITESPACE)[:1]
    expected = next((told for start, told in _EXPECTED if error.msg.startswith(start)), "expected a value")
    word = _WORD.match(text, error.pos)
    if error.msg.startswith("Expecting ','") and char.isdigit() and text[error.pos - 1] == "0":
        return "Invalid numeric value: Leading zeroes not allowed"
    if word and error.msg == "Expecting value":
        return f"Unrecognized token '{word[0]}': was expecting {_TOKENS}"
    return f"Unexpected character ('{char}' (code {ord(char)})): {expected}"


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
