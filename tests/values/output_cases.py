"""Values that functions return, and the exact JSON or the exact refusal of each."""

import collections
import collections.abc
import enum
import types
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from uuid import UUID

import attrs
import msgspec


class Color(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    LOW = 1


class Point(NamedTuple):
    x: int
    y: int


class Wrapped(enum.Enum):
    POINT = Point(1, 2)


@dataclass
class Line:
    start: Point
    labels: set[str] = field(default_factory=set)
    _hidden: int = 7


@attrs.define
class Account:
    _owner: str


class Sent(msgspec.Struct, rename="camel", tag="sent", omit_defaults=True):
    mail_address: str
    retry_count: int = 0
    unset: int | msgspec.UnsetType = msgspec.UNSET


class Model:
    """Stands for a pydantic model."""

    def __init__(self, **values: object) -> None:
        self.values = values

    def model_dump(self, *, mode: str) -> dict[str, object]:
        assert mode == "json"
        return self.values


class BrokenModel:
    def model_dump(self, *, mode: str) -> dict[str, object]:
        reason = f"no {mode} today"
        raise RuntimeError(reason)


class BrokenMapping(collections.abc.Mapping[str, int]):
    def __getitem__(self, key: str) -> int:
        raise OSError(key)

    def __iter__(self) -> Iterator[str]:
        return iter(["a"])

    def __len__(self) -> int:
        return 1


class QuarrelsomeDict(dict[str, int]):
    def __eq__(self, other: object) -> bool:
        raise RuntimeError

    __hash__ = None  # type: ignore[assignment]


@dataclass
class Unfilled:
    size: int = field(init=False)


class Stamp(datetime):
    """Stands for the classes of date libraries, which inherit from datetime."""

    nanosecond = 0

    def __new__(cls, *args: Any, nanosecond: int = 0, **kwargs: Any) -> "Stamp":
        made = super().__new__(cls, *args, **kwargs)
        made.nanosecond = nanosecond
        return made

    def __eq__(self, other: object) -> bool:
        return self.nanosecond == 0 and super().__eq__(other)

    __hash__ = datetime.__hash__


class Day(date):
    pass


class Clock(time):
    pass


class Span(timedelta):
    pass


class Blob(bytes):
    pass


class Text(str):
    __slots__ = ()


class Number(int):
    pass


NESTED: list[tuple[object, object]] = [
    ("text", "text"),
    ("\\u0000 as text", "\\u0000 as text"),
    ("\U0001f600 é \x01", "\U0001f600 é \x01"),
    (None, None),
    (True, True),
    (0, 0),
    (1.5, 1.5),
    (-0.0, -0.0),
    (2**64, 2**64),
    (-(10**999), -(10**999)),
    (1e300, 1e300),
    ([1, None, "a"], [1, None, "a"]),
    ((1, (2, None)), [1, [2, None]]),
    (set("fbdeca"), ["a", "b", "c", "d", "e", "f"]),
    ({8, 1}, [1, 8]),
    (frozenset({(2, 1), (1, 2)}), [[1, 2], [2, 1]]),
    (collections.deque([1]), [1]),
    ({1: "a", "b": None}, {"1": "a", "b": None}),
    ({Color.RED: 1, Level.LOW: 2}, {"red": 1, "1": 2}),
    (types.MappingProxyType({"a": {"b": 1}}), {"a": {"b": 1}}),
    (QuarrelsomeDict(a=1), {"a": 1}),
    ({"": 1, "a b": 2}, {"": 1, "a b": 2}),
    (Color.RED, "red"),
    (Level.LOW, 1),
    (Text("t"), "t"),
    (Number(5), 5),
    (datetime(2024, 2, 29, 12, tzinfo=UTC), "2024-02-29T12:00:00Z"),
    (datetime(2024, 2, 29, 12, 0, 0, 5), "2024-02-29T12:00:00.000005"),  # noqa: DTZ001
    (datetime(2024, 2, 29, tzinfo=timezone(timedelta(hours=1))), "2024-02-29T00:00:00+01:00"),
    (date(2024, 2, 29), "2024-02-29"),
    (time(12, 30), "12:30:00"),
    (timedelta(days=1, seconds=1.5), "P1DT1.5S"),
    (Stamp(2024, 2, 29, 12, tzinfo=UTC), "2024-02-29T12:00:00Z"),
    (Day(2024, 2, 29), "2024-02-29"),
    (Clock(12, 30), "12:30:00"),
    (Span(days=1), "P1D"),
    (Blob(b"a"), "YQ=="),
    (Wrapped.POINT, {"x": 1, "y": 2}),
    (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    (Decimal("1.50"), "1.50"),
    (b"\x00\xff", "AP8="),
    (bytearray(b"a"), "YQ=="),
    (PurePosixPath("/tmp/x"), "/tmp/x"),
    (Point(1, 2), {"x": 1, "y": 2}),
    ([Point(1, 2)], [{"x": 1, "y": 2}]),
    (Line(Point(1, 2), {"b", "a"}), {"start": {"x": 1, "y": 2}, "labels": ["a", "b"], "_hidden": 7}),
    (Account("me"), {"owner": "me"}),
    (Sent("a@b"), {"type": "sent", "mailAddress": "a@b", "retryCount": 0}),
    (Model(a=1, b=[Color.RED]), {"a": 1, "b": ["red"]}),
]

TOP_LEVEL: list[tuple[object, object]] = [
    ({}, {}),
    ({"a": None}, {"a": None}),
    ({1: 2}, {"1": 2}),
    (collections.OrderedDict(a=1), {"a": 1}),
    (types.MappingProxyType({"a": 1}), {"a": 1}),
    (None, {"result": None}),
    ("text", {"result": "text"}),
    (False, {"result": False}),
    ([1, 2], {"result": [1, 2]}),
    ((1, 2), {"result": [1, 2]}),
    ({1}, {"result": [1]}),
    (Color.RED, {"result": "red"}),
    (Decimal(1), {"result": "1"}),
    (b"a", {"result": "YQ=="}),
    (date(2024, 2, 29), {"result": "2024-02-29"}),
    (Point(1, 2), {"x": 1, "y": 2}),
    (Line(Point(1, 2)), {"start": {"x": 1, "y": 2}, "labels": [], "_hidden": 7}),
    (Account("me"), {"owner": "me"}),
    (Sent("a@b", 1), {"type": "sent", "mailAddress": "a@b", "retryCount": 1}),
    (Model(a=1), {"a": 1}),
]


def cyclic() -> list[object]:
    values: list[object] = [1]
    values.append({"again": values})
    return values


def nested(levels: int) -> list[object]:
    value: list[object] = []
    for _ in range(levels - 1):
        value = [value]
    return value


# fmt: off
REFUSED: list[tuple[object, str]] = [
    ({"a": [1.0, float("nan")]}, "$.a[1]: nan is no JSON number"),
    ({"a": {"b c": float("inf")}}, "$.a['b c']: inf is no JSON number"),
    (float("-inf"), "$.result: -inf is no JSON number"),
    (Decimal("NaN"), "$.result: the Decimal NaN is no number"),
    ({"a": "x\x00"}, "$.a: the character U+0000, which the server cannot store"),
    ({"a\x00": 1}, "$['a\\x00']: the character U+0000, which the server cannot store"),
    (["\ud800"], "$.result[0]: the lone surrogate U+D800, which is no character"),
    (PurePosixPath("\udc80"), "$.result: the lone surrogate U+DC80, which is no character"),
    ({"a": object()}, "$.a: a object has no place in JSON"),
    ({"a": (n for n in [1])}, "$.a: a generator has no place in JSON"),
    ({"a": Line}, "$.a: a type has no place in JSON"),
    ({"a": complex(1)}, "$.a: a complex has no place in JSON"),
    (ValueError("x"), "$.result: a ValueError has no place in JSON"),
    (BrokenModel(), "$: a output_cases.BrokenModel that cannot be dumped: no json today"),
    (BrokenMapping(), "$: the output cannot be read: OSError('a')"),
    ([BrokenMapping()], "$.result[0]: a output_cases.BrokenMapping that cannot be read: OSError('a')"),
    ({"a": [Unfilled()]}, (
        "$.a[0]: a output_cases.Unfilled that cannot be read: "
        "AttributeError(\"'Unfilled' object has no attribute 'size'\")"
    )),
    ([datetime(2024, 2, 29, tzinfo=timezone(timedelta(seconds=3601)))], (
        "$.result[0]: a datetime.datetime that cannot be written: its offset from UTC has seconds"
    )),
    ([Stamp(2024, 2, 29, nanosecond=1)], (
        "$.result[0]: a output_cases.Stamp that cannot be written: Stamp(2024, 2, 29, 0, 0) is more "
        "than a datetime can hold"
    )),
    ({1.5: 1}, "$: the key 1.5 is no str or int"),
    ({"a": {None: 1}}, "$.a: the key None is no str or int"),
    ({True: 1}, "$: the key True is no str or int"),
    ({(1, 2): 1}, "$: the key (1, 2) is no str or int"),
    ({"a": {1: 1, "1": 2}}, "$.a['1']: two keys are the same in JSON"),
    (-(10**1000), "$.result: an int of more than 1000 digits"),
    ({"k" * 50_001: 1}, "$['" + "k" * 50 + "...']: a key longer than 50000 characters"),
    ({"a": cyclic()}, "$.a[1].again: a list contains itself"),
]
# fmt: on
