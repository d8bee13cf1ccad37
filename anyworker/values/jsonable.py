"""Python values to JSON values, refusing by path what JSON or the server cannot hold."""

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from types import NoneType
from typing import Any
from uuid import UUID

import attrs
import msgspec

from anyworker.errors import SerializationError, message_of
from anyworker.values.custom import CustomType, custom_type
from anyworker.values.dates import writable
from anyworker.values.fields import is_named_tuple
from anyworker.values.order import in_order
from anyworker.values.paths import item, member

DEPTH_LIMIT = 300
"""Levels of nesting. The server stores a little under 1000 and breaks the workflow beyond that; what reads
the workflow has its limits, too."""
KEY_LIMIT = 50_000
"""Characters of a key; the server answers 500 to longer ones."""
DIGITS_LIMIT = 1000
"""Digits of an int; the server answers 500 to more."""
PATH_LIMIT = 200
"""Characters of a path in a message; the server keeps 500 of the whole reason."""

_INT_LIMIT = 10**DIGITS_LIMIT
_WRITTEN = (datetime, date, time, timedelta, UUID, bytes, bytearray, memoryview)
"""What msgspec writes as text: ISO 8601, RFC 3339 and RFC 4122, base64."""


def to_jsonable(value: object, path: str = "$") -> object:
    """Return a value made of None, bool, int, float, str, list and dict alone.

    Objects (dataclasses, attrs, Structs, NamedTuples, pydantic models) become dicts of their fields, enums
    their values, sets sorted lists, tuples lists, Decimals and paths text, bytes base64, datetimes, dates and
    times ISO 8601, timedeltas ISO 8601 durations (``PT1.5S``). Keys that are ints or enums become text.

    Raises:
        SerializationError: The first part that has no place in JSON, by its path.
    """
    try:
        return _Walk().value(value)
    except _Refusal as refusal:
        place = path + "".join(reversed(refusal.steps))
        raise SerializationError(_shortened(place), refusal.reason) from refusal.__cause__
    except Exception as error:  # a property, an iterator, a mapping of the user's
        raise SerializationError(path, f"the output cannot be read: {error!r}") from error


def fields_to_dict(value: object) -> dict[str, object] | None:
    """Return an object's fields by their names in JSON, not going deeper; None if it has no fields."""
    kind = type(value)
    if isinstance(value, msgspec.Struct):
        return _struct_fields(value)
    if dataclasses.is_dataclass(kind):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(kind)}
    if attrs.has(kind):
        return {field.alias: getattr(value, field.name) for field in attrs.fields(kind)}
    if is_named_tuple(kind) and isinstance(value, tuple):
        names: Iterable[str] = getattr(kind, "_fields", ())
        return dict(zip(names, value, strict=True))
    return None


def _struct_fields(value: msgspec.Struct) -> dict[str, object]:
    config = value.__struct_config__
    fields: dict[str, object] = {} if config.tag is None else {config.tag_field or "type": config.tag}
    for name, key in zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True):
        part = getattr(value, name)
        if part is not msgspec.UNSET:
            fields[key] = part
    return fields


def _shortened(path: str) -> str:
    """Leave out the middle of a path that would leave no room for a reason."""
    return path if len(path) <= PATH_LIMIT else f"{path[: PATH_LIMIT // 2]}...{path[-PATH_LIMIT // 2 :]}"


class _Refusal(Exception):
    """Why a value has no place in JSON, and the steps that led to it, the last one first."""

    def __init__(self, reason: str, *steps: str) -> None:
        super().__init__()
        self.reason = reason
        self.steps = list(steps)


class _Walk:
    """One conversion: what it is inside of, so that it notices cycles and depth."""

    def __init__(self) -> None:
        self._around: set[int] = set()

    def value(self, value: object) -> object:
        """Convert; each level takes two frames of the stack, so that the limit of depth is in reach."""
        if (convert := _BY_TYPE.get(type(value))) is not None:
            return convert(value)
        if (custom := custom_type(type(value))) is not None:
            return self._encoded(value, custom)
        if (unwrapped := _unwrapped(value)) is not value:
            return self.value(unwrapped)
        for kinds, convert in _CONVERTERS:
            if isinstance(value, kinds):
                return convert(value)
        opened = _opened(value)
        if id(value) in self._around:
            reason = f"a {_name(value)} contains itself"
            raise _Refusal(reason)
        if len(self._around) >= DEPTH_LIMIT:
            reason = f"nested deeper than {DEPTH_LIMIT} levels"
            raise _Refusal(reason)
        self._around.add(id(value))
        converted = self._members(opened) if isinstance(opened, dict) else self._items(opened)
        self._around.discard(id(value))
        return in_order(converted) if isinstance(value, Set) and isinstance(converted, list) else converted

    def _encoded(self, value: object, custom: CustomType) -> object:
        try:
            encoded = custom.encode(value)
        except Exception as error:
            reason = f"a {_name(value)} that cannot be encoded: {message_of(error)}"
            raise _Refusal(reason) from error
        if type(encoded) is type(value):
            reason = f"a {_name(value)} that its encoder leaves as it is"
            raise _Refusal(reason)
        return self.value(encoded)

    def _members(self, opened: dict[Any, object]) -> dict[str, object]:
        members: dict[str, object] = {}
        for key, part in opened.items():
            name = _key(key, members)
            try:
                members[name] = self.value(part)
            except _Refusal as refusal:
                refusal.steps.append(member(name))
                raise
        return members

    def _items(self, opened: Iterable[object]) -> list[object]:
        items: list[object] = []
        for part in opened:
            try:
                items.append(self.value(part))
            except _Refusal as refusal:
                refusal.steps.append(item(len(items)))
                raise
        return items


