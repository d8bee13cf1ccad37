"""The planner: single decisions by example, the whole of it as a state machine."""

import math
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from anyworker.policy.planner import (
    LARGEST_BATCH,
    Planner,
    Poll,
    PollFailureKind,
    PollSettings,
    Stop,
    Wait,
)
from anyworker.policy.rates import Rate


def planner(thread_count: int = 10, poll_interval: float = 0.1, **options: Any) -> Planner:
    return Planner(PollSettings(thread_count, poll_interval, **options), lambda: 0.0)


def sent(decision: object) -> Poll:
    assert isinstance(decision, Poll)
    return decision


def idle(subject: Planner, now: float = 0.0, free: int = 10) -> float:
    """Answer the first fill with nothing; return when the waiting poll is due."""
    subject.polled(sent(subject.next(now, free)), 0, now)
    waiting = subject.next(now, free)
    assert isinstance(waiting, Wait)
    return waiting.until


def test_first_poll_asks_for_every_free_slot_without_waiting() -> None:
    assert planner().next(0.0, 10) == Poll(10, 0.0, is_fill=True)


def test_no_poll_asks_for_more_than_any_server_gives() -> None:
    assert planner(1000).next(0.0, 1000) == Poll(LARGEST_BATCH, 0.0, is_fill=True)


def test_empty_fill_is_followed_by_a_waiting_poll_for_one_task() -> None:
    subject = planner()
    due = idle(subject)
    assert due == 0.002
    assert subject.next(due, 10) == Poll(1, 0.1, is_fill=False)


def test_waiting_poll_that_brings_a_task_is_followed_by_a_fill_at_once() -> None:
    subject = planner()
    due = idle(subject)
    waiting = sent(subject.next(due, 10))
    subject.polled(waiting, 1, due)
    assert subject.next(due, 9) == Poll(9, 0.0, is_fill=True)


def test_full_fill_is_followed_by_another() -> None:
    subject = planner(200)
    subject.polled(sent(subject.next(0.0, 200)), LARGEST_BATCH, 0.0)
    assert subject.next(0.0, 136) == Poll(LARGEST_BATCH, 0.0, is_fill=True)


def test_short_fill_is_followed_by_a_waiting_poll_at_once() -> None:
    subject = planner()
    subject.polled(sent(subject.next(0.0, 10)), 3, 0.0)
    assert subject.next(0.0, 7) == Poll(1, 0.1, is_fill=False)


def test_freed_slot_polls_at_once_beside_a_waiting_poll() -> None:
    subject = planner()
    due = idle(subject)
    sent(subject.next(due, 10))
    assert subject.next(due, 9) == Wait(math.inf)
    subject.slot_freed()
    assert subject.next(due, 9) == Poll(9, 0.0, is_fill=True)


def test_no_poll_at_capacity() -> None:
    assert planner().next(0.0, 0) == Wait(math.inf)


def test_server_side_wait_doubles_to_its_limit_while_polls_stay_empty() -> None:
    subject = planner(idle_poll_timeout=1.0)
    now = idle(subject)
    waits = []
    for _ in range(6):
        waiting = sent(subject.next(now, 10))
        waits.append(waiting.timeout)
        now += waiting.timeout
        subject.polled(waiting, 0, now)
        pause = subject.next(now, 10)
        assert isinstance(pause, Wait)
        now = pause.until
    assert waits == [0.1, 0.2, 0.4, 0.8, 1.0, 1.0]


def test_server_side_wait_is_as_configured() -> None:
    subject = planner(poll_timeout=0.7)
    assert sent(subject.next(idle(subject), 10)).timeout == 0.7


def test_server_side_wait_of_zero_asks_for_all_free_slots() -> None:
    subject = planner(poll_timeout=0.0)
    assert subject.next(idle(subject), 10) == Poll(10, 0.0, is_fill=False)


def test_poll_that_could_not_wait_at_the_server_is_followed_by_the_next_after_as_long() -> None:
    subject = planner(poll_timeout=0.7)
    due = idle(subject)
    cut = sent(subject.next(due, 10)).fitted(1, may_wait=False)
    assert (cut.timeout, cut.withheld) == (0.0, 0.7)
    subject.polled(cut, 0, due)
    assert subject.next(due, 10) == Wait(due + 0.7)


def test_poll_that_got_fewer_places_is_full_with_fewer_tasks() -> None:
    subject = planner()
    fitted = sent(subject.next(0.0, 10)).fitted(2, may_wait=True)
    subject.polled(fitted, 2, 0.0)
    assert subject.next(0.0, 8) == Poll(8, 0.0, is_fill=True)


