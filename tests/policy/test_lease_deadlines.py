"""Leases: extended early, tried again until they end, lost only when that has failed."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from anyworker.policy.leases import Lease, earliest_extension, extension_delay, retry_delay

response_timeouts = st.integers(1, 30 * 24 * 3600).map(float)
jitters = st.floats(0, 1, exclude_max=True)


@given(response_timeouts, jitters)
def test_first_extension_leaves_two_thirds_of_the_lease(response_timeout: float, jitter: float) -> None:
    lease = Lease(response_timeout, 100.0, lambda: jitter)
    assert earliest_extension(response_timeout) <= lease.due - 100.0 + 1e-6
    assert lease.due - 100.0 <= response_timeout / 3 + 1e-6
    assert lease.ends == 100.0 + response_timeout


@given(response_timeouts, jitters, st.integers(1, 10_000))
def test_retries_come_at_once_and_never_leave_a_tenth_of_the_lease(
    response_timeout: float, jitter: float, failures: int
) -> None:
    delay = retry_delay(failures, response_timeout, jitter)
    assert 0 < delay <= response_timeout / 16
    assert delay <= 30
    assert retry_delay(1, response_timeout, jitter) <= 0.25


def test_jitter_spreads_the_extensions_of_tasks_taken_together() -> None:
    assert extension_delay(60, 0.0) - extension_delay(60, 0.9) > 4


class Extending(RuleBasedStateMachine):
    """Extensions that succeed, fail or come late, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.jitter = iter([0.5])
        self.now = 0.0
        self.answered = 0.0
        self.lease = Lease(60.0, 0.0, lambda: next(self.jitter, 0.5))

    @rule(jitters=st.lists(jitters, max_size=5))
    def shake(self, jitters: list[float]) -> None:
        self.jitter = iter(jitters)

    @rule(late=st.floats(0, 100))
    def time_passes(self, late: float) -> None:
        self.now = max(self.now, self.lease.due) + late

    @precondition(lambda self: not self.lease.is_lost(self.now))
    @rule(share=st.floats(0, 1))
    def extension_is_accepted(self, share: float) -> None:
        sent = self.now
        self.now += self.lease.patience(sent) * share
        self.lease.extended(sent, self.now)
        self.answered = self.now
        assert self.lease.failures == 0

    @precondition(lambda self: not self.lease.is_lost(self.now))
    @rule(share=st.floats(0, 1))
    def extension_fails(self, share: float) -> None:
        self.now += self.lease.patience(self.now) * share
        self.lease.failed(self.now)
        assert self.lease.due >= self.now

    @invariant()
    def ends_its_response_timeout_after_the_last_answer(self) -> None:
        assert self.lease.ends == self.answered + 60.0

    @invariant()
    def is_due_before_it_ends(self) -> None:
        assert self.lease.due <= max(self.lease.ends, self.now)

    @invariant()
    def is_never_lost_before_its_end_or_untried(self) -> None:
        if self.lease.is_lost(self.now):
            assert self.now >= self.lease.ends
            assert self.lease.failures > 0

    @invariant()
    def leaves_a_result_time_to_arrive_but_no_more_than_a_quarter(self) -> None:
        assert self.lease.ends - 60.0 / 4 <= self.lease.last_call < self.lease.ends

    @invariant()
    def attempt_ends_with_the_lease_at_the_latest(self) -> None:
        if self.now < self.lease.ends:
            assert self.now + self.lease.patience(self.now) <= self.lease.ends + 1e-9


TestExtending = Extending.TestCase