def _unwrapped(value: object) -> object:
    if isinstance(value, Enum):
        return value.value
    dump = getattr(type(value), "model_dump", None)
    if not callable(dump):
        return value
    try:
        # By the names that the class reads, where these are not those of its attributes.
        return dump(value, mode="json", by_alias=True) if _has_aliases(value) else dump(value, mode="json")
    except Exception as error:
        reason = f"a {_name(value)} that cannot be dumped: {message_of(error)}"
        raise _Refusal(reason) from error


def _has_aliases(model: object) -> bool:
    fields = getattr(type(model), "model_fields", None)
    return isinstance(fields, dict) and any(
        getattr(field, name, None) is not None
        for field in fields.values()
        for name in ("alias", "serialization_alias")
    )


def _opened(value: object) -> dict[Any, object] | list[object]:
    """Return the members or items of a container, whose class may run code of the user's."""
    try:
        if isinstance(value, Mapping):
            return value if type(value) is dict else dict(value)
        if (fields := fields_to_dict(value)) is not None:
            return fields
        if isinstance(value, list | tuple | deque | Set):
            return value if type(value) is list else list(value)
    except Exception as error:
        reason = f"a {_name(value)} that cannot be read: {error!r}"
        raise _Refusal(reason) from error
    reason = f"a {_name(value)} has no place in JSON"
    raise _Refusal(reason)


def _key(key: object, others: dict[str, object]) -> str:
    name = key if type(key) is str else _key_text(key)
    if name in others:
        raise _Refusal("two keys are the same in JSON", member(name))
    if len(name) > KEY_LIMIT:
        reason = f"a key longer than {KEY_LIMIT} characters"
        raise _Refusal(reason, member(name))
    try:
        return _text(name)
    except _Refusal as refusal:
        refusal.steps.append(member(name))
        raise


def _key_text(key: object) -> str:
    plain = key.value if isinstance(key, Enum) else key
    if isinstance(plain, bool) or not isinstance(plain, str | int):
        reason = f"the key {key!r:.60} is no str or int"
        raise _Refusal(reason)
    return str.__str__(plain) if isinstance(plain, str) else str(_integer(plain))


def _text(value: str) -> str:
    text = str.__str__(value)
    if "\x00" in text:
        raise _Refusal("the character U+0000, which the server cannot store")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            code = f"U+{ord(text[error.start]):04X}"
            reason = f"the lone surrogate {code}, which is no character"
            raise _Refusal(reason) from None
    return text


def _integer(value: int) -> int:
    number = int(value)
    if not -_INT_LIMIT < number < _INT_LIMIT:
        reason = f"an int of more than {DIGITS_LIMIT} digits"
        raise _Refusal(reason)
    return number


def _float(value: float) -> float:
    number = float(value)
    if not math.isfinite(number):
        reason = f"{number} is no JSON number"
        raise _Refusal(reason)
    return number


def _decimal(value: Decimal) -> str:
    if not value.is_finite():
        reason = f"the Decimal {value} is no number"
        raise _Refusal(reason)
    return str(value)


def _written(value: object) -> object:
    try:
        return msgspec.to_builtins(writable(value, _WRITTEN))
    except (TypeError, ValueError) as error:
        reason = f"a {_name(value)} that cannot be written: {error}"
        raise _Refusal(reason) from None


def _path(value: PurePath) -> str:
    return _text(str(value))


def _as_it_is(value: object) -> object:
    return value


_CONVERTERS: tuple[tuple[type | tuple[type, ...], Callable[[Any], object]], ...] = (
    (str, _text),
    ((bool, NoneType), _as_it_is),
    (int, _integer),
    (float, _float),
    (Decimal, _decimal),
    (_WRITTEN, _written),
    (PurePath, _path),
)
_BY_TYPE: dict[type, Callable[[Any], object]] = {
    str: _text,
    bool: _as_it_is,
    NoneType: _as_it_is,
    int: _integer,
    float: _float,
}


def _name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