def test_hit_resets_pause_and_wait() -> None:
    subject = planner()
    now = idle(subject)
    for _ in range(5):
        waiting = sent(subject.next(now, 10))
        subject.polled(waiting, 0, now)
        pause = subject.next(now, 10)
        assert isinstance(pause, Wait)
        now = pause.until
    subject.polled(sent(subject.next(now, 10)), 1, now)
    subject.polled(sent(subject.next(now, 9)), 0, now)
    assert subject.next(now, 9) == Wait(now + 0.002)
    assert subject.next(now + 0.002, 9) == Poll(1, 0.1, is_fill=False)


def test_failed_poll_doubles_the_wait() -> None:
    subject, now, waits = planner(), 0.0, []
    for _ in range(9):
        subject.poll_failed(sent(subject.next(now, 10)), PollFailureKind.ERROR, now)
        pause = subject.next(now, 10)
        assert isinstance(pause, Wait)
        waits.append(pause.until - now)
        now = pause.until
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]


def test_refused_authorization_waits_two_to_the_failures_up_to_a_minute() -> None:
    subject, now, waits = planner(), 0.0, []
    for _ in range(8):
        subject.poll_failed(sent(subject.next(now, 10)), PollFailureKind.AUTHORIZATION, now)
        pause = subject.next(now, 10)
        assert isinstance(pause, Wait)
        waits.append(pause.until - now)
        now = pause.until
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_retry_after_is_honoured() -> None:
    subject = planner()
    subject.poll_failed(sent(subject.next(0.0, 10)), PollFailureKind.ERROR, 0.0, retry_after=12.0)
    assert subject.next(0.0, 10) == Wait(12.0)


def test_one_success_ends_a_streak_of_failures() -> None:
    subject = planner()
    subject.poll_failed(sent(subject.next(0.0, 10)), PollFailureKind.ERROR, 0.0)
    subject.polled(sent(subject.next(0.5, 10)), 10, 0.5)
    assert subject.failures == 0
    assert subject.next(0.5, 10) == Poll(10, 0.0, is_fill=True)


def test_freed_slot_does_not_shorten_the_wait_after_a_failure() -> None:
    subject = planner()
    subject.poll_failed(sent(subject.next(0.0, 10)), PollFailureKind.ERROR, 0.0)
    subject.slot_freed()
    assert subject.next(0.1, 10) == Wait(0.5)


def test_paused_worker_asks_for_nothing_and_polls_at_once_when_resumed() -> None:
    subject = planner()
    subject.pause()
    assert subject.next(0.0, 10) == Wait(math.inf)
    subject.resume()
    assert subject.next(0.0, 10) == Poll(10, 0.0, is_fill=True)


def test_poll_asks_for_no_more_than_the_rate_allows_and_the_next_one_waits_for_the_window() -> None:
    subject = planner(rate=Rate(4, 60.0))
    fill = sent(subject.next(0.0, 10))
    assert fill.count == 4
    assert subject.next(0.0, 6) == Wait(math.inf)
    subject.polled(fill, 4, 1.0)
    assert subject.next(1.0, 6) == Wait(61.0)
    assert subject.next(61.0, 6) == Poll(4, 0.0, is_fill=True)


def test_rate_counts_what_a_poll_brought_not_what_it_asked_for() -> None:
    subject = planner(rate=Rate(4, 60.0))
    subject.polled(sent(subject.next(0.0, 10)), 1, 0.0)
    subject.polled(sent(subject.next(0.0, 9)), 1, 0.1)
    assert sent(subject.next(0.1, 8)).count == 2


def test_drained_worker_stops_although_its_rate_is_used_up() -> None:
    subject = planner(rate=Rate(1, 3600.0))
    subject.polled(sent(subject.next(0.0, 10)), 1, 0.0)
    subject.drain()
    assert subject.next(0.0, 10) == Stop()


def test_drain_waits_for_the_poll_under_way_and_for_what_is_in_hand() -> None:
    subject = planner()
    poll = sent(subject.next(0.0, 10))
    subject.drain()
    assert subject.next(0.0, 10) == Wait(math.inf)
    subject.polled(poll, 1, 0.0)
    assert subject.next(0.0, 9) == Wait(math.inf)
    assert subject.next(0.0, 10) == Stop()


@given(st.integers(1, 200), st.integers(1, 10**6), st.floats(0.001, 100))
@settings(max_examples=30)
def test_pause_of_an_idle_worker_never_exceeds_its_interval(slots: int, polls: int, interval: float) -> None:
    subject = planner(slots, interval)
    subject._empty_polls = polls
    due = idle(subject, 5.0, slots)
    assert 5.0 <= due <= 5.0 + interval


