"""Which annotations stand for arrays and objects of any keys, and what those are built into."""

import collections
from collections import abc
from collections.abc import Callable
from typing import Any

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
MAPS: dict[Any, Callable[[dict[object, object]], object] | None] = {
    dict: None,
    abc.Mapping: None,
    abc.MutableMapping: None,
    collections.OrderedDict: collections.OrderedDict,
}
"""None where the JSON value's own type is what is wanted."""
