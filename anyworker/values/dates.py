"""Dates, times and durations as text: what msgspec by itself neither reads nor writes."""

import re
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

_WITHOUT_SECONDS = re.compile(r"(.*[Tt ])?([0-9]{2}:[0-9]{2})([Zz]|[+-][0-9]{2}:?[0-9]{2})?")
_WEEKS = re.compile(r"([+-]?[Pp])([0-9]{1,8})[Ww]")
_FINER_THAN_MICROSECONDS = re.compile(r"\.[0-9]{6}[0-9]*[1-9]")
_MINUTE = timedelta(minutes=1)
_NO_OFFSET = timedelta()


def _as_it_is(text: str) -> str:
    return text


def _with_seconds(text: str) -> str:
    found = _WITHOUT_SECONDS.fullmatch(text)
    return text if found is None else f"{found[1] or ''}{found[2]}:00{found[3] or ''}"


def _in_days(text: str) -> str:
    found = _WEEKS.fullmatch(text)
    return text if found is None else f"{found[1]}{7 * int(found[2])}D"


def in_full(kind: type) -> Callable[[str], str]:
    """Return what completes a short form of ISO 8601: a time without seconds, as Java writes it, or weeks."""
    if kind is timedelta:
        return _in_days
    return _with_seconds if kind in {datetime, time} else _as_it_is


def is_finer_than_microseconds(text: str) -> bool:
    """Whether a fraction of seconds has more digits than Python keeps."""
    return _FINER_THAN_MICROSECONDS.search(text) is not None


def writable(value: Any, known: tuple[type, ...]) -> object:
    """Return a value as one of the classes that msgspec writes.

    Args:
        value: One of them, or of a class that inherits from one.
        known: The classes.

    Raises:
        ValueError: It says more than the class, or the text, can hold.
    """
    plain = value if type(value) in known else _of_own_class(value)
    is_whole: bool = value == plain  # not !=, which an inherited class may have left as it was
    if not is_whole:
        reason = f"{value!r:.60} is more than a {type(plain).__name__} can hold"
        raise ValueError(reason)
    if isinstance(plain, datetime | time) and (plain.utcoffset() or _NO_OFFSET) % _MINUTE:
        reason = "its offset from UTC has seconds"
        raise ValueError(reason)
    return plain


def _of_own_class(value: Any) -> object:
    match value:
        case datetime():
            clock = (value.hour, value.minute, value.second, value.microsecond, value.tzinfo)
            return datetime(value.year, value.month, value.day, *clock)  # noqa: DTZ001 - it has its own
        case date():
            return date(value.year, value.month, value.day)
        case time():
            return time(value.hour, value.minute, value.second, value.microsecond, value.tzinfo)
        case timedelta():
            return timedelta(value.days, value.seconds, value.microseconds)
        case bytes() | bytearray():
            return bytes(value)
        case _:
            return value
