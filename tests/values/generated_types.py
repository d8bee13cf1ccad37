"""Generated types with values of them, and JSON values, for tests of laws."""

import json
from dataclasses import dataclass, field, make_dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag, StrEnum
from typing import Annotated, Any, Generic, Literal, NamedTuple, Required, TypedDict, TypeVar
from uuid import UUID

import attrs
import msgspec
from hypothesis import strategies as st

from anyworker.conductor.models import Task, TaskResult
from anyworker.values.payload import encode_result
from anyworker.values.resolve import BoundCall, resolve_call


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Size(StrEnum):
    SMALL = "s"
    LARGE = "l"


class Mixed(Enum):
    TEXT = "t"
    NUMBER = 1.5
    YES = True
    PAIR = (1, "x")


class Access(Flag):
    READ = 1
    WRITE = 4


class Mode(IntFlag):
    A = 1
    B = 2


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Movie(TypedDict):
    title: str
    at: datetime


@dataclass
class Node:
    value: int
    below: "list[Node]"


@attrs.frozen
class Account:
    owner: str
    points: tuple[Point, ...]
    color: Color | None


class Struct(msgspec.Struct, frozen=True):
    id: UUID
    names: frozenset[str]


class Tagged(msgspec.Struct, tag="tagged", tag_field="kind", rename="camel"):
    first_name: str
    how_many: int | msgspec.UnsetType = msgspec.UNSET


class Partial(TypedDict, total=False):
    name: Required[str]
    size: Size


@attrs.define
class Private:
    _secret: int
    seen: list[str] = attrs.Factory(list)


T = TypeVar("T")


@dataclass
class Page(Generic[T]):
    items: list[T]
    total: int = field(init=False, default=0)


@dataclass
class Days(Page[date]):
    """Extends a generic class."""


class Model:
    """Stands for a pydantic model."""

    def __init__(self, **values: Any) -> None:
        self.values = values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Model) and other.values == self.values

    __hash__ = None  # type: ignore[assignment] # as pydantic's models have it

    @classmethod
    def model_validate(cls, value: object) -> "Model":
        match value:
            case {"count": int(count), **rest} if type(count) is int and not rest:
                return cls(count=count)
        message = "needs a count"
        raise ValueError(message)

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {"count": {"$ref": "#/$defs/Count"}},
            "required": ["count"],
            "additionalProperties": False,
            "$defs": {"Count": {"type": "integer"}},
        }

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        return self.values if mode == "json" else {}


TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
NODES = st.recursive(
    st.builds(Node, st.integers(), st.just([])), lambda below: st.builds(Node, st.integers(), st.lists(below))
)
POINTS = st.builds(Point, st.integers(), FLOATS)
Typed = tuple[Any, st.SearchStrategy[Any]]
"""An annotation and the values that are of that type."""

