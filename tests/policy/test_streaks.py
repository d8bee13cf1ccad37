"""Failures in a row are told when they begin, change and end."""

from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.streaks import Streak


def test_first_failure_of_a_kind_is_told_and_repeats_are_not() -> None:
    streak = Streak()
    assert [streak.failed(kind) for kind in ("away", "away", "refused", "refused", "away")] == [
        True,
        False,
        True,
        False,
        True,
    ]


def test_end_tells_how_many_there_were_and_begins_anew() -> None:
    streak = Streak()
    streak.failed(None)
    streak.failed(None)
    assert streak.ended() == 2
    assert streak.ended() == 0
    assert streak.failed(None)


@given(st.lists(st.sampled_from(["ok", "away", "refused"])))
def test_no_failure_is_lost_from_the_counts(happenings: list[str]) -> None:
    streak = Streak()
    told = sum(streak.ended() if each == "ok" else streak.failed(each) * 0 for each in happenings)
    assert told + streak.ended() == sum(each != "ok" for each in happenings)
