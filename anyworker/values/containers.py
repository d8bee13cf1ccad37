"""Which annotations stand for arrays and objects of any keys, and what those are built into."""

import collections
from collections import abc
from collections.abc import Callable
from typing import Any

from anyworker.values.objects import ObjectShape
from anyworker.values.shapes import ArrayShape, MapShape, Shape, TupleShape
from anyworker.values.unions import UnionShape

ARRAYS: dict[Any, Callable[[list[object]], object] | None] = {
    list: None,
    abc.Sequence: None,
    abc.MutableSequence: None,
    abc.Collection: None,
    abc.Iterable: None,
    tuple: tuple,
    set: set,
    abc.Set: frozenset,
    abc.MutableSet: set,
    frozenset: frozenset,
    collections.deque: collections.deque,
}
SETS = frozenset({set, abc.Set, abc.MutableSet, frozenset})
MAPS: dict[Any, Callable[[dict[object, object]], object] | None] = {
    dict: None,
    abc.Mapping: None,
    abc.MutableMapping: None,
    collections.OrderedDict: collections.OrderedDict,
}
"""None where the JSON value's own type is what is wanted."""


def is_hashable(shape: Shape) -> bool:
    """Whether what a shape's values become may be in a set, as far as the shape tells."""
    match shape:
        case ArrayShape():
            return shape.build in {tuple, frozenset} and is_hashable(shape.item)
        case TupleShape():
            return all(map(is_hashable, shape.items))
        case ObjectShape():
            return isinstance(shape.build, type) and shape.build.__hash__ is not None
        case UnionShape():
            return all(map(is_hashable, shape.options))
        case MapShape():
            return False
        case _:
            return True
