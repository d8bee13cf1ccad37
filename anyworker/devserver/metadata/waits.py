"""How long a WAIT waits: durations and dates in the spellings that the server takes."""

import datetime
import re

from anyworker.devserver.wire.errors import not_a_duration, not_a_number

_DURATION = re.compile(
    r"\s*(?:(\d+)\s*(?:days?|d))?\s*(?:(\d+)\s*(?:hours?|hrs?|h))?"
    r"\s*(?:(\d+)\s*(?:minutes?|mins?|m))?\s*(?:(\d+)\s*(?:seconds?|secs?|s))?\s*",
    re.IGNORECASE | re.ASCII,
)
_DATE = re.compile(r"\s*(\d+)-\s*(\d+)-\s*(\d+)(?: \s*(\d+):\s*(\d+)(?: (.+))?)?", re.ASCII)
_OFFSET = re.compile(r"(?:GMT([+-])(\d{1,2}):(\d{2})|([+-])(\d{2})(\d{2}))", re.ASCII)
_ZONES = """
    SST -11 HST -10 AKST -9 PST -8 AKDT -8 PDT -7 MST -7 MDT -6 CST -6 CDT -5 EST -5 EDT -4 GMT 0 UTC 0 WET 0
    WEST 1 BST 1 CET 1 WAT 1 CEST 2 EET 2 CAT 2 IST 2 SAST 2 EEST 3 MSK 3 EAT 3 PKT 5 WIB 7 AWST 8 HKT 8
    JST 9 KST 9 ACST 9.5 AEST 10 AEDT 11 NZST 12 NZDT 13
"""
_AHEAD = {name: float(hours) for name, hours in re.findall(r"(\S+) (\S+)", _ZONES)}
"""Hours ahead of UTC of the zones that have a name of their own, as the real server takes them."""
_MOST = 2**31 - 1
_EPOCH = datetime.datetime(1970, 1, 1)  # noqa: DTZ001  # arithmetic in UTC; Java's years go further


def seconds_of(duration: str) -> int:
    """Return the seconds of a duration: ``1 day 2 hours 3 mins 4s``, each part optional, in this order.

    Raises:
        RequestRefused: 400, it is written in another way; 500, a number of it is too large.
    """
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise not_a_duration(duration)
    days, hours, minutes, seconds = parts = [int(part or 0) for part in found.groups()]
    if max(parts) > _MOST:
        raise not_a_number(str(max(parts)))
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
    if zone.upper() in _AHEAD:
        return _AHEAD[zone.upper()]
    found = _OFFSET.fullmatch(zone)
    if found is None:
        return None
    sign, hours, minutes = (part for part in found.groups() if part is not None)
    ahead = int(hours) + int(minutes) / 60
    return -ahead if sign == "-" else ahead
