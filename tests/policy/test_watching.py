"""What a look at the server's task means, and when it is due."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anyworker.conductor.models import Task
from anyworker.policy.cancellation import CancelReason, LeaseLost, Terminated, TimedOut
from anyworker.policy.watching import earliest_look, first_look, next_look, verdict

jitters = st.floats(0, 1, exclude_max=True)


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        (Task(task_id="t", status="IN_PROGRESS", worker_id="me", poll_count=2), None),
        (Task(task_id="t", status="IN_PROGRESS", worker_id=None, poll_count=2), None),
        (Task(task_id="t", status="IN_PROGRESS", worker_id="other", poll_count=2), LeaseLost()),
        (Task(task_id="t", status="IN_PROGRESS", worker_id="me", poll_count=3), LeaseLost()),
        (Task(task_id="t", status="SCHEDULED", worker_id="me", poll_count=2), LeaseLost()),
        (Task(task_id="t", status="TIMED_OUT", reason_for_incompletion="R"), TimedOut("R")),
        (Task(task_id="t", status="CANCELED", reason_for_incompletion="by hand"), Terminated("by hand")),
        (Task(task_id="t", status="COMPLETED"), Terminated("its status is COMPLETED")),
    ],
)
def test_task_is_ours_as_long_as_it_is_in_progress_under_our_poll(
    task: Task, reason: CancelReason | None
) -> None:
    assert verdict(task, "me", 2) == reason


@given(st.integers(0, 10**6), jitters)
def test_first_look_is_never_before_the_earliest_nor_after_the_response_timeout(
    response_timeout: int, jitter: float
) -> None:
    first = first_look(response_timeout, jitter)
    assert earliest_look(response_timeout) <= first <= (min(response_timeout, 10) or 10)


@given(st.floats(0, 10**9), jitters)
def test_old_tasks_are_looked_up_less_often_but_every_minute(age: float, jitter: float) -> None:
    assert 8 <= next_look(age, jitter) <= 60
