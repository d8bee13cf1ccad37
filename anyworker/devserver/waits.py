"""How long a WAIT waits: durations and dates in the spellings that the server takes."""

import datetime
import re

from anyworker.devserver.errors import not_a_duration

_DURATION = re.compile(
    r"\s*(?:(\d+)\s*(?:days?|d))?\s*(?:(\d+)\s*(?:hours?|hrs?|h))?"
    r"\s*(?:(\d+)\s*(?:minutes?|mins?|m))?\s*(?:(\d+)\s*(?:seconds?|secs?|s))?\s*",
    re.IGNORECASE | re.ASCII,
)
_DATE = re.compile(r"(\d+)-(\d+)-(\d+)(?: (\d+):(\d+)(?: (\S+))?)?", re.ASCII)
_OFFSET = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2}):?(\d{2})?", re.IGNORECASE | re.ASCII)
_ZONES = {"UTC": 0, "GMT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "PST": -8, "PDT": -7}
_ZONES |= {"CET": 1, "CEST": 2, "BST": 1, "JST": 9}
_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  # arithmetic in UTC; Java's years go further


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration: ``1 day 2 hours 3 mins 4s``, each part optional, in this order.

    Raises:
        RequestRefused: 400, it is written in another way.
    """
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise not_a_duration(duration)
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + seconds


def moment_of(until: str) -> int | None:
    """Return the epoch milliseconds of a date, None if it is written in an unknown way.

    ``2030-12-31``, ``2030-12-31 23:59`` and ``2030-12-31 23:59 GMT+02:00``; UTC where no zone is given, as
    a server in UTC reads it. Numbers out of range carry over, as in Java.
    """
    found = _DATE.fullmatch(until)
    if found is None:
        return None
    year, month, day, hour, minute = (int(part or 0) for part in found.groups()[:5])
    offset = _offset(found[6])
    if offset is None:
        return None
    try:
        first = datetime.datetime(year + (month - 1) // 12, (month - 1) % 12 + 1, 1)  # noqa: DTZ001
        moment = first - _EPOCH + datetime.timedelta(days=day - 1, hours=hour - offset, minutes=minute)
    except (ValueError, OverflowError):
        return None
    return round(moment.total_seconds() * 1000)


def _offset(zone: str | None) -> float | None:
    """Return the hours that a zone is ahead of UTC, None if it is unknown."""
    if zone is None:
        return 0
    if zone.upper() in _ZONES:
        return _ZONES[zone.upper()]
    found = _OFFSET.fullmatch(zone)
    if found is None:
        return None
    hours = int(found[2]) + int(found[3] or 0) / 60
    return -hours if found[1] == "-" else hours
