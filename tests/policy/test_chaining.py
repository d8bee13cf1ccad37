"""When a result asks for the next task: the rate of hits by example and by property."""

from hypothesis import given
from hypothesis import strategies as st

from anyworker.policy.chaining import BATCH, MOST_UNDER_WAY, Chaining
from anyworker.policy.planner import Planner, PollFailureKind, PollSettings
from anyworker.policy.rates import Rate


def chaining(*hits: bool) -> Chaining:
    subject = Chaining()
    for hit in hits:
        subject.saw(hit=hit)
    return subject


def planner(thread_count: int = 10, **options: Rate) -> Planner:
    return Planner(PollSettings(thread_count, 0.1, **options), lambda: 0.0)


def test_it_is_not_worth_it_before_anything_was_seen() -> None:
    assert not chaining().is_worth_it


def test_three_hits_make_it_worth_it_and_three_misses_end_that() -> None:
    assert not chaining(True, True).is_worth_it
    assert chaining(True, True, True).is_worth_it
    long = [True] * 20
    assert chaining(*long, False, False).is_worth_it
    assert not chaining(*long, False, False, False).is_worth_it


def test_the_ends_of_chains_of_six_do_not_end_it() -> None:
    subject = chaining(*[True] * 5)
    for _ in range(50):
        for hit in (False, True, True, True, True, True):
            subject.saw(hit=hit)
            assert subject.is_worth_it


@given(st.lists(st.booleans(), max_size=100))
def test_rate_stays_between_never_and_always_and_follows_a_constant_answer(hits: list[bool]) -> None:
    subject = chaining(*hits)
    assert 0.0 <= subject.rate <= 1.0
    for hit in (True, False):
        for _ in range(4):
            subject.saw(hit=hit)
        assert subject.is_worth_it is hit


def test_no_more_are_under_way_than_threads_of_a_server_may_wait() -> None:
    subject = chaining(*[True] * 5)
    subject.under_way = MOST_UNDER_WAY - 1
    assert subject.is_worth_it
    subject.under_way += 1
    assert not subject.is_worth_it


def test_a_poll_that_brings_many_ends_it_at_once() -> None:
    subject = chaining(*[True] * 20)
    subject.filled(BATCH - 1)
    assert subject.is_worth_it
    subject.filled(BATCH)
    assert not subject.is_worth_it


def test_a_server_without_it_is_not_asked() -> None:
    subject = chaining(*[True] * 5)
    subject.is_possible = False
    assert not subject.is_worth_it


def test_a_result_asks_for_no_task_while_paused_or_draining_or_while_polls_fail() -> None:
    subject = planner()
    assert subject.may_chain(0.0)
    subject.chained(0.0, hit=False)
    subject.pause()
    assert not subject.may_chain(0.0)
    subject.resume()
    decision = subject.next(0.0, 10)
    subject.poll_failed(decision, PollFailureKind.ERROR, 0.0)  # type: ignore[arg-type]  # it is a poll
    assert not subject.may_chain(0.0)
    other = planner()
    other.drain()
    assert not other.may_chain(0.0)


def test_results_and_polls_share_a_rate() -> None:
    subject = planner(rate=Rate(3, 60.0))
    assert subject.may_chain(0.0)
    decision = subject.next(0.0, 10)
    assert getattr(decision, "count", None) == 2
    assert not subject.may_chain(0.0)
    subject.chained(1.0, hit=True)
    subject.polled(decision, 1, 2.0)  # type: ignore[arg-type]  # it is a poll
    assert subject.may_chain(2.0)
    subject.chained(2.0, hit=None)
    assert subject.may_chain(2.0)
    subject.chained(2.0, hit=True)
    assert not subject.may_chain(60.9)
    assert subject.may_chain(61.0)


def test_what_the_poll_for_a_freed_slot_brings_tells_whether_it_would_have_been_worth_it() -> None:
    subject = planner()
    for received in (0, 1, 1, 1):
        subject.slot_freed()
        decision = subject.next(0.0, 10)
        subject.polled(decision, received, 0.0)  # type: ignore[arg-type]  # it is a poll
    assert subject.chaining.is_worth_it


def test_polls_that_no_freed_slot_asked_for_tell_nothing() -> None:
    subject, now = planner(), 0.0
    for _ in range(20):
        decision = subject.next(now, 10)
        if hasattr(decision, "count"):
            subject.polled(decision, 1, now)  # type: ignore[arg-type]  # it is a poll
        now += 0.1
    assert subject.chaining.rate == 0.0
