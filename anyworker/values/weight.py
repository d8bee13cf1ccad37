"""How much there is to convert: what is heavy is converted where no event loop waits for it."""

from collections import deque
from collections.abc import Collection, Mapping
from types import NoneType

import msgspec

from anyworker.values.jsonable import fields_to_dict

MOST_BYTES = 16_384
"""JSON of a light value: some thousand parts, for which a loop stands still for no more than some 10 ms."""
MOST_PARTS = 2000
"""The same for what has no JSON by itself."""
_GLANCE = 8
_SHORT = 1000
_CHARACTERS_PER_PART = 64
_BITS_PER_PART = 256
_SMALL = frozenset({NoneType, bool, float})
_ARRAYS = frozenset({list, tuple, set, frozenset, deque})
_encode = msgspec.json.Encoder().encode


def is_heavy(value: object) -> bool:
    """Whether converting a value, to or from JSON, may take longer than an event loop should stand still.

    Args:
        value: An input, or whatever a function returned.
    """
    if type(value) is dict and len(value) <= _GLANCE:
        for part in value.values():
            if type(part) is str:
                if len(part) > _SHORT:
                    break
            elif type(part) not in _SMALL and not (type(part) is int and -_SHORT < part < _SHORT):
                break
        else:
            return False
    try:
        # To write it at once is many times as fast as to look at its parts.
        return len(_encode(value)) > MOST_BYTES
    except Exception:  # noqa: BLE001 - a value of the user's may run code of the user's
        return _has_many_parts(value)


def _has_many_parts(value: object) -> bool:
    left = MOST_PARTS
    waiting = [value]
    while waiting and left >= 0:
        part = waiting.pop()
        left -= 1
        if isinstance(part, str | bytes):
            left -= len(part) // _CHARACTERS_PER_PART
        elif isinstance(part, int):
            left -= part.bit_length() // _BITS_PER_PART
        elif len(inside := _inside(part)) <= left:
            waiting += inside
        else:
            return True
    return left < 0


def _inside(value: object) -> Collection[object]:
    """Return the parts of a value, nothing if it has none that can be seen."""
    if type(value) in _SMALL:
        return ()
    if isinstance(value, dict):
        return value.values()
    if type(value) in _ARRAYS and isinstance(value, Collection):
        return value
    try:
        members = value if isinstance(value, Mapping) else getattr(value, "__dict__", None)
        if not isinstance(members, Mapping):
            members = fields_to_dict(value) or {}
        return list(members.values()) if len(members) <= MOST_PARTS else members
    except Exception:  # noqa: BLE001 - as in is_heavy
        return ()
