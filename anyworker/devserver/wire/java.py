"""What shows that the server is written in Java: how values print, what is blank, how sets are ordered."""

import math
from collections.abc import Iterable
from typing import Any

_BLANKS = "".join(map(chr, range(ord(" ") + 1)))
_FIRST_SIZE = 16
"""Places of a new hash table."""
_FULL = 0.75
"""The share of its places that a table fills before it doubles them."""


def trimmed(text: str) -> str:
    """Return a text without the blanks around it, to which all control characters belong."""
    return text.strip(_BLANKS)


def as_text(value: Any) -> str:
    """Return a value as it stands inside text."""
    match value:
        case str():
            text = value
        case None | bool():
            text = "null" if value is None else str(value).lower()
        case float():
            text = _float_text(value)
        case dict():
            text = "{" + ", ".join(f"{key}={as_text(item)}" for key, item in value.items()) + "}"
        case list():
            text = "[" + ", ".join(as_text(item) for item in value) + "]"
        case _:
            text = str(value)
    return text


def _float_text(value: float) -> str:
    if value == 0 or 1e-3 <= abs(value) < 1e7 or not math.isfinite(value):
        return repr(value).replace("inf", "Infinity").replace("nan", "NaN")
    digits, _, exponent = f"{value!r}".partition("e")
    if not exponent:
        digits, _, exponent = _scientific(value).partition("e")
    return f"{digits if '.' in digits else digits + '.0'}E{int(exponent)}"


def _scientific(value: float) -> str:
    """Return the shortest scientific notation that reads back as the same number."""
    return next(form for form in (f"{value:.{places}e}" for places in range(18)) if float(form) == value)


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
