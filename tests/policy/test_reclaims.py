"""When lost tasks are searched for."""

import math

from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.reclaims import (
    EMPTY_PAUSES,
    FAILURE_PAUSES,
    FIRST_PATIENCE,
    LAG,
    LONGEST_PATIENCE,
    SPREAD,
    Losses,
    look_pause,
)

UNIT = st.floats(0, 1, exclude_max=True)


def test_nothing_lost_is_never_searched_for() -> None:
    losses = Losses(lambda: 0.5)
    losses.answered(1.0)
    losses.last(2.0)
    assert not losses.is_pending
    assert losses.due == math.inf


def test_search_follows_the_end_of_the_streak() -> None:
    losses = Losses(lambda: 0.5)
    losses.lost(0.0, 0.1, 0.3)
    losses.lost(1.0, 0.1, 1.3)
    assert losses.due > 9
    losses.answered(2.0)
    losses.answered(3.0)
    assert losses.due == 2.0 + SPREAD / 2
    assert losses.begin() == 0.0
    assert not losses.is_pending


def test_search_waits_for_a_poll_that_the_server_may_still_hold() -> None:
    losses = Losses(lambda: 0.0)
    losses.lost(0.0, 5.0, 0.3)
    losses.answered(1.0)
    assert losses.due == 5.0 + LAG


def test_last_poll_is_searched_for_at_once() -> None:
    losses = Losses(lambda: 0.0)
    losses.last(1.0)
    losses.lost(0.0, 0.1, 2.0)
    assert losses.due == 2.0


def test_streak_without_an_end_is_searched_for_ever_more_rarely() -> None:
    losses, now, waits = Losses(lambda: 0.0), 0.0, []
    for _ in range(6):
        losses.lost(now, 0.0, now)
        waits.append(losses.due - now)
        now = losses.due
        losses.begin()
    assert waits[0] == FIRST_PATIENCE
    assert waits == sorted(waits)
    assert waits[-1] == LONGEST_PATIENCE


def test_searches_in_vain_are_repeated_when_polls_work_again() -> None:
    losses = Losses(lambda: 0.0)
    losses.lost(0.0, 0.0, 1.0)
    since = losses.begin()
    assert losses.failed(since, 20.0)
    assert losses.is_pending
    assert losses.due == 20.0 + 2 * FIRST_PATIENCE
    losses.answered(25.0)
    assert losses.due == 25.0
    assert losses.begin() == 0.0


def test_searches_in_vain_are_not_repeated_where_polls_work_or_no_more_are_sent() -> None:
    working, last = Losses(lambda: 0.0), Losses(lambda: 0.0)
    for losses in (working, last):
        losses.lost(0.0, 0.0, 1.0)
    working.answered(2.0)
    last.last(2.0)
    for losses in (working, last):
        assert not losses.failed(losses.begin(), 20.0)
        assert not losses.is_pending


@given(st.integers(1, 20), UNIT, st.booleans())
def test_looks_are_few(looks: int, draw: float, has_failed: bool) -> None:
    pauses = FAILURE_PAUSES if has_failed else EMPTY_PAUSES
    pause = look_pause(looks, draw, has_failed=has_failed)
    assert (pause is None) == (looks > len(pauses))
    assert pause is None or 0.8 * pauses[looks - 1] <= pause <= pauses[looks - 1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["lost", "answered", "last", "begin"]), st.floats(0, 100)), max_size=30
    )
)
def test_what_is_lost_is_searched_for_within_bounds(steps: list[tuple[str, float]]) -> None:
    losses, now = Losses(lambda: 0.99), 0.0
    for step, pause in steps:
        now += pause
        match step:
            case "lost":
                losses.lost(now - 1.0, 1.0, now)
            case "answered":
                losses.answered(now)
            case "last":
                losses.last(now)
            case _:
                losses.begin()
        assert losses.is_pending == (losses.due < math.inf)
        if step == "lost":
            assert losses.due <= now + LONGEST_PATIENCE + SPREAD + LAG
