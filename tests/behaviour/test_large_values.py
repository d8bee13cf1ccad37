"""Inputs and outputs that are large, from the server to the function and back."""

import logging
from collections.abc import Callable
from typing import Any

import anyio
import pytest
from stage import both_kinds, stage

from anyworker import Worker, get_task_context
from anyworker.conductor.models import Workflow
from anyworker.errors import DeliveryCancelled
from anyworker.events import TaskUpdateFailure
from anyworker.testing import run_task


def write(n: int) -> str:
    return "x" * n


async def play(function: Any, n: int, **options: Any) -> Workflow:
    with anyio.fail_after(20):
        async with stage(Worker("work", function, **options)) as performance:
            await performance.define("work", retry_count=0)
            return await performance.play({"n": n})


@pytest.mark.parametrize("which", [0, 1], ids=["def", "async def"])
async def test_output_above_the_limit_fails_its_task_at_once_with_the_size(which: int) -> None:
    workflow = await play(both_kinds(write)[which], 10 * 2**20)
    [task] = workflow.tasks
    assert task.status == "FAILED"
    assert task.reason_for_incompletion == (
        "the output cannot be sent: $: the output has 10.5 MB (10485773 bytes), above output_limit_kb=10240: "
        "store it elsewhere and return where it is"
    )


def test_limit_is_the_workers_own() -> None:
    limited = Worker("work", write, output_limit_kb=1)
    assert run_task(limited, {"n": 1011}).status == "COMPLETED"
    outcome = run_task(limited, {"n": 1012})
    assert outcome.status == "FAILED"
    assert outcome.reason == (
        "the output cannot be sent: $: the output has 0.0 MB (1025 bytes), above output_limit_kb=1: "
        "store it elsewhere and return where it is"
    )
    boundless = Worker("work", write, output_limit_kb=None, output_warning_kb=None)
    assert run_task(boundless, {"n": 11_000_000}).status == "COMPLETED"


def test_what_the_context_was_given_counts_as_well() -> None:
    def work() -> dict[str, str]:
        get_task_context().set_output({"a": "x" * 600})
        return {"b": "x" * 600}

    outcome = run_task(Worker("work", work, output_limit_kb=1), {})
    assert outcome.status == "FAILED"
    assert "(1215 bytes)" in (outcome.reason or "")


def test_output_above_the_warning_is_told_in_the_tasks_log_and_completes() -> None:
    worker = Worker("work", write, output_warning_kb=1)
    outcome = run_task(worker, {"n": 1012})
    assert outcome.status == "COMPLETED"
    [line] = outcome.logs
    assert line.startswith("the output has 0.0 MB (1025 bytes), above output_warning_kb=1; ")
    assert run_task(worker, {"n": 1011}).logs == []


async def test_process_warns_once_of_a_worker(caplog: pytest.LogCaptureFixture) -> None:
    with anyio.fail_after(20):
        async with stage(Worker("work", write, output_warning_kb=1)) as performance:
            await performance.define("work")
            for _ in range(2):
                workflow = await performance.play({"n": 2000})
                assert workflow.status == "COMPLETED"
    warnings = [
        r for r in caplog.records if r.levelno == logging.WARNING and "output_warning_kb" in r.message
    ]
    assert len(warnings) == 1
    assert "(type work): the output has 0.0 MB (2013 bytes)" in warnings[0].message


class Lost:
    """Keep the results that could not be delivered."""

    def __init__(self) -> None:
        self.events: list[TaskUpdateFailure] = []

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        self.events.append(event)


async def stuck(function: Callable[[], Any], /) -> Any:
    """Run nothing: stands for a thread that takes longer than the worker has."""
    await anyio.sleep_forever()


@pytest.mark.virtual_time
async def test_result_that_is_being_encoded_at_the_very_end_is_surfaced() -> None:
    lost = Lost()

    async def work() -> str:
        return "x" * 100_000

    async with stage(Worker("work", work), event_listeners=[lost], run_sync=stuck, grace=1) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(5)
        await play.fleet.drain()
    [event] = lost.events
    assert isinstance(event.cause, DeliveryCancelled)
    assert event.task_result.output_data == {"result": "x" * 100_000}


@pytest.mark.virtual_time
async def test_task_whose_input_is_being_converted_when_the_grace_ends_is_handed_back() -> None:
    called: list[object] = []

    async def work(name: list[int]) -> None:
        called.append(name)

    async with stage(Worker("work", work), run_sync=stuck, grace=1) as play:
        await play.define("work")
        workflow_id = await play.start({"name": [1] * 20_000})
        await anyio.sleep(5)
        await play.fleet.drain()
        [task] = (await play.client.get_workflow(workflow_id)).tasks
        assert task.status == "SCHEDULED"
    assert called == []
