"""What a function says by its context reaches the server, whatever comes of the call."""

import asyncio
from collections.abc import Callable
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread
import pytest
from stage import both_kinds, stage

from anyworker import NonRetryableException, TaskInProgress, TaskResult, Worker, get_task_context
from anyworker.conductor.models import Workflow
from anyworker.errors import NoTaskContextError
from anyworker.testing import run_task, run_task_async

KEPT = {"kept": 1}


def raising(error: BaseException) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


def called_again_later() -> object:
    get_task_context().set_callback_after(7)
    return {"more": 2}


def result_called_again_later() -> object:
    get_task_context().set_callback_after(7)
    return TaskResult(output_data={"more": 2})


def with_bad_output() -> object:
    get_task_context().set_output({"bad": object()})
    message = "hopeless"
    raise NonRetryableException(message)


ENDS: list[tuple[Callable[[], object], str, dict[str, Any]]] = [
    (lambda: None, "COMPLETED", KEPT),
    (lambda: {"more": 2}, "COMPLETED", {**KEPT, "more": 2}),
    (lambda: "text", "COMPLETED", {**KEPT, "result": "text"}),
    (raising(ValueError("no")), "FAILED", KEPT),
    (raising(NonRetryableException("no")), "FAILED_WITH_TERMINAL_ERROR", KEPT),
    (raising(SystemExit(1)), "FAILED", KEPT),
    (lambda: TaskInProgress(5, {"more": 2}), "IN_PROGRESS", {**KEPT, "more": 2}),
    (called_again_later, "IN_PROGRESS", {**KEPT, "more": 2}),
    (result_called_again_later, "IN_PROGRESS", {**KEPT, "more": 2}),
    (lambda: TaskResult(status="FAILED", output_data={"more": 2}), "FAILED", {**KEPT, "more": 2}),
    (object, "FAILED", KEPT),
    (lambda: float("nan"), "FAILED", KEPT),
    (with_bad_output, "FAILED_WITH_TERMINAL_ERROR", {}),
]


@pytest.mark.parametrize(("end", "status", "output"), ENDS)
def test_output_is_sent_however_the_call_ends(
    end: Callable[[], object], status: str, output: dict[str, Any]
) -> None:
    def plain() -> object:
        get_task_context().set_output(KEPT)
        return end()

    async def coroutine() -> object:
        return plain()

    for function in (plain, coroutine):
        outcome = run_task(function)
        assert (outcome.status, outcome.output) == (status, output)


def test_a_failure_keeps_its_reason_although_its_output_cannot_be_sent() -> None:
    outcome = run_task(with_bad_output)
    assert outcome.reason == "hopeless"
    assert any("$.bad: a object has no place in JSON" in line for line in outcome.logs)


def test_every_log_line_can_be_stored() -> None:
    def work() -> None:
        for number in range(12):
            get_task_context().add_log(f"{number} \x00 \ud800")

    assert run_task(work).logs == [f"{number} \\u0000 \\ud800" for number in range(12)]


def own_id() -> str:
    return get_task_context().get_task_id()


async def own_id_of_coroutine() -> str:
    await anyio.lowlevel.checkpoint()
    return own_id()


async def everywhere() -> dict[str, str]:
    found: dict[str, str] = {}

    async def child(name: str) -> None:
        found[name] = await own_id_of_coroutine()

    def thread() -> str:
        return anyio.from_thread.run(own_id_of_coroutine)

    async with anyio.create_task_group() as group:
        group.start_soon(child, "task group")
    found["thread"] = await anyio.to_thread.run_sync(own_id)
    found["thread and back"] = await anyio.to_thread.run_sync(thread)
    return found


def everywhere_below_a_plain_function() -> dict[str, str]:
    return {"here": own_id(), "loop": anyio.from_thread.run(own_id_of_coroutine)}


@pytest.mark.parametrize("function", [everywhere, everywhere_below_a_plain_function])
async def test_context_is_that_of_the_task_in_whatever_its_function_calls(
    function: Callable[..., object],
) -> None:
    outcomes: dict[str, dict[str, Any]] = {}

    async def run(task_id: str) -> None:
        outcomes[task_id] = (await run_task_async(function, task_id=task_id, in_thread=True)).output

    async with anyio.create_task_group() as group:
        for task_id in ("t1", "t2"):
            group.start_soon(run, task_id)
    for task_id, found in outcomes.items():
        assert set(found.values()) == {task_id}
    with pytest.raises(NoTaskContextError, match="only while a worker's function runs"):
        get_task_context()


def test_context_is_that_of_the_task_in_asyncios_own_ways() -> None:
    async def function() -> list[str]:
        both = asyncio.gather(own_id_of_coroutine(), asyncio.to_thread(own_id))  # noqa: TID251 - users do
        return [*await both, await asyncio.get_running_loop().create_task(own_id_of_coroutine())]

    assert run_task(function, task_id="t1").output == {"result": ["t1", "t1", "t1"]}


keys: list[tuple[int, int, str]] = []


def flaky() -> object:
    """Fail at first, ask to be called again, then succeed."""
    context = get_task_context()
    keys.append((context.get_retry_count(), context.get_poll_count(), context.idempotency_key))
    if context.get_retry_count() == 0:
        message = "at first"
        raise ValueError(message)
    if context.get_poll_count() == 1:
        return TaskInProgress(0)
    return context.idempotency_key


@pytest.mark.parametrize("function", both_kinds(flaky))
async def test_idempotency_key_is_the_same_over_retries_and_call_backs_of_a_step_alone(
    function: Callable[..., object],
) -> None:
    keys.clear()
    with anyio.fail_after(20):
        async with stage(Worker("work", function)) as it:
            await it.define("work", "work", retry_delay_seconds=0)
            workflow = await it.play()
            again = await it.play()
    assert [attempt[:2] for attempt in keys] == [(0, 1), (1, 1), (1, 2)] * 4
    own = [keys_of(workflow), keys_of(again)]
    assert [key for _, _, key in keys] == [key for pair in own for key in pair for _ in range(3)]
    assert len({key for pair in own for key in pair}) == 4


def keys_of(workflow: Workflow) -> list[str]:
    return [task.output_data["result"] for task in workflow.tasks if task.status == "COMPLETED"]
