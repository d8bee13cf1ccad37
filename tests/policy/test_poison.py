"""Which tasks are not run again, and what is said of it."""

from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.poison import Death, is_condemned, is_suspect, reason


def deaths(count: int) -> list[Death]:
    return [Death(f"my-host-{pid}-abcd", 0.0, 60.0) for pid in range(1, count + 1)]


def test_task_is_condemned_by_its_last_death_and_suspect_before() -> None:
    states = [(is_suspect(deaths(n), 3), is_condemned(deaths(n), 3)) for n in range(5)]
    assert states == [(False, False), (False, False), (True, False), (False, True), (False, True)]


@given(st.integers(0, 10), st.integers(1, 10))
def test_nothing_is_suspect_that_never_died_or_is_condemned(count: int, limit: int) -> None:
    if is_suspect(deaths(count), limit):
        assert count > 0
        assert not is_condemned(deaths(count), limit)
        assert is_condemned(deaths(count + 1), limit)


def test_reason_tells_times_pids_and_how_each_process_ended() -> None:
    told = reason([Death("my-host-12-abcd", 0.0, 60.0, "was killed by signal 9"), *deaths(1)])
    assert told == (
        "its process died 2 times while it ran, so it is not run again: "
        "pid 12 on my-host, begun 1970-01-01T00:00:00Z, was killed by signal 9 1970-01-01T00:01:00Z; "
        "pid 1 on my-host, begun 1970-01-01T00:00:00Z, last seen 1970-01-01T00:01:00Z"
    )
