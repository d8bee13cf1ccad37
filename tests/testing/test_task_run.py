"""TaskRun: levers to pull while a function runs."""

import threading

import anyio
import anyio.lowlevel
import pytest

from anyworker import get_task_context
from anyworker.conductor.models import PolledTaskDef
from anyworker.testing import CancelReason, Draining, LeaseLost, TaskRun, Terminated, TimedOut

virtual = pytest.mark.virtual_time


class Patient:
    """A function that waits for ever and keeps why it was cancelled."""

    def __init__(self) -> None:
        self.seen: list[CancelReason | None] = []

    async def __call__(self) -> None:
        context = get_task_context()
        context.set_output({"step": 1})
        self.seen.append(context.cancel_reason)
        try:
            await anyio.sleep_forever()
        finally:
            self.seen.append(context.cancel_reason)


@virtual
async def test_time_passes_when_told() -> None:
    async def work() -> str:
        await anyio.sleep(3600)
        return "done"

    async with TaskRun(work) as run:
        await run.let_pass(3599)
        with pytest.raises(RuntimeError, match="has not ended"):
            _ = run.outcome
        await run.let_pass(2)
        assert run.outcome.output == {"result": "done"}


@virtual
@pytest.mark.parametrize("reason", [Terminated("by hand"), TimedOut(), LeaseLost()], ids=str)
async def test_a_task_that_is_no_longer_ours_is_dropped(reason: CancelReason) -> None:
    work = Patient()
    async with TaskRun(work) as run:
        await run.let_pass(5)
        run.cancel(reason)
    assert work.seen == [None, reason]
    assert (run.outcome.status, run.outcome.result) == (None, None)
    assert run.outcome.cancel_reason == reason


@virtual
async def test_without_a_reason_the_task_was_terminated() -> None:
    work = Patient()
    async with TaskRun(work) as run:
        run.cancel()
    assert work.seen == [None, Terminated()]


@virtual
async def test_a_lost_lease_is_a_lever_of_its_own() -> None:
    work = Patient()
    async with TaskRun(work) as run:
        run.lose_lease()
    assert work.seen == [None, LeaseLost()]


@virtual
async def test_a_drain_hands_back_what_may_run_again() -> None:
    work = Patient()
    async with TaskRun(work, output_data={"kept": 1}) as run:
        run.drain()
    outcome = run.outcome
    assert work.seen == [None, Draining()]
    assert (outcome.status, outcome.is_handed_back) == ("IN_PROGRESS", True)
    assert outcome.callback_after_seconds == 0
    assert outcome.output == {"kept": 1, "step": 1}


@virtual
async def test_a_hand_back_is_no_call() -> None:
    async with TaskRun(Patient()) as run:
        run.drain()

    async def work() -> int:
        return get_task_context().get_poll_count()

    async with TaskRun(work, run.outcome.next_task()) as again:
        pass
    assert again.task.poll_count == 2
    assert again.outcome.output == {"result": 1}


@virtual
async def test_a_drain_fails_what_may_not_run_again() -> None:
    async with TaskRun(Patient(), retry_count=1, task_definition=PolledTaskDef(retry_count=1)) as run:
        run.drain()
    assert run.outcome.status == "FAILED"
    assert "shut down" in (run.outcome.reason or "")


@virtual
async def test_a_function_may_return_although_it_is_cancelled() -> None:
    async def work() -> str:
        try:
            await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            return "saved"

    async with TaskRun(work) as run:
        run.drain()
    assert run.outcome.output == {"result": "saved"}


@virtual
async def test_the_end_can_be_awaited_within_the_block() -> None:
    async def work() -> str:
        await anyio.sleep(60)
        return "done"

    async with TaskRun(work) as run:
        outcome = await run.wait()
        assert outcome is run.outcome
        run.cancel()
    assert run.outcome.output == {"result": "done"}


@virtual
async def test_a_failing_block_ends_the_function_and_raises_what_it_raised() -> None:
    work = Patient()
    with pytest.raises(AssertionError, match="as it is"):
        async with TaskRun(work):
            raise AssertionError("as it is")
    assert len(work.seen) == 2


@virtual
async def test_a_cancelled_block_ends_the_function() -> None:
    work = Patient()
    with anyio.move_on_after(3) as scope:
        async with TaskRun(work):
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert len(work.seen) == 2


async def test_a_thread_that_is_cancelled_is_left_behind() -> None:
    ended = threading.Event()
    seen: list[CancelReason | None] = []

    def work() -> None:
        ended.wait(5)
        seen.append(get_task_context().cancel_reason)

    with anyio.fail_after(5):
        async with TaskRun(work) as run:
            run.drain()
    assert (run.outcome.status, run.outcome.is_abandoned) == (None, True)
    ended.set()
    while not seen:  # noqa: ASYNC110 - the thread belongs to nobody any more
        await anyio.sleep(0.01)
    assert seen == [Draining()]
