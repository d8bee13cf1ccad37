"""Delays: the formulas, their bounds, and that no count can break them."""

import math

from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.backoff import (
    AUTHORIZATION_CEILING,
    ERROR_CEILING,
    RETRY_AFTER_CEILING,
    authorization_delay,
    empty_poll_delay,
    error_delay,
    update_delay,
)

counts = st.one_of(st.integers(0, 80), st.sampled_from([1023, 1024, 1025, 10**6, 10**12]))
intervals = st.floats(0, 1e6)
jitters = st.floats(0, 1, exclude_max=True)


@given(counts, intervals, jitters)
def test_empty_poll_delay_is_the_formula_less_at_most_a_tenth(n: int, interval: float, jitter: float) -> None:
    formula = interval if n > 60 else min(2**n / 1000, interval)
    delay = empty_poll_delay(n, interval, jitter)
    if n == 0:
        assert delay == 0
    else:
        assert formula * 0.9 <= delay * (1 + 1e-12)
        assert delay <= formula
        assert delay <= interval


def test_empty_poll_delay_doubles_from_two_milliseconds_to_the_interval() -> None:
    delays = [empty_poll_delay(n, 0.1, 0.0) for n in range(1, 9)]
    assert delays == [0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.1, 0.1]


@given(counts)
def test_authorization_delay_doubles_to_a_minute(failures: int) -> None:
    delay = authorization_delay(failures)
    assert delay == (2.0**failures if failures < 6 else AUTHORIZATION_CEILING)


@given(st.integers(1, 10**6), jitters, st.none() | st.floats(0, 1e9))
def test_error_delay_is_bounded_and_honours_retry_after(
    failures: int, jitter: float, retry_after: float | None
) -> None:
    delay = error_delay(failures, jitter, retry_after)
    own = error_delay(failures, jitter)
    assert 0.25 <= own <= ERROR_CEILING
    assert delay == max(own, min(retry_after or 0.0, RETRY_AFTER_CEILING))


@given(st.integers(1, 2000), jitters)
def test_error_delay_never_shrinks_while_failures_go_on(failures: int, jitter: float) -> None:
    assert error_delay(failures + 1, jitter) >= error_delay(failures, jitter)


@given(st.floats(0, 1e4), jitters)
def test_update_delay_is_as_planned_less_at_most_a_tenth(planned: float, jitter: float) -> None:
    delay = update_delay(planned, jitter)
    assert planned * 0.9 <= delay * (1 + 1e-12)
    assert delay <= planned
    assert math.isfinite(delay)


def test_update_delay_waits_as_long_as_the_server_asks() -> None:
    assert update_delay(10.0, 0.0, 25.0) == 25.0
    assert update_delay(10.0, 0.0, 5.0) == 10.0
