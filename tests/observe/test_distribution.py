"""Quantiles and counts of many measurements, held against the measurements themselves."""

import math
import threading
from bisect import bisect_right
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.observe.distribution import (
    GROWTH,
    Distribution,
    Window,
    bucket_of,
    counts_up_to,
    quantiles,
    upper_bound,
)

measurements = st.lists(st.floats(1e-9, 1e9) | st.just(0.0), min_size=1, max_size=200)


def spread(values: list[float]) -> dict[int, int]:
    distribution = Distribution()
    for value in values:
        distribution.add(value)
    return distribution.look()[1]


@given(st.floats(1e-19, 1e300))
def test_bucket_holds_its_value(value: float) -> None:
    bucket = bucket_of(value)
    assert value <= upper_bound(bucket) * (1 + 1e-9)
    assert value * GROWTH >= upper_bound(bucket) * (1 - 1e-9)


@given(measurements, st.sampled_from([0.5, 0.75, 0.9, 0.95, 0.99]))
def test_quantile_is_right_to_half_a_bucket(values: list[float], part: float) -> None:
    ordered = sorted(values)
    exact = ordered[min(math.floor(part * len(values)), len(values) - 1)]
    [found] = quantiles(spread(values), [part])
    assert math.isclose(found, exact, rel_tol=0.026)


@given(st.lists(measurements, max_size=5))
def test_what_comes_in_between_two_looks_is_counted_as_if_one_by_one(parts: list[list[float]]) -> None:
    distribution, alone = Distribution(), Counter[int]()
    total = 0.0
    for values in parts:
        for value in values * 20:
            distribution.add(value)
            alone[bucket_of(value)] += 1
            total += value
        found_total, buckets = distribution.look()
        assert found_total == pytest.approx(total, rel=1e-12)  # how sum() rounds is the interpreter's
        assert sum(buckets.values()) == alone.total()
        # A value that lies on the bound of two buckets, but for rounding, may be in the other one.
        assert all(abs(sum(buckets.get(b, 0) - alone[b] for b in range(low, 2000))) <= 20 for low in buckets)


def test_measurements_of_many_threads_are_all_counted() -> None:
    distribution = Distribution()

    def add() -> None:
        for number in range(10_000):
            distribution.add(number + 1.0)

    threads = [threading.Thread(target=add) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        distribution.look()
    assert sum(distribution.look()[1].values()) == 40_000


def test_quantile_of_nothing_is_not_a_number() -> None:
    assert all(map(math.isnan, quantiles({}, [0.5, 0.99])))


@given(measurements, st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=5, unique=True).map(sorted))
def test_counts_up_to_bounds_are_never_too_high_and_off_by_what_lies_next_to_a_bound(
    values: list[float], bounds: list[float]
) -> None:
    ordered = sorted(values)
    for bound, count in zip(bounds, counts_up_to(spread(values), bounds), strict=True):
        assert bisect_right(ordered, bound / GROWTH * (1 - 1e-9)) <= count
        assert count <= bisect_right(ordered, bound * (1 + 1e-8))


def test_p95_falls_again_after_a_slow_spell() -> None:
    window = Window(seconds=300, slices=10)
    window.add(spread([9.0] * 100), 1000)
    window.add(spread([0.1] * 100), 1100)
    assert quantiles(window.buckets(1100), [0.95])[0] > 8
    window.add(spread([0.1] * 100), 1320)
    assert quantiles(window.buckets(1340), [0.95])[0] < 0.11
    assert window.buckets(2000) == {}


@given(st.lists(st.tuples(st.floats(0, 5000), st.floats(1e-3, 10)), max_size=60).map(sorted))
def test_window_holds_what_is_younger_than_its_length_and_nothing_much_older(
    timed: list[tuple[float, float]],
) -> None:
    window = Window(seconds=300, slices=10)
    for at, value in timed:
        window.add({bucket_of(value): 1}, at)
    now = timed[-1][0] if timed else 0.0
    held = sum(window.buckets(now).values())
    assert sum(at > now - 300 for at, _ in timed) <= held <= sum(at > now - 331 for at, _ in timed)


def test_rate_is_of_the_last_minute_and_not_of_the_time_before_the_start() -> None:
    window = Window(300, 10)
    for second in range(1000, 1020):
        window.add({0: 5}, second)
    assert math.isclose(window.rate(1020, since=1000), 5.0)
    for second in range(1020, 1400):
        window.add({0: 10}, second)
    assert math.isclose(window.rate(1400, since=1000), 10.0)
    assert window.rate(1600, since=1000) == 0
    assert Window().rate(5, since=5) == 0
