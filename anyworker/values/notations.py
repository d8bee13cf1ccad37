"""How values that JSON lacks are written as text: patterns that fit just the texts that can be read back.

The patterns are those of JSON Schema (ECMA 262, matched anywhere, hence the anchors) and of Python alike.
"""

import uuid
from datetime import date, datetime, time, timedelta
from typing import Any


def exactly(pattern: str) -> str:
    """Return the pattern for a whole text. To Python alone ``$`` also means before a line end."""
    return f"^(?:{pattern})$(?!\\n)"


_HEX = "[0-9A-Fa-f]"
_LEAP_YEAR = "(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)"
_DATE = (
    "(?:(?!0000)[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    f"|{_LEAP_YEAR}-02-29)"
)
_FRACTION = r"(?:\.[0-9]{1,6}0*)?"
_HOUR_AND_MINUTE = "(?:[01][0-9]|2[0-3]):{}[0-5][0-9]"
_OFFSET = f"(?:[Zz]|[+-]{_HOUR_AND_MINUTE.format('?')})"
_TIME = f"{_HOUR_AND_MINUTE.format('')}(?::[0-5][0-9]{_FRACTION})?"
_COUNT = "[0-9]{1,8}"
_PART = f"{_COUNT}{_FRACTION}"
_SECONDS_OF_A_DAY = "(?:[0-9]{1,4}|[0-7][0-9]{4}|8[0-5][0-9]{3}|86[0-3][0-9]{2})"
_LONG_DURATION = f"(?!-[Pp]9{{9}}[Dd][Tt])[+-]?[Pp][0-9]{{9}}[Dd](?:[Tt]{_SECONDS_OF_A_DAY}{_FRACTION}[Ss])?"
_DURATION = (
    f"{_LONG_DURATION}|[+-]?[Pp](?:{_COUNT}[Ww]|{_PART}[Dd]|(?:{_COUNT}[Dd])?[Tt](?:(?:{_COUNT}[Hh])?(?:{_COUNT}[Mm])?{_PART}[Ss]"
    f"|(?:{_COUNT}[Hh])?{_PART}[Mm]|{_PART}[Hh]))"
)

WRITTEN: dict[type, dict[str, Any]] = {
    datetime: {"format": "date-time", "pattern": exactly(f"{_DATE}[Tt ]{_TIME}{_OFFSET}?")},
    date: {"format": "date", "pattern": exactly(_DATE)},
    time: {"format": "time", "pattern": exactly(f"{_TIME}{_OFFSET}?")},
    timedelta: {"format": "duration", "pattern": exactly(_DURATION)},
    uuid.UUID: {
        "format": "uuid",
        "pattern": exactly(f"{_HEX}{{8}}-(?:{_HEX}{{4}}-){{3}}{_HEX}{{12}}|{_HEX}{{32}}"),
    },
}
"""The keywords of a type's schema beside ``"type": "string"``. Some durations near the limit of what fits,
2.7 million years, can be read and do not match."""
WITH_OFFSET, WITHOUT_OFFSET = (
    {datetime: exactly(f"{_DATE}[Tt ]{_TIME}{offset}"), time: exactly(f"{_TIME}{offset}")}
    for offset in (_OFFSET, "")
)
DECIMAL = r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,9})?"
INTEGER = "[+-]?[0-9]{1,1000}"
NUMBER = r"[+-]?(?:[0-9]{1,300}(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?"
BOOLEAN = "[Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee]"
INTEGER_KEY = "0|-?[1-9][0-9]{0,999}"
_QUAD = "(?:[A-Za-z0-9+/]{4})"
_TAILS = ("", "[A-Za-z0-9+/]{2}==", "[A-Za-z0-9+/]{3}=")
"""How base64 ends, by the bytes beyond a multiple of three."""
BASE64 = f"{_QUAD}*(?:{_TAILS[1]}|{_TAILS[2]})?"


def base64_of(least: int, most: int | None) -> str:
    """Return the pattern of the base64 of so many bytes, None for any number of them."""
    options: list[str] = []
    for over, tail in enumerate(_TAILS):
        low = max(0, -((over - least) // 3))
        high = "" if most is None else (most - over) // 3
        if high == "" or low <= int(high):
            options.append(f"{_QUAD}{{{low},{high}}}{tail}")
    return "|".join(options) or "(?!)"
