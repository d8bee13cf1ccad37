"""What a function is told of its task."""

import logging
from contextvars import copy_context
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest

from anyworker import Task, get_task_context
from anyworker.conductor.models import PolledTaskDef
from anyworker.context import TaskContext, TimeLimit, enter
from anyworker.policy.cancellation import Draining
from anyworker.policy.outcome import Draft


def context_of(limit: float | None = None, **fields: Any) -> tuple[TaskContext, Draft]:
    draft = Draft.of(Task(task_id="t1", workflow_instance_id="w1", **fields), "me")
    # What is entered here must not be left to other tests.
    entered = copy_context().run(
        enter, draft, None if limit is None else TimeLimit(limit, anyio.CancelScope())
    )
    return entered, draft


def test_context_tells_where_the_task_comes_from() -> None:
    context, _ = context_of(
        input_data={"a": 1},
        domain="blue",
        workflow_type="orders",
        correlation_id="c7",
        task_def_name="charge",
    )
    assert (context.input, context.domain) == ({"a": 1}, "blue")
    assert (context.workflow_name, context.correlation_id) == ("orders", "c7")


def test_context_is_found_where_it_was_entered() -> None:
    def is_found() -> bool:
        return enter(Draft.of(Task(task_id="t1"), "me"), None) is get_task_context()

    assert copy_context().run(is_found)


def test_idempotency_key_is_that_of_the_step_whatever_the_attempt() -> None:
    first, _ = context_of(reference_task_name="charge_it")
    retried = Task(task_id="t2", workflow_instance_id="w1", reference_task_name="charge_it", retry_count=1)
    assert TaskContext(Draft.of(retried, "other")).idempotency_key == first.idempotency_key == "w1:charge_it"
    again, _ = context_of(reference_task_name="charge_it__2", iteration=2)
    assert again.idempotency_key != first.idempotency_key


@pytest.mark.parametrize(
    ("limit", "fields", "seconds"),
    [
        (None, {}, None),
        (None, {"response_timeout_seconds": 60}, 60),
        (5, {"response_timeout_seconds": 60}, 5),
        (None, {"task_definition": PolledTaskDef(timeout_seconds=90), "start_time": 1, "update_time": 1}, 90),
        (
            None,
            {
                "task_definition": PolledTaskDef(timeout_seconds=90),
                "start_time": 1_000,
                "update_time": 31_000,
                "response_timeout_seconds": 70,
            },
            60,
        ),
    ],
)
async def test_deadline_is_the_first_limit_that_is_reached(
    limit: float | None, fields: dict[str, Any], seconds: float | None
) -> None:
    before = datetime.now(UTC)
    deadline = context_of(limit, **fields)[0].deadline
    if seconds is None:
        assert deadline is None
        return
    assert deadline is not None
    assert before <= deadline - timedelta(seconds=seconds) <= datetime.now(UTC)


def test_cancelled_goes_with_its_reason() -> None:
    context, draft = context_of()
    assert (context.cancelled, context.cancel_reason) == (False, None)
    draft.cancel_reason = Draining()
    assert (context.cancelled, context.cancel_reason) == (True, Draining())


@pytest.mark.parametrize(
    ("level", "line"),
    [
        (None, "half done"),
        (logging.WARNING, "WARNING: half done"),
        ("info", "INFO: half done"),
        (15, "LEVEL 15: half done"),
    ],
)
def test_log_lines_have_their_level_before_them(level: int | str | None, line: str) -> None:
    context, draft = context_of()
    context.add_log("half done", level)
    assert [entry.log for entry in draft.logs] == [line]
