"""Who may have a task whose function has begun elsewhere."""

import pytest

from anyworker.conductor.models import PolledStep, PolledTaskDef, Task
from anyworker.policy.again import why_not_again


def task(attempt: int, defined: int | None, in_step: int | None = None) -> Task:
    return Task(
        task_id="t",
        retry_count=attempt,
        task_definition=None if defined is None else PolledTaskDef(retry_count=defined),
        workflow_task=PolledStep(retry_count=in_step),
    )


@pytest.mark.parametrize(
    ("attempt", "defined", "in_step", "is_allowed"),
    [
        (0, 1, None, True),
        (1, 1, None, False),
        (0, 0, None, False),
        (0, 3, 0, False),
        (0, 0, 2, True),
        (2, 5, 2, False),
        (7, None, None, True),
        (0, None, 0, False),
    ],
)
def test_task_may_run_again_if_a_failure_would_be_retried(
    attempt: int, defined: int | None, in_step: int | None, is_allowed: bool
) -> None:
    given = task(attempt, defined, in_step)
    assert (why_not_again(given, None) is None) is is_allowed
    assert why_not_again(given, True) is None
    assert why_not_again(given, False) == "restartable=False forbids it"


def test_task_that_tells_nothing_of_its_step_goes_by_its_definition() -> None:
    given = Task(task_id="t", retry_count=3, task_definition=PolledTaskDef(retry_count=3))
    assert why_not_again(given, None) == "its definition allows no further attempt"


@pytest.mark.parametrize(
    ("limit", "policy", "held", "is_allowed"),
    [
        (30, "TIME_OUT_WF", 19.9, True),
        (30, "TIME_OUT_WF", 20.0, False),
        (30, "RETRY", 20.0, False),
        (30, "ALERT_ONLY", 20.0, True),
        (0, "TIME_OUT_WF", 1e6, True),
        (None, "TIME_OUT_WF", 1e6, True),
    ],
)
def test_task_that_the_server_would_time_out_is_not_given_back(
    limit: int | None, policy: str, held: float, is_allowed: bool
) -> None:
    """It was taken ten seconds after it had been scheduled."""
    definition = PolledTaskDef(poll_timeout_seconds=limit, timeout_policy=policy)
    given = Task(task_id="t", scheduled_time=1000, update_time=11_000, task_definition=definition)
    for restartable in (None, True):
        why = why_not_again(given, restartable, held=held)
        assert (why is None) is is_allowed
        assert why is None or "pollTimeoutSeconds (30)" in why
