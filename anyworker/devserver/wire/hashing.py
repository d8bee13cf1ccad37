"""The order in which the server tells what it keeps in a set: that of Java's hash tables."""

from collections.abc import Iterable

_FIRST_SIZE = 16
_FULL = 0.75
"""The share of its places that a table fills before it doubles them."""


def in_hash_order(texts: Iterable[str]) -> list[str]:
    """Return texts, given in the order in which they came into a set, in that of ``HashSet<String>``."""
    found = list(dict.fromkeys(texts))
    size = _FIRST_SIZE
    while len(found) > size * _FULL:
        size *= 2
    return sorted(found, key=lambda text: _spread(_hash(text)) % size)


def _hash(text: str) -> int:
    units = text.encode("utf-16-be", "surrogatepass")
    found = 0
    for high, low in zip(units[::2], units[1::2], strict=True):
        found = (31 * found + (high << 8 | low)) % 2**32
    return found


def _spread(number: int) -> int:
    return number ^ (number >> 16)
