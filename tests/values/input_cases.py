"""Annotations with inputs, and the exact value or the exact problems of each."""

import collections
import typing
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import InitVar, dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum, IntFlag, StrEnum
from pathlib import Path
from typing import (
    Annotated,
    Any,
    Generic,
    Literal,
    NamedTuple,
    NewType,
    NotRequired,
    Optional,
    Self,
    TypedDict,
    TypeVar,
    Union,
)
from uuid import UUID

import attrs
import msgspec

T = TypeVar("T")
UserId = NewType("UserId", int)
Json = Union[None, bool, int, float, str, list["Json"], dict[str, "Json"]]  # noqa: UP007 - a name in text


class Color(StrEnum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Lenient(Enum):
    ON = "on"

    @classmethod
    def _missing_(cls, value: object) -> "Lenient | None":
        return cls.ON if isinstance(value, str) and value.lower() == "on" else None


class Counted(IntEnum):
    ONE = 1

    @classmethod
    def _missing_(cls, value: object) -> "Counted | None":
        ASKED.append(value)
        return None


ASKED: list[object] = []


class Place(Enum):
    ORIGIN = (0, 0)


class Mode(IntFlag):
    READ = 1
    WRITE = 2


@dataclass
class Item:
    name: str
    price: float
    tags: list[str] = field(default_factory=list)


@dataclass
class Order:
    id: int
    items: list[Item]
    note: str | None


@dataclass
class Positive:
    value: int

    def __post_init__(self) -> None:
        if self.value <= 0:
            reason = f"{self.value} is not positive"
            raise ValueError(reason)


@dataclass
class Scaled:
    size: int = field(init=False)
    factor: InitVar[int]
    base: int = 10

    def __post_init__(self, factor: int) -> None:
        self.size = self.base * factor


@dataclass
class Node:
    value: int
    below: "list[Node]" = field(default_factory=list)


class Chain(NamedTuple):
    value: int
    rest: Optional[Self] = None  # noqa: UP045


class Holder(TypedDict):
    anything: "Json"


@dataclass
class Box(Generic[T]):
    content: T
    more: list[T]


@attrs.define
class Account:
    _owner: str
    limit: int = attrs.field(default=5, validator=attrs.validators.ge(0))
    kind: str = attrs.field(default="a", validator=attrs.validators.in_(["a", "b"]))


class Sent(msgspec.Struct, rename="camel"):
    mail_address: str
    retry_count: int = 0


class Cat(msgspec.Struct, tag=True):
    age: int


class Dog(msgspec.Struct, tag=True):
    age: int


class Leafy(msgspec.Struct, tag="leafy"):
    below: "list[Leafy | Bare]"


class Bare(msgspec.Struct, tag="bare"):
    below: "list[Leafy | Bare]"


@dataclass
class Left:
    value: int
    below: "Left | Right | None"


@dataclass
class Right:
    value: str
    below: "Left | Right | None"

    def __post_init__(self) -> None:
        BUILT.append(self)


BUILT: list[Right] = []


class Point(NamedTuple):
    x: int
    y: int = 0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Plain:
    def __init__(self, a: int, b: str = "b") -> None:
        self.a, self.b = a, b

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Plain) and (self.a, self.b) == (other.a, other.b)

    __hash__ = None  # type: ignore[assignment]


class Circle(typing.NamedTuple):
    radius: float


@dataclass
class Dated:
    at: datetime
    size: int


@dataclass
class Noted:
    at: str
    size: float


@dataclass
class Square:
    side: float


@dataclass
class Cube:
    side: float
    depth: float


@dataclass
class Twin:
    side: float


class Name(str):
    __slots__ = ()


