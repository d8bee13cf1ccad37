"""Whether a task may be run once more that was in hand when processes died."""

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs


@attrs.frozen
class Death:
    """An unclean end of a process in which a task's function had begun; times in epoch seconds."""

    process: str
    """Its name, which begins with host and pid."""
    begun: float
    """When the function was called."""
    died: float
    """When the process ended; where nobody saw it, when there was a sign of it last."""
    how: str = ""
    """How it ended, as the predicate of a sentence; empty where nobody knows."""


def is_condemned(deaths: Sequence[Death], limit: int) -> bool:
    """Return whether a task is not run again."""
    return len(deaths) >= limit


def is_suspect(deaths: Sequence[Death], limit: int) -> bool:
    """Return whether a task is on its last attempt.

    Whatever ran beside a task that kills its process has died as often as that. Suspects are therefore run
    one at a time: no more than one of them can be condemned by a death.
    """
    return 0 < len(deaths) == limit - 1


def reason(deaths: Sequence[Death]) -> str:
    """Say why a task is not run again."""
    times = "1 time" if len(deaths) == 1 else f"{len(deaths)} times"
    told = "; ".join(_told(death) for death in deaths)
    return f"its process died {times} while it ran, so it is not run again: {told}"


def _told(death: Death) -> str:
    host, _, pid = death.process.rpartition("-")[0].rpartition("-")
    end = f"{death.how} {_iso(death.died)}" if death.how else f"last seen {_iso(death.died)}"
    return f"pid {pid} on {host}, begun {_iso(death.begun)}, {end}"


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
