"""The order in which the items of a set are written: a set has none of its own, and JSON has no sets."""

import heapq
from typing import Any

_COMPARED = frozenset({"str", "int", "float", "bool"})
_RUN = 5000
"""Items that are sorted at once. Other threads stand still meanwhile."""


def in_order(values: list[object]) -> list[object]:
    """Put JSON values into the same order in every process: by type, then by size or by what is written."""
    by_type: dict[str, list[Any]] = {}
    for value in values:
        by_type.setdefault(type(value).__name__, []).append(value)
    ordered: list[object] = []
    for name, group in sorted(by_type.items()):
        # Compared without a key where that is possible, which is many times as fast.
        key = None if name in _COMPARED else repr
        runs = [sorted(group[start : start + _RUN], key=key) for start in range(0, len(group), _RUN)]
        ordered += runs[0] if len(runs) == 1 else heapq.merge(*runs, key=key)
    return ordered
