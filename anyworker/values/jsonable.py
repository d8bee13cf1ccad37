"""Python values to JSON values, refusing by path what JSON or the server cannot hold."""

import dataclasses
import math
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Set
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any
from uuid import UUID

import attrs
import msgspec

from anyworker.errors import SerializationError
from anyworker.values.fields import is_named_tuple
from anyworker.values.paths import item, member

DEPTH_LIMIT = 500
"""Levels of nesting. The server stores a little under 1000 and breaks the workflow beyond that; what reads
the workflow has its limits, too."""
KEY_LIMIT = 50_000
"""Characters of a key; the server answers 500 to longer ones."""
DIGITS_LIMIT = 1000
"""Digits of an int; the server answers 500 to more."""

_INT_LIMIT = 10**DIGITS_LIMIT
_WRITTEN = (date, time, timedelta, UUID, bytes, bytearray, memoryview)
"""What msgspec writes as text: ISO 8601, RFC 3339 and RFC 4122, base64. A datetime is a date."""


def to_jsonable(value: object, path: str = "$") -> object:
    """Return a value made of None, bool, int, float, str, list and dict alone.

    Objects (dataclasses, attrs, Structs, NamedTuples, pydantic models) become dicts of their fields, enums
    their values, sets sorted lists, tuples lists, Decimals and paths text, bytes base64, datetimes, dates and
    times ISO 8601, timedeltas ISO 8601 durations (``PT1.5S``). Keys that are ints or enums become text.

    Raises:
        SerializationError: The first part that has no place in JSON, by its path.
    """
    return _Walk().value(value, path)


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


class _Walk:
    """One conversion: what it is inside of, so that it notices cycles and depth."""

    def __init__(self) -> None:
        self._around: set[int] = set()

    def value(self, value: object, path: str) -> object:
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, Enum):
            return self.value(value.value, path)
        for kinds, convert in _CONVERTERS:
            if isinstance(value, kinds):
                return convert(value, path)
        return self._container(value, path)

    def _container(self, value: object, path: str) -> object:
        if id(value) in self._around:
            raise SerializationError(path, f"a {_name(value)} contains itself")
        if len(self._around) >= DEPTH_LIMIT:
            raise SerializationError(path, f"nested deeper than {DEPTH_LIMIT} levels")
        self._around.add(id(value))
        converted = self._opened(value, path)
        self._around.discard(id(value))
        return converted

    def _opened(self, value: object, path: str) -> object:
        if (fields := fields_to_dict(value)) is not None:
            return self._members(fields, path)
        if isinstance(value, Mapping):
            return self._members(value, path)
        if isinstance(value, list | tuple | deque):
            return self._items(value, path)
        if isinstance(value, Set):
            return _sorted(self._items(value, path))
        if callable(dump := getattr(value, "model_dump", None)) and not isinstance(value, type):
            return self.value(_dumped(dump, value, path), path)
        raise SerializationError(path, f"a {_name(value)} has no place in JSON")

    def _items(self, values: Iterable[object], path: str) -> list[object]:
        return [self.value(value, path + item(index)) for index, value in enumerate(values)]

    def _members(self, members: Mapping[Any, object], path: str) -> dict[str, object]:
        converted: dict[str, object] = {}
        for key, value in members.items():
            name = _key(key, path)
            if name in converted:
                raise SerializationError(path + member(name), "two keys are the same in JSON")
            converted[name] = self.value(value, path + member(name))
        return converted


def _key(key: object, path: str) -> str:
    plain = key.value if isinstance(key, Enum) else key
    if isinstance(plain, bool) or not isinstance(plain, str | int):
        raise SerializationError(path, f"the key {key!r:.60} is no str or int")
    if isinstance(plain, int):
        return str(_integer(plain, path))
    name = _text(plain, path + member(plain))
    if len(name) > KEY_LIMIT:
        raise SerializationError(path + member(name), f"a key longer than {KEY_LIMIT} characters")
    return name


def _text(value: str, path: str) -> str:
    text = str.__str__(value)
    if "\x00" in text:
        raise SerializationError(path, "the character U+0000, which the server cannot store")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            code = f"U+{ord(text[error.start]):04X}"
            raise SerializationError(path, f"the lone surrogate {code}, which is no character") from None
    return text


def _integer(value: int, path: str) -> int:
    number = int(value)
    if not -_INT_LIMIT < number < _INT_LIMIT:
        raise SerializationError(path, f"an int of more than {DIGITS_LIMIT} digits")
    return number


def _float(value: float, path: str) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise SerializationError(path, f"{number} is no JSON number")
    return number


def _decimal(value: Decimal, path: str) -> str:
    if not value.is_finite():
        raise SerializationError(path, f"the Decimal {value} is no number")
    return str(value)


def _written(value: object, path: str) -> object:
    try:
        return msgspec.to_builtins(value)
    except (TypeError, ValueError) as error:
        raise SerializationError(path, f"a {_name(value)} that cannot be written: {error}") from None


def _path(value: PurePath, path: str) -> str:
    return _text(str(value), path)


_CONVERTERS: tuple[tuple[type | tuple[type, ...], Callable[..., object]], ...] = (
    (str, _text),
    (int, _integer),
    (float, _float),
    (Decimal, _decimal),
    (_WRITTEN, _written),
    (PurePath, _path),
)


def _dumped(dump: Callable[..., object], value: object, path: str) -> object:
    try:
        return dump(mode="json")
    except Exception as error:
        raise SerializationError(path, f"a {_name(value)} that cannot be dumped: {error}") from error


def _sorted(values: list[object]) -> list[object]:
    """Put the items of a set, which has no order of its own, into the same order in every process."""
    return sorted(
        values, key=lambda value: (type(value).__name__, value if _is_ordered(value) else repr(value))
    )


def _is_ordered(value: object) -> bool:
    return isinstance(value, str | int | float)


def _name(value: object) -> str:
    kind = type(value)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
