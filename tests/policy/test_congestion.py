"""Permits for waiting polls: fewer when answers are late, a few more when not, and turns for everybody."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.congestion import (
    BOUND,
    FIRST_PERMITS,
    LATE,
    MOST_PERMITS,
    SHORTEST_WAIT,
    Congestion,
)

answers = st.tuples(st.floats(0.0, 5.0), st.floats(0.0, 30.0), st.booleans())
"""Wait at the server, seconds that it took, whether there was an answer."""


def play(subject: Congestion, ended: list[tuple[float, float, bool]], step: float = 100.0) -> None:
    for number, (wait, took, has_answer) in enumerate(ended):
        sent = number * step
        subject.ended(sent, wait, sent + took, has_answer=has_answer)


@given(st.integers(1, 200), st.lists(answers, max_size=200))
def test_there_is_always_a_permit_and_never_more_than_the_most(
    workers: int, ended: list[tuple[float, float, bool]]
) -> None:
    subject = Congestion(workers)
    play(subject, ended)
    assert 1 <= subject.permits <= MOST_PERMITS


@given(st.integers(1, 500), st.integers(0, 6), st.floats(0.1, 5.0))
def test_all_workers_have_a_turn_within_the_bound(workers: int, halvings: int, wanted: float) -> None:
    subject = Congestion(workers)
    play(subject, [(1.0, 9.0, True)] * halvings)
    wait = subject.wait(wanted)
    turns = -(-workers // subject.permits)
    assert wait <= wanted
    assert turns == 1 or turns * wait <= BOUND + 1e-9
    assert wait == 0 or wait >= SHORTEST_WAIT


def test_fewer_workers_than_permits_wait_as_long_as_they_want() -> None:
    assert Congestion(FIRST_PERMITS).wait(5.0) == 5.0
    assert Congestion(FIRST_PERMITS + 1).wait(5.0) == 1.0


def test_late_answers_halve_the_permits_once_for_all_that_was_under_way() -> None:
    subject = Congestion(50)
    assert subject.ended(0.0, 1.0, 1.0 + LATE + 0.01, has_answer=True)
    assert not any(subject.ended(sent / 10, 1.0, 9.0, has_answer=True) for sent in range(15))
    assert subject.permits == FIRST_PERMITS // 2
    assert subject.ended(2.0, 1.0, 9.0, has_answer=False)
    assert subject.permits == FIRST_PERMITS // 4


@pytest.mark.parametrize(("has_answer", "grown"), [(True, 6), (False, 0)])
def test_answers_in_time_bring_one_more_a_second_but_failures_none(has_answer: bool, grown: int) -> None:
    subject = Congestion(50)
    play(subject, [(0.1, 0.1, has_answer)] * 51, step=0.1)
    assert subject.permits == FIRST_PERMITS + grown