HASHABLE_LEAVES: list[Typed] = [
    (str, TEXT),
    (int, st.integers()),
    (bool, st.booleans()),
    (datetime, st.datetimes()),
    (date, st.dates()),
    (time, st.times()),
    (timedelta, st.timedeltas()),
    (UUID, st.uuids()),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (bytes, st.binary()),
    (Color, st.sampled_from(Color)),
    (Level, st.sampled_from(Level)),
    (Literal["a", 2, None], st.sampled_from(["a", 2, None])),
    (Point, POINTS),
    (Size, st.sampled_from(Size)),
    (Mixed, st.sampled_from(Mixed)),
    (Access, st.sampled_from([Access.READ, Access.WRITE, Access.READ | Access.WRITE, Access(0)])),
    (Mode, st.sampled_from([Mode.A, Mode.A | Mode.B])),
    (Literal[Color.RED, 3, True], st.sampled_from([Color.RED, 3, True])),
]
LEAVES: list[Typed] = [
    *HASHABLE_LEAVES,
    (float, FLOATS),
    (Movie, st.fixed_dictionaries({"title": TEXT, "at": st.datetimes()})),
    (Node, NODES),
    (Account, st.builds(Account, TEXT, st.lists(POINTS).map(tuple), st.none() | st.sampled_from(Color))),
    (Struct, st.builds(Struct, st.uuids(), st.frozensets(TEXT))),
    (Tagged, st.builds(Tagged, TEXT, st.integers() | st.just(msgspec.UNSET))),
    (Partial, st.fixed_dictionaries({"name": TEXT}, optional={"size": st.sampled_from(Size)})),
    (Private, st.builds(Private, st.integers(), st.lists(TEXT))),
    (Page[Decimal], st.builds(Page, st.lists(st.decimals(allow_nan=False, allow_infinity=False)))),
    (Days, st.builds(Days, st.lists(st.dates()))),
    (Model, st.builds(Model, count=st.integers())),
]  # fmt: skip
CONSTRAINED: list[Typed] = [
    (Annotated[int, msgspec.Meta(ge=-2, lt=3)], st.integers(-2, 2)),
    (Annotated[float, msgspec.Meta(gt=0)], st.floats(0.5, 1e9)),
    (Annotated[int, msgspec.Meta(multiple_of=3)], st.integers(-5, 5).map(lambda number: number * 3)),
    (Annotated[str, msgspec.Meta(min_length=1, max_length=3)], TEXT.filter(lambda text: 1 <= len(text) <= 3)),
    (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], st.sampled_from(["a", "red"])),
    (Annotated[bytes, msgspec.Meta(min_length=1, max_length=5)], st.binary(min_size=1, max_size=5)),
    (Annotated[list[int], msgspec.Meta(max_length=2)], st.lists(st.integers(), max_size=2)),
    (Annotated[dict[str, int], msgspec.Meta(min_length=1)], st.just({"value": 1})),
    (Annotated[int | None, msgspec.Meta(ge=0)], st.none() | st.integers(0, 9)),
]
KEYS: list[Typed] = [(str, TEXT), (int, st.integers()), (Level, st.sampled_from(Level))]


def made_of(typed: Typed) -> Typed:
    """Return a dataclass with members of a type."""
    annotation, values = typed
    made = make_dataclass(
        "Made",
        [
            ("part", annotation),
            ("more", list[annotation], field(default_factory=list)),
            ("best", annotation | None),
        ],
        kw_only=True,
    )  # fmt: skip
    return made, st.builds(made, part=values, more=st.lists(values, max_size=3), best=st.none() | values)


def collections_of(typed: Typed) -> st.SearchStrategy[Typed]:
    annotation, values = typed
    options: list[Typed] = [
        (list[annotation], st.lists(values, max_size=5)),
        (tuple[annotation, ...], st.lists(values, max_size=5).map(tuple)),
        (tuple[annotation, int], st.tuples(values, st.integers())),
        (annotation | None, st.none() | values),
        *((dict[key, annotation], st.dictionaries(keys, values, max_size=5)) for key, keys in KEYS),  # type: ignore[valid-type]
        made_of(typed),
    ]
    return st.sampled_from(options)


SETS: list[Typed] = [
    (set[annotation], st.sets(values, max_size=5))  # type: ignore[valid-type]
    for annotation, values in HASHABLE_LEAVES
    if annotation not in {Level, Size, Mode}
]
_SIMPLE = st.sampled_from([*LEAVES, *SETS, *CONSTRAINED])
_NESTED = _SIMPLE.flatmap(collections_of).flatmap(collections_of).flatmap(collections_of)
TYPED = st.recursive(_SIMPLE, lambda inner: inner.flatmap(collections_of), max_leaves=4) | _NESTED

KEYS_OF_TYPES = [
    "value",
    "below",
    "x",
    "y",
    "title",
    "1",
    "é",
    "part",
    "items",
    "count",
    "kind",
    "firstName",
    "name",
]
JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | FLOATS
    | st.sampled_from(["", "a", "red", "s", "tagged", "2024-02-29", "PT1S", "AA==", 1.5, 4, 5])
    | st.just([1, "x"]),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(KEYS_OF_TYPES), inner, max_size=4)
    ),
    max_leaves=20,
)


def binder(annotation: Any) -> BoundCall:
    def function(x: object) -> object: ...

    function.__annotations__["x"] = annotation
    return resolve_call(function)


def converted(annotation: Any, value: object) -> object:
    return binder(annotation).arguments(Task(task_id="t", input_data={"x": value}))[1]["x"]


def over_the_wire(value: object) -> Any:
    return json.loads(encode_result(TaskResult(status="COMPLETED", output_data={"x": value})))["outputData"][
        "x"
    ]