class Worker(RuleBasedStateMachine):
    """A worker as the planner sees it: polls under way, tasks in hand, time going by."""

    @initialize(
        thread_count=st.integers(1, 130),
        interval=st.floats(0.0, 2.0),
        poll_timeout=st.none() | st.floats(0.0, 5.0),
        rate=st.none() | st.builds(Rate, st.integers(1, 100), st.sampled_from([1.0, 60.0])),
    )
    def start(
        self, thread_count: int, interval: float, poll_timeout: float | None, rate: Rate | None
    ) -> None:
        self.thread_count = thread_count
        self.interval = interval
        self.rate = rate
        self.taken: list[tuple[float, int]] = []
        self.subject = Planner(PollSettings(thread_count, interval, poll_timeout, rate=rate), lambda: 0.5)
        self.now = 100.0
        self.in_hand = 0
        self.polls: list[Poll] = []
        self.may_poll_from = -math.inf
        self.is_draining = False
        self.is_paused = False
        self.has_failed_since_success = False

    @property
    def free(self) -> int:
        return self.thread_count - self.in_hand - sum(poll.count for poll in self.polls)

    def changed(self) -> None:
        """A freed slot, an answer or a command may bring a poll forward; a failure's pause stands."""
        if not self.has_failed_since_success or self.may_poll_from == math.inf:
            self.may_poll_from = -math.inf

    @rule()
    def ask(self) -> None:
        match self.subject.next(self.now, self.free):
            case Poll() as poll:
                assert not self.is_draining
                assert not self.is_paused
                assert 1 <= poll.count <= self.free
                assert poll.timeout >= 0
                assert not poll.is_fill or poll.timeout == 0
                assert self.now >= self.may_poll_from
                self.polls.append(poll)
                assert len(self.polls) <= 2
            case Wait(until):
                assert not (self.is_draining and self.in_hand == 0 and not self.polls)
                assert until > self.now
                self.may_poll_from = until
            case Stop():
                assert self.is_draining
                assert self.in_hand == 0
                assert not self.polls

    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def time_passes_to_the_next_poll(self) -> None:
        if math.isfinite(self.may_poll_from):
            self.now = max(self.now, self.may_poll_from)

    @precondition(lambda self: self.polls)
    @rule(share=st.floats(0, 1), which=st.integers(0, 1))
    def poll_is_answered(self, share: float, which: int) -> None:
        poll = self.polls.pop(min(which, len(self.polls) - 1))
        received = round(poll.count * share)
        self.in_hand += received
        self.taken.append((self.now, received))
        self.subject.polled(poll, received, self.now)
        self.has_failed_since_success = False
        self.changed()

    @precondition(lambda self: self.polls)
    @rule(kind=st.sampled_from(PollFailureKind), retry_after=st.none() | st.floats(0, 1000))
    def poll_fails(self, kind: PollFailureKind, retry_after: float | None) -> None:
        poll = self.polls.pop()
        self.subject.poll_failed(poll, kind, self.now, retry_after)
        assert self.subject.failures >= 1
        self.may_poll_from = -math.inf
        self.has_failed_since_success = True
        decision = self.subject.next(self.now, self.free)
        assert isinstance(decision, Wait | Stop), "a failed poll is never followed by another at once"
        if isinstance(decision, Wait) and math.isfinite(decision.until):
            assert decision.until - self.now <= 300.0
            self.may_poll_from = decision.until

    @precondition(lambda self: self.in_hand)
    @rule()
    def task_completes(self) -> None:
        self.in_hand -= 1
        self.subject.slot_freed()
        self.changed()

    @rule()
    def pause(self) -> None:
        self.subject.pause()
        self.is_paused = True

    @rule()
    def resume(self) -> None:
        self.subject.resume()
        self.is_paused = False
        self.changed()

    @rule()
    def drain(self) -> None:
        self.subject.drain()
        self.is_draining = True

    @invariant()
    def never_holds_more_than_its_slots(self) -> None:
        if hasattr(self, "thread_count"):
            assert 0 <= self.in_hand + sum(poll.count for poll in self.polls) <= self.thread_count

    @invariant()
    def takes_no_more_than_its_rate_whatever_its_polls_bring(self) -> None:
        if getattr(self, "rate", None) is not None:
            window = [count for at, count in self.taken if at + self.rate.seconds > self.now]
            assert sum(window) + sum(poll.count for poll in self.polls) <= self.rate.count

    def teardown(self) -> None:
        """After drain, once everything ends, the planner always stops."""
        if not hasattr(self, "subject"):
            return
        self.subject.drain()
        for poll in self.polls:
            self.subject.polled(poll, 0, self.now)
        assert self.subject.next(self.now, self.thread_count) == Stop()


TestWorker = Worker.TestCase
