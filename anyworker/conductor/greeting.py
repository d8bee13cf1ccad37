"""What a server says of itself."""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import attrs

from anyworker.conductor.exchange import Answer

_LONGEST = 100


@attrs.frozen
class Greeting:
    """An answer to somebody who shows no token."""

    version: str | None
    """None where the server keeps it to itself."""
    date: datetime | None
    """The server's clock, cut off to whole seconds."""


def greeting(answer: Answer, *, is_open: bool = True) -> Greeting:
    """Read an answer.

    Args:
        answer: To ``GET /version``.
        is_open: Whether its body is the version, not a refusal.
    """
    version = answer.body.decode("utf-8", "replace").strip().strip('"')[:_LONGEST] if is_open else ""
    return Greeting(version if version.isprintable() and version else None, _date(answer))


def _date(answer: Answer) -> datetime | None:
    value = answer.header(b"date")
    if value is None:
        return None
    try:
        moment = parsedate_to_datetime(value.decode("latin-1"))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
