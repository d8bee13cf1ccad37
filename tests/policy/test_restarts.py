"""When a process that died is started again."""

from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.restarts import (
    HEALTHY_SECONDS,
    KILLED_CEILING,
    RESTART_JITTER,
    Restarts,
    RestartSettings,
    restart_delay,
)

spells = st.floats(0, 1e6)
jitters = st.floats(0, 1, exclude_max=True)
settings = st.builds(RestartSettings, unit=st.floats(0.01, 10), ceiling=st.floats(0.01, 100))


def test_deaths_at_once_double_the_delay_up_to_the_ceiling() -> None:
    restarts = Restarts(RestartSettings())
    assert [restarts.died(0.0, 0.0) for _ in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]


@given(level=st.floats(1, 1e9), jitter=jitters, numbers=settings)
def test_delay_is_bounded_and_jitter_takes_off_a_half_at_most(
    level: float, jitter: float, numbers: RestartSettings
) -> None:
    longest = restart_delay(level, 0.0, numbers)
    assert longest * (1 - RESTART_JITTER) <= restart_delay(level, jitter, numbers) <= longest
    assert longest <= numbers.ceiling
    assert longest <= restart_delay(level + 1, 0.0, numbers)


@given(served=st.lists(spells, max_size=20))
def test_time_served_makes_good_for_deaths(served: list[float]) -> None:
    restarts, hasty = Restarts(RestartSettings()), Restarts(RestartSettings())
    for seconds in served:
        delay, longest = restarts.died(seconds, 0.0), hasty.died(0.0, 0.0)
        assert delay is not None
        assert longest is not None
        assert delay <= longest


def test_death_after_a_long_spell_is_a_first_one() -> None:
    restarts = Restarts(RestartSettings())
    for _ in range(6):
        restarts.died(0.0, 0.0)
    assert restarts.died(HEALTHY_SECONDS, 0.0) == 0.25
    assert restarts.attempts == 1


@given(deaths=st.integers(1, 30), limit=st.integers(1, 10))
def test_no_more_restarts_in_a_row_than_allowed(deaths: int, limit: int) -> None:
    restarts = Restarts(RestartSettings(max_attempts=limit))
    answers = [restarts.died(0.0, 0.0) for _ in range(deaths)]
    assert sum(answer is not None for answer in answers) == min(deaths, limit)
    assert restarts.died(HEALTHY_SECONDS, 0.0) is not None


def test_process_that_was_killed_while_it_served_is_back_soon() -> None:
    restarts = Restarts(RestartSettings())
    delays = [restarts.died(0.1, 0.0, was_killed=True) for _ in range(20)]
    assert max(delay for delay in delays if delay is not None) == KILLED_CEILING
    assert Restarts(RestartSettings(unit=8.0)).died(0.0, 0.0, was_killed=True) == 8.0