class Model:
    """Stands for a pydantic model."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and self.value == other.value

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def model_validate(cls, value: Any) -> "Model":
        if not isinstance(value, dict):
            raise ModelError([{"loc": (), "msg": "Input should be an object"}])
        if not isinstance(value.get("value"), int):
            raise ModelError([{"loc": ("value", 0), "msg": "Input should be an int"}])
        return cls(value["value"])


class ModelError(ValueError):
    def __init__(self, found: list[dict[str, Any]]) -> None:
        super().__init__("invalid")
        self._found = found

    def errors(self) -> list[dict[str, Any]]:
        return self._found


UTC_NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
SOME_UUID = "12345678-1234-5678-1234-567812345678"

ACCEPTED: list[tuple[Any, object, object]] = [
    (str, "", ""),
    (str, "null", "null"),
    (int, 12345678901234567890123, 12345678901234567890123),
    (int, 3.0, 3),
    (int, -0.0, 0),
    (float, 3, 3.0),
    (float, 2**53, 2.0**53),
    (float, 1e300, 1e300),
    (bool, True, True),
    (None, None, None),
    (Any, {"a": [1, None]}, {"a": [1, None]}),
    (object, None, None),
    (datetime, "2024-02-29T12:00:00Z", UTC_NOON),
    (datetime, "2024-02-29T12:00:00.000001", datetime(2024, 2, 29, 12, 0, 0, 1)),  # noqa: DTZ001
    (datetime, "2024-02-29T12:00:00.500000000Z", UTC_NOON.replace(microsecond=500_000)),
    (date, "2024-02-29", date(2024, 2, 29)),
    (time, "12:30:00", time(12, 30)),
    (timedelta, "PT1.5S", timedelta(seconds=1.5)),
    (timedelta, "-P1D", timedelta(days=-1)),
    (UUID, SOME_UUID, UUID(SOME_UUID)),
    (Decimal, "1.50", Decimal("1.50")),
    (Decimal, "-1e-7", Decimal("-1e-7")),
    (Decimal, 12345678901234567890, Decimal("12345678901234567890")),
    (Path, "/tmp/x", Path("/tmp/x")),
    (bytes, "AP8=", b"\x00\xff"),
    (Color, "red", Color.RED),
    (Level, 2, Level.HIGH),
    (Level, 2.0, Level.HIGH),
    (Lenient, "ON", Lenient.ON),
    (Place, [0, 0], Place.ORIGIN),
    (Mode, 3, Mode.READ | Mode.WRITE),
    (Literal["a", 1, None], 1, 1),
    (Literal["a", 1, None], None, None),
    (Literal[Color.RED], "red", Color.RED),
    (list, [1, "a"], [1, "a"]),
    (list[int], [1, 2.0], [1, 2]),
    (list[float], [1, 2], [1.0, 2.0]),
    (typing.List[float], [1, 2], [1.0, 2.0]),  # noqa: UP006
    (Sequence[str], ["a"], ["a"]),
    (Iterable[int], [1], [1]),
    (tuple[int, str], [1, "a"], (1, "a")),
    (tuple[int, ...], [1, 2, 3], (1, 2, 3)),
    (tuple[()], [], ()),
    (tuple, [1, "a"], (1, "a")),
    (set[int], [1, 2, 2], {1, 2}),
    (frozenset[str], ["a"], frozenset({"a"})),
    (AbstractSet[str], ["a"], frozenset({"a"})),
    (collections.deque[int], [1, 2], collections.deque([1, 2])),
    (dict, {"a": 1}, {"a": 1}),
    (dict[str, float], {"a": 1}, {"a": 1.0}),
    (Mapping[str, list[UUID]], {"a": [SOME_UUID]}, {"a": [UUID(SOME_UUID)]}),
    (dict[int, str], {"-1": "a", "0": "b"}, {-1: "a", 0: "b"}),
    (dict[Color, int], {"red": 1}, {Color.RED: 1}),
    (dict[Level, int], {"2": 1}, {Level.HIGH: 1}),
    (dict[date, int], {"2024-02-29": 1}, {date(2024, 2, 29): 1}),
    (collections.defaultdict[str, list[int]], {"a": [1]}, collections.defaultdict(list, {"a": [1]})),
    (Item, {"name": "a", "price": 1, "else": 0}, Item("a", 1.0)),
    (
        Order,
        {"id": 1, "items": [{"name": "a", "price": 1.5, "tags": ["t"]}]},
        Order(1, [Item("a", 1.5, ["t"])], None),
    ),
    (Node, {"value": 1, "below": [{"value": 2}]}, Node(1, [Node(2)])),
    (Chain, {"value": 1, "rest": [2]}, Chain(1, Chain(2))),
    (Holder, {"anything": [{"a": [None]}]}, {"anything": [{"a": [None]}]}),
    (bytearray, "AP8=", bytearray(b"\x00\xff")),
    (datetime | None, "2024-02-29T12:00:00Z", UTC_NOON),
    (bool | Literal["auto"], "auto", "auto"),
    (Box[float], {"content": 1, "more": [2]}, Box(1.0, [2.0])),
    (Box, {"content": "x", "more": []}, Box("x", [])),
    (Account, {"owner": "me"}, Account("me")),
    (Sent, {"mailAddress": "a@b", "retryCount": 1.0}, Sent("a@b", 1)),
    (Point, {"x": 1}, Point(1)),
    (Point, [1, 2], Point(1, 2)),
    (Movie, {"title": "t", "other": 1}, {"title": "t"}),
    (Movie, {"title": "t", "year": 1.0}, {"title": "t", "year": 1}),
    (Plain, {"a": 1}, Plain(1)),
    (Model, {"value": 1}, Model(1)),
    (UserId, 1.0, 1),
    (Name, "n", Name("n")),
    (Json, {"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
    (Annotated[int, "anything"], 1, 1),
    (Annotated[int, msgspec.Meta(ge=1)], 1, 1),
    (Annotated[list[int] | None, msgspec.Meta(max_length=1)], None, None),
    (int | None, None, None),
    (Optional[int], 1, 1),  # noqa: UP045
    (int | float, 1, 1),
    (int | float, 1.0, 1.0),
    (int | str, "1", "1"),
    (bool | int, True, True),
    (str | datetime, "2024-02-29T12:00:00Z", UTC_NOON),
    (str | datetime, "tomorrow", "tomorrow"),
    (datetime | date, "2024-02-29", date(2024, 2, 29)),
    (str | Color, "blue", Color.BLUE),
    (str | Color, "green", "green"),
    (str | list[str], ["a"], ["a"]),
    (list[int] | list[str], ["a"], ["a"]),
    (Square | Cube, {"side": 1, "depth": 2}, Cube(1.0, 2.0)),
    (Cube | Square, {"side": 1}, Square(1.0)),
    (Cube | Square, {"side": 1, "colour": "red"}, Square(1.0)),
    (Noted | Dated, {"at": "2024-02-29T12:00:00Z", "size": 1}, Dated(UTC_NOON, 1)),
    (Dated | Noted, {"at": "tomorrow", "size": 1}, Noted("tomorrow", 1.0)),
    (Dated | Noted, {"at": "tomorrow", "size": 1.5}, Noted("tomorrow", 1.5)),
    (Item | dict[str, Any], {"a": 1}, {"a": 1}),
    (dict[str, Any] | Item, {"name": "a", "price": 1}, Item("a", 1.0)),
    (Cat | Dog, {"type": "Dog", "age": 3}, Dog(3)),
    (Leafy, {"below": [{"type": "bare", "below": []}]}, Leafy([Bare([])])),
]

REFUSED: list[tuple[Any, object, list[str]]] = [
    (str, 1, ["$.x: expected str, got int"]),
    (str, None, ["$.x: expected str, got null"]),
    (int, "1", ["$.x: expected int, got str"]),
    (int, True, ["$.x: expected int, got bool"]),
    (int, 1.5, ["$.x: expected int, got float 1.5"]),
    (int, float("inf"), ["$.x: expected int, got float inf"]),
    (float, "1", ["$.x: expected float, got str"]),
    (float, True, ["$.x: expected float, got bool"]),
    (float, 2**53 + 1, ["$.x: expected float, got int that a float cannot hold exactly"]),
    (float, 10**400, ["$.x: expected float, got int that a float cannot hold exactly"]),
    (bool, "false", ["$.x: expected bool, got str"]),
    (bool, 0, ["$.x: expected bool, got int"]),
    (None, 0, ["$.x: expected null, got int"]),
    (datetime, "2024-02-30T00:00:00Z", ["$.x: expected datetime, got str '2024-02-30T00:00:00Z'"]),
    (datetime, "2024-02-29", ["$.x: expected datetime, got str '2024-02-29'"]),
    (datetime, 1709208000, ["$.x: expected datetime, got int"]),
    (
        datetime,
        "2024-02-29T12:00:00.123456789Z",
        ["$.x: expected datetime, got str '2024-02-29T12:00:00.123456789Z'"],
    ),
    (timedelta, 5, ["$.x: expected timedelta, got int"]),
    (UUID, "nope", ["$.x: expected UUID, got str 'nope'"]),
    (Decimal, "1,5", ["$.x: expected Decimal, got str '1,5'"]),
    (Decimal, "NaN", ["$.x: expected Decimal, got str 'NaN'"]),
    (Decimal, 0.1, ["$.x: expected Decimal, got float 0.1"]),
    (bytes, "a", ["$.x: expected bytes in base64, got str 'a'"]),
    (bytes, "YQ==\n", ["$.x: expected bytes in base64, got str 'YQ==\\n'"]),
    (bytes, "ä===", ["$.x: expected bytes in base64, got str 'ä==='"]),
    (Color, "green", ["$.x: expected Color (one of 'red', 'blue'), got str 'green'"]),
    (Color, ["red"], ["$.x: expected Color (one of 'red', 'blue'), got list"]),
    (Level, True, ["$.x: expected Level (one of 1, 2), got bool True"]),
    (Counted, True, ["$.x: expected Counted (one of 1), got bool True"]),
    (Lenient, "off", ["$.x: not a valid Lenient: 'off' is not a valid Lenient"]),
    (Mode, 8.5, ["$.x: expected int, got float 8.5"]),
    (Literal["a", 1], True, ["$.x: expected one of 'a', 1, got bool True"]),
    (list[int], {"a": 1}, ["$.x: expected list[int], got dict"]),
    (list[int], [1, "2", 3, None], ["$.x[1]: expected int, got str", "$.x[3]: expected int, got null"]),
    (tuple[int, str], [1], ["$.x: expected tuple[int, str], got 1 items"]),
    (tuple[int, str], ["1", 2], ["$.x[0]: expected int, got str", "$.x[1]: expected str, got int"]),
    (set[Any], [[1]], ["$.x: expected set[Any], got items that cannot be in a set"]),
    (dict[str, int], [], ["$.x: expected dict[str, int], got list"]),
    (dict[str, int], {"a b": "1"}, ["$.x['a b']: expected int, got str"]),
    (dict[int, int], {"01": 1}, ["$.x['01']: key: expected int, got str '01'"]),
    (Item, [], ["$.x: expected Item, got list"]),
    (
        Order,
        {"id": "1", "items": [{"name": "a"}, {"name": None, "price": "2"}]},
        [
            "$.x.id: expected int, got str",
            "$.x.items[0].price: missing, expected float",
            "$.x.items[1].name: expected str, got null",
            "$.x.items[1].price: expected float, got str",
        ],
    ),
    (Node, {"value": 1, "below": [{"value": "2"}]}, ["$.x.below[0].value: expected int, got str"]),
    (Positive, {"value": 0}, ["$.x: not a valid Positive: 0 is not positive"]),
    (Account, {"owner": "me", "limit": -1}, ["$.x: not a valid Account: 'limit' must be >= 0: -1"]),
    (Account, {"owner": "me", "kind": "c"}, [
        "$.x: not a valid Account: 'kind' must be in ['a', 'b'] (got 'c')",
    ]),
    (Point, [1, 2, 3], ["$.x[2]: expected no more than 2 items of Point"]),
    (Point, [], ["$.x.x: missing, expected int"]),
    (Movie, {"year": "1"}, ["$.x.title: missing, expected str", "$.x.year: expected int, got str"]),
    (Model, {"value": "1"}, ["$.x.value[0]: Input should be an int"]),
    (Model, 1, ["$.x: Input should be an object"]),
    (Json, {"a": [{1}]}, [
        "$.x.a[0]: expected null | bool | int | float | str | list[Json] | dict[str, Json], got set",
    ]),
    (Annotated[int, msgspec.Meta(ge=0)], -1, ["$.x: expected int >= 0, got -1"]),
    (Annotated[str, msgspec.Meta(pattern="^a$")], "b", ["$.x: expected str matching regex '^a$', got 'b'"]),
    (Annotated[list[int], msgspec.Meta(max_length=1)], [1, 2], [
        "$.x: expected array of length <= 1, got [1, 2]",
    ]),
    (int | str, None, ["$.x: expected int | str, got null"]),
    (int | None, "1", ["$.x: expected int | null, got str '1'"]),
    (datetime | None, "x", ["$.x: expected datetime | null, got str 'x'"]),
    (bool | Literal["auto"], "x", ["$.x: expected bool | one of 'auto', got str 'x'"]),
    (datetime | UUID, "x", ["$.x: expected datetime | UUID, got str 'x'"]),
    (Item | None, {"name": 1, "price": 1}, ["$.x.name: expected str, got int"]),
    (Cat | Dog, {"type": "Cow", "age": 3}, [
        "$.x.type: expected one of 'Cat', got str 'Cow' (to be Cat)",
        "$.x.type: expected one of 'Dog', got str 'Cow' (to be Dog)",
    ]),
    (Cat | Dog, {"type": "Dog", "age": "3"}, ["$.x.age: expected int, got str"]),
    (list[Cat | Dog | None], [None, {"type": "Cat"}], ["$.x[1].age: missing, expected int"]),
    (Square | Cube, {}, [
        "$.x.side: missing, expected float",
        "$.x.depth: missing, expected float (to be Cube)",
    ]),
]  # fmt: skip
