"""Generated types with values of them, and JSON values, for tests of laws."""

import json
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from typing import Any, Literal, NamedTuple, TypedDict
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
]
LEAVES: list[Typed] = [
    *HASHABLE_LEAVES,
    (float, FLOATS),
    (Movie, st.fixed_dictionaries({"title": TEXT, "at": st.datetimes()})),
    (Node, NODES),
    (Account, st.builds(Account, TEXT, st.lists(POINTS).map(tuple), st.none() | st.sampled_from(Color))),
    (Struct, st.builds(Struct, st.uuids(), st.frozensets(TEXT))),
]  # fmt: skip
KEYS: list[Typed] = [(str, TEXT), (int, st.integers()), (Level, st.sampled_from(Level))]


def collections_of(typed: Typed) -> st.SearchStrategy[Typed]:
    annotation, values = typed
    options: list[Typed] = [
        (list[annotation], st.lists(values, max_size=5)),
        (tuple[annotation, ...], st.lists(values, max_size=5).map(tuple)),
        (tuple[annotation, int], st.tuples(values, st.integers())),
        (annotation | None, st.none() | values),
        *((dict[key, annotation], st.dictionaries(keys, values, max_size=5)) for key, keys in KEYS),  # type: ignore[valid-type]
    ]
    return st.sampled_from(options)


SETS: list[Typed] = [
    (set[annotation], st.sets(values, max_size=5))  # type: ignore[valid-type]
    for annotation, values in HASHABLE_LEAVES
    if annotation is not Level
]
TYPED = st.recursive(
    st.sampled_from([*LEAVES, *SETS]), lambda inner: inner.flatmap(collections_of), max_leaves=4
)

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | FLOATS
    | st.sampled_from(["", "a", "red", "2024-02-29", "PT1S", "AA=="]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["value", "below", "x", "y", "title", "1", "é"]), inner, max_size=4)
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
