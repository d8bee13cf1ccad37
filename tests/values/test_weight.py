"""What is converted on the event loop and what is not."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.values.weight import MOST_BYTES, MOST_PARTS, is_heavy

MANY = MOST_BYTES // 2


@dataclass
class Node:
    below: Any = None


@attrs.define
class Slotted:
    below: Any


class Packed(msgspec.Struct):
    below: Any


class Pair(NamedTuple):
    first: Any
    second: Any


class Guarded:
    def __getattr__(self, name: str) -> object:
        raise RuntimeError(name)


def chain(length: int) -> Node:
    node = Node()
    for _ in range(length):
        node = Node(node)
    return node


def cyclic() -> list[Any]:
    values: list[Any] = []
    values.append(values)
    return values


HEAVY: list[Any] = [
    {"a": [1] * MANY},
    {str(n): n for n in range(MANY)},
    {"a": "x" * (MANY * 64)},
    {"a": b"x" * (MANY * 64)},
    {"a": [["x" * 6400] * 30]},
    {"a": 1 << (MANY * 256)},
    [{} for _ in range(MANY)],
    (None,) * MANY,
    set(range(MANY)),
    deque([1] * MANY),
    MappingProxyType({n: n for n in range(MANY)}),
    chain(MANY),
    Slotted([Packed([1] * MANY)]),
    Pair(1, Pair(2, [True] * MANY)),
    cyclic(),
    [object(), [1] * MOST_PARTS],
]
LIGHT: list[Any] = [
    {},
    {"name": "Ada"},
    {"a": 1, "b": 2.5, "c": None, "d": True, "e": "x" * 1000},
    {"a": [1] * (MANY - 10)},
    [object(), [1] * (MOST_PARTS - 10)],
    [None, Decimal("1.5"), object(), Guarded(), Node, Slotted(Packed(Pair(1, 2)))],
    chain(MOST_PARTS // 3),
    "text",
    None,
]


@pytest.mark.parametrize("value", HEAVY, ids=lambda value: type(value).__name__)
def test_value_of_many_parts_is_heavy(value: object) -> None:
    assert is_heavy(value)


@pytest.mark.parametrize("value", LIGHT, ids=lambda value: type(value).__name__)
def test_value_of_few_parts_is_light(value: object) -> None:
    assert not is_heavy(value)


@given(st.recursive(st.none() | st.integers() | st.text(), st.lists))
def test_what_is_written_short_is_light(value: object) -> None:
    assert len(repr(value)) > MOST_BYTES or not is_heavy(value)
