"""The sliding window of a rate limit."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.rates import Rate, RateLimit

steps = st.lists(st.tuples(st.floats(0, 3), st.integers(0, 12)), max_size=60)
rates = st.builds(Rate, st.integers(1, 20), st.sampled_from([1.0, 60.0]))


@pytest.mark.parametrize(
    ("text", "rate"), [("100/s", Rate(100, 1.0)), ("7/m", Rate(7, 60.0)), ("1/h", Rate(1, 3600.0))]
)
def test_unit_is_the_length_of_the_window(text: str, rate: Rate) -> None:
    assert Rate.of(text) == rate


def test_without_a_rate_everything_is_allowed() -> None:
    limit = RateLimit(None)
    limit.hold(5)
    limit.take(5, 0.0)
    assert limit.allowed(0.0) == limit.opens_at() == math.inf


@given(rates, steps)
def test_no_window_has_more_than_the_rate(rate: Rate, pauses: list[tuple[float, int]]) -> None:
    limit, now = RateLimit(rate), 50.0
    taken: list[tuple[float, int]] = []
    for pause, wanted in pauses:
        now += pause
        count = int(min(limit.allowed(now), wanted))
        limit.take(count, now)
        taken.append((now, count))
        assert sum(each for at, each in taken if at + rate.seconds > now) <= rate.count


@given(rates, steps)
def test_whoever_takes_what_is_allowed_when_it_is_gets_the_whole_rate(
    rate: Rate, pauses: list[tuple[float, int]]
) -> None:
    limit, now, taken = RateLimit(rate), 0.0, 0
    for _, wanted in pauses:
        if not limit.allowed(now):
            assert limit.opens_at() > now
            now = limit.opens_at()
        count = int(min(limit.allowed(now), wanted or 1))
        assert count
        limit.take(count, now)
        taken += count
    assert now <= taken / rate.count * rate.seconds


@given(rates, st.integers(0, 20))
def test_what_polls_under_way_may_bring_is_not_given_twice(rate: Rate, held: int) -> None:
    limit = RateLimit(rate)
    held = min(held, rate.count)
    limit.hold(held)
    assert limit.allowed(0.0) == rate.count - held
    limit.release(held)
    assert limit.allowed(0.0) == rate.count
