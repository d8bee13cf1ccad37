"""When stored results are sent again, and whether."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from anyworker.conductor.models import Task
from anyworker.policy.backoff import REPLAY_CEILING, RETRY_AFTER_CEILING, replay_delay
from anyworker.policy.replay import BATCH, Replays, Standing, standing
from anyworker.runner.outbox.storage import MemoryStorage, StoredResult


@given(st.integers(1, 10**9), st.floats(0, 1, exclude_max=True), st.none() | st.floats(0, 10**9))
def test_replay_delay_is_bounded_and_honours_the_server(
    failures: int, jitter: float, asked: float | None
) -> None:
    delay = replay_delay(failures, jitter, asked)
    assert 0 < delay <= max(REPLAY_CEILING, RETRY_AFTER_CEILING)
    assert delay >= min(asked or 0.0, RETRY_AFTER_CEILING)
    assert replay_delay(failures, jitter) <= replay_delay(failures + 1, jitter)


class Outbox(RuleBasedStateMachine):
    """Store and replay against a server that works, is away, or cannot digest a result."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.replays = Replays(lambda: 0.5)
        self.storage = MemoryStorage(max_results=5, max_bytes=60)
        self.expected: dict[str, int] = {}
        self.count = 0

    @rule(size=st.integers(1, 30))
    def store(self, size: int) -> None:
        self.count += 1
        stored = StoredResult("t", str(self.count), "w", "me", "COMPLETED", 1, b"x" * size, 0.0)
        fits = len(self.expected) < 5 and sum(self.expected.values()) + size <= 60
        assert self.storage.add(stored) == fits
        if fits:
            self.expected[stored.task_id] = size
            self.replays.stored(self.now)

    @rule(seconds=st.floats(0, 100))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def sleep_until_told(self) -> None:
        until = self.replays.wake_at(self.now)
        if self.now < until < float("inf"):
            self.now = until

    def due(self) -> list[StoredResult]:
        most = self.replays.batch(self.now)
        return self.storage.oldest(most, self.replays.put_off(self.now)) if most else []

    @rule(answer=st.sampled_from(["taken", "away", "indigestible"]))
    def replay(self, answer: str) -> None:
        for stored in self.due():
            if answer == "taken":
                self.storage.remove([stored.key])
                self.replays.settled(stored.key)
                del self.expected[stored.task_id]
            else:
                self.replays.failed(stored.key, self.now, is_server=answer == "away")

    @precondition(lambda self: self.expected)
    @rule()
    def working_server_gets_everything_in_the_end(self) -> None:
        for _ in range(100):
            self.replay("taken")
            if not self.expected:
                return
            self.sleep_until_told()
        pytest.fail("something was never sent")

    @invariant()
    def nothing_is_lost_and_bounds_hold(self) -> None:
        held = self.storage.oldest(100)
        assert [each.task_id for each in held] == list(self.expected)
        assert self.storage.bytes == sum(self.expected.values()) <= 60
        assert len(self.storage) <= 5
        assert len(self.due()) <= BATCH
        if self.replays.failures:
            assert len(self.due()) <= 1


TestOutbox = Outbox.TestCase


def test_oldest_is_tried_again_first_while_the_server_is_away() -> None:
    replays = Replays(lambda: 0.0)
    for _ in range(5):
        replays.failed(1, 0.0, is_server=True)
    assert not replays.put_off(0.0)
    assert replays.batch(0.0) == 0
    assert replays.batch(REPLAY_CEILING) == 1


@pytest.mark.parametrize(
    ("result", "task", "expected"),
    [
        ("COMPLETED", {"status": "IN_PROGRESS"}, Standing.OPEN),
        ("COMPLETED", {"status": "SCHEDULED"}, Standing.OPEN),
        ("COMPLETED", {"status": "COMPLETED"}, Standing.DONE),
        ("COMPLETED", {"status": "COMPLETED", "worker_id": "other"}, Standing.ENDED),
        ("COMPLETED", {"status": "TIMED_OUT"}, Standing.ENDED),
        ("FAILED", {"status": "CANCELED"}, Standing.ENDED),
        ("IN_PROGRESS", {"status": "IN_PROGRESS"}, Standing.OPEN),
        ("IN_PROGRESS", {"status": "IN_PROGRESS", "poll_count": 2}, Standing.DONE),
        ("IN_PROGRESS", {"status": "IN_PROGRESS", "worker_id": "other"}, Standing.DONE),
        ("IN_PROGRESS", {"status": "SCHEDULED"}, Standing.DONE),
        ("IN_PROGRESS", {"status": "CANCELED"}, Standing.ENDED),
        ("IN_PROGRESS", {"status": "COMPLETED", "poll_count": 2}, Standing.DONE),
    ],
)
def test_result_is_sent_only_where_it_still_counts(
    result: str, task: dict[str, object], expected: Standing
) -> None:
    found = Task(**{"task_id": "1", "worker_id": "me", "poll_count": 1, **task})  # type: ignore[arg-type]
    assert standing(found, status=result, worker_id="me", poll_count=1) is expected
