"""Types of the user's own: how a value becomes JSON, and JSON a value."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from anyworker.errors import DeclarationError

T = TypeVar("T")

_BUILT_IN = frozenset({type(None), bool, int, float, str, list, dict, object})

_WITH_LOOK_ALIKES = (str, int, float, list, dict)


@attrs.frozen
class CustomType:
    """A pair of conversions."""

    decode: Callable[[Any], object]
    encode: Callable[[Any], object]
    schema: Mapping[str, Any]


_types: dict[type, CustomType] = {}
_look_alikes: set[type] = set()
"""Those among them whose values JSON encoders take for one of JSON's own."""


def register_type(
    kind: type[T],
    *,
    decode: Callable[[Any], T],
    encode: Callable[[T], object],
    schema: Mapping[str, Any] | None = None,
) -> None:
    """Let workers take and return values of a class, wherever it is annotated; call it before they start.

    Example::

        register_type(Money, decode=Money.parse, encode=str, schema={"type": "string"})

    Args:
        kind: The class itself; what inherits from it is not meant.
        decode: Called with the JSON value; what it raises fails the task, with the path of the value.
        encode: Returns what has a place in an output, such as text or a dict.
        schema: JSON Schema, draft-07, of what ``decode`` takes; by default anything.

    Raises:
        DeclarationError: It is no class, one of JSON's own types, or registered with other conversions.
    """
    given: object = kind
    if not isinstance(given, type) or given in _BUILT_IN:
        reason = f"register_type({kind!r}): expected a class that JSON has no value of"
        raise DeclarationError(reason)
    for name, function in (("decode", decode), ("encode", encode)):
        if not callable(function):
            reason = f"register_type({kind.__name__}): {name}={function!r} is not callable"
            raise DeclarationError(reason)
    custom = CustomType(decode, encode, dict(schema or {}))
    if _types.setdefault(kind, custom) != custom:
        reason = f"register_type({kind.__name__}): it is registered with other conversions already"
        raise DeclarationError(reason)
    if issubclass(kind, _WITH_LOOK_ALIKES):
        _look_alikes.add(kind)


def custom_type(kind: object) -> CustomType | None:
    """Return how values of a class are converted, None if nobody has said."""
    return _types.get(kind) if _types and isinstance(kind, type) else None


def look_like_json() -> bool:
    """Whether a registered class may pass for one of JSON's own types, as a subclass of dict does."""
    return bool(_look_alikes)


def forget_types() -> None:
    """Forget what was registered, for tests."""
    _types.clear()
    _look_alikes.clear()
