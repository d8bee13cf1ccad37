"""Faults by chance, the same for the same requests every time."""

import random
from collections.abc import Callable

import attrs

from anyworker.devserver.faults.kinds import (
    LOSSES,
    PAGE,
    Drop,
    Duplicate,
    Kind,
    Pause,
    Say,
    Surplus,
    Truncate,
)
from anyworker.devserver.http.exchange import HTML

LONGEST_DELAY = 2.0
"""Seconds."""
LONGEST_SILENCE = 30.0
"""Seconds."""

_BUSY = (429, 503)
_STATUSES = (429, 500, 503)


def _answer(chance: random.Random) -> Kind:
    status = chance.choice(_STATUSES)
    retry_after = str(chance.randint(0, 3)) if status in _BUSY and chance.random() < 0.5 else None
    # Who says that there are too many requests has not done what this one asked.
    after_effect = chance.random() < 0.5 and status != 429
    return Say(status, retry_after=retry_after, after_effect=after_effect)


_DRAWS: dict[str, Callable[[random.Random], Kind]] = {
    "drop": lambda chance: Drop(chance.choice(LOSSES[:2]), after_effect=chance.random() < 0.5),
    "answer": _answer,
    "garble": lambda chance: Say(200, HTML, PAGE, after_effect=chance.random() < 0.5),
    "truncate": lambda _: Truncate(),
    "delay": lambda chance: Pause(chance.uniform(0, LONGEST_DELAY), after_effect=chance.random() < 0.5),
    "hang": lambda chance: Pause(chance.uniform(LONGEST_DELAY, LONGEST_SILENCE)),
    "duplicate": lambda _: Duplicate(),
    "surplus": lambda chance: Surplus(chance.randint(1, 3)),
}

CHAOS_KINDS = tuple(_DRAWS)
"""What may be drawn."""


@attrs.frozen
class Chaos:
    """Draw a fault for some of the requests.

    What a request meets depends on the seed, its endpoint, and how many came to this endpoint before: not on
    the order among endpoints, which differs from run to run.
    """

    seed: int
    rate: float
    """The share of requests to which something happens."""
    kinds: tuple[str, ...]
    _counts: dict[str, int] = attrs.field(factory=dict, init=False, eq=False, repr=False)

    def draw(self, endpoint: str) -> tuple[str, Kind] | None:
        """Return the name and kind of what happens to the next request to an endpoint, None for nothing."""
        count = self._counts[endpoint] = self._counts.get(endpoint, 0) + 1
        chance = random.Random(f"{self.seed} {endpoint} {count}")  # noqa: S311  # repeatable, not secret
        if chance.random() >= self.rate:
            return None
        name = chance.choice(self.kinds)
        return name, _DRAWS[name](chance)
