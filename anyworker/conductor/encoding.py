"""Request bodies as JSON that the server takes as it was meant."""

import math
from collections.abc import Iterator, Mapping

import msgspec

from anyworker.errors import SerializationError

_encode = msgspec.json.Encoder().encode


def encode(value: object) -> bytes:
    """Return a model or plain value as JSON.

    Raises:
        SerializationError: Something in it has no place in JSON.
    """
    try:
        body = _encode(value)
    except RecursionError:
        raise SerializationError("$", "nested too deeply, or contains itself") from None
    except (TypeError, ValueError, OverflowError) as error:
        raise SerializationError("$", str(error)) from error
    if b"null" in body:
        # msgspec writes null for NaN and Infinity, which would alter the value in silence.
        for path in _not_finite(msgspec.to_builtins(value), "$"):
            raise SerializationError(path, "NaN and Infinity have no place in JSON")
    return body


def _not_finite(value: object, path: str) -> Iterator[str]:
    if isinstance(value, float):
        if not math.isfinite(value):
            yield path
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _not_finite(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _not_finite(item, f"{path}[{index}]")
