"""Whether the simulation sees what it is there to see."""

from collections.abc import Callable

import pytest
from planted_faults import FOUND_AFTER, PLANTS
from world import play

MOST_SEEDS = 60
"""Within which each bug must be found."""
COMPLAINTS = {
    "drop_a_hand_back": "has told nobody",
    "beat_late": "no heartbeat for",
    "release_a_slot_early": "thread_count",
    "forget_a_replay": "is gone",
    "cancel_a_poll": "was cut off",
}


@pytest.mark.parametrize("name", PLANTS)
def test_planted_bug_is_found(
    name: str, monkeypatch: pytest.MonkeyPatch, record_property: Callable[[str, object], None]
) -> None:
    PLANTS[name](monkeypatch)
    for seed in range(MOST_SEEDS):
        violations = play(seed).violations
        if any(COMPLAINTS[name] in violation for violation in violations):
            record_property(FOUND_AFTER, seed + 1)
            return
    pytest.fail(f"{name} was not found in {MOST_SEEDS} seeds")
