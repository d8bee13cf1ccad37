"""Tests of workers, without any server: one task, a life of many calls, a whole workflow with faults.

    python -m pytest examples/test_workers.py

The fixtures come with anyworker.
"""

import anyio
import pytest
from long_running import import_rows
from orders import charge, price

from anyworker import TaskDef, get_task_context, worker_task
from anyworker.testing import Conductor, run_task, run_until_done


def test_an_order_costs_the_sum_of_its_items() -> None:
    order = {"customer": "Ada", "items": [{"article": "card", "count": 10, "price": "0.10"}]}
    assert run_task(price, {"order": order}).output == {"total": "1.00"}


def test_a_price_that_is_none_fails_the_task_for_good() -> None:
    order = {"customer": "Ada", "items": [{"article": "card", "count": 10, "price": "cheap"}]}
    outcome = run_task(price, {"order": order})
    assert outcome.status == "FAILED_WITH_TERMINAL_ERROR"
    assert "$.order.items[0].price" in (outcome.reason or "")


def test_nobody_is_charged_nothing() -> None:
    assert run_task(charge, {"customer": "Ada", "total": "0"}).status == "FAILED_WITH_TERMINAL_ERROR"


def test_all_rows_are_imported_in_as_many_calls_as_needed() -> None:
    calls = run_until_done(import_rows, {"rows": 250})
    assert [call.output for call in calls] == [{"imported": 100}, {"imported": 200}, {"imported": 250}]


@worker_task("call_bank")
async def call_bank() -> str:
    if get_task_context().get_retry_count() < 2:
        await anyio.sleep(30)
        raise ConnectionError("the bank is closed")
    return "charged"


@pytest.mark.usefixtures("anyworker_time")
def test_a_task_is_tried_until_the_bank_opens(conductor: Conductor) -> None:
    conductor.register(TaskDef(name="call_bank", retry_count=3, retry_delay_seconds=600))
    conductor.faults.answer(503, "POST /tasks", times=2)
    assert conductor.run(call_bank).output == {"result": "charged"}
