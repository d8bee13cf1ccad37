"""A function that is cancelled can ask why."""

import anyio
import anyio.lowlevel
import pytest

from anyworker import Worker, get_task_context
from anyworker.conductor.models import PolledTaskDef, Task
from anyworker.options import resolve_all
from anyworker.policy.cancellation import (
    CancelReason,
    Draining,
    LeaseLost,
    Terminated,
    TimedOut,
    TimeoutExceeded,
)
from anyworker.policy.outcome import Draft, Dropped, Failed, HandedBack, Outcome
from anyworker.runner.assembly import executor_of
from anyworker.runner.calling.execution import Executor
from anyworker.runner.in_hand import Execution
from anyworker.runner.threads import run_inline

pytestmark = pytest.mark.virtual_time


def executor(function: object, **options: float) -> Executor:
    worker = Worker("work", function, **options)  # type: ignore[arg-type]
    return executor_of(resolve_all([worker], {}).workers[0], run_inline)


def execution(retry_count: int = 0) -> Execution:
    task = Task(task_id="t", retry_count=retry_count, task_definition=PolledTaskDef(retry_count=1))
    return Execution(Draft.of(task, "w"), 1)


async def outcome_of(executor: Executor, execution: Execution, reason: CancelReason | None) -> Outcome:
    outcome: Outcome | None = None
    async with anyio.create_task_group() as group:

        async def cancel() -> None:
            await anyio.sleep(3)
            if reason is not None:
                execution.cancel(reason)

        group.start_soon(cancel)
        with anyio.CancelScope() as scope:
            outcome = await executor.execute(execution, scope)
    return outcome or executor.cut(execution)


@pytest.mark.parametrize("reason", [Draining(), Terminated("by hand"), TimedOut(), LeaseLost()], ids=str)
async def test_clean_up_reads_the_reason_of_its_cancellation(reason: CancelReason) -> None:
    seen: list[CancelReason | None] = []

    async def work() -> None:
        seen.append(get_task_context().cancel_reason)
        try:
            await anyio.sleep_forever()
        finally:
            seen.append(get_task_context().cancel_reason)

    outcome = await outcome_of(executor(work), execution(), reason)
    assert seen == [None, reason]
    assert outcome == (HandedBack("shutdown") if reason == Draining() else Dropped(reason))


async def test_clean_up_after_a_timeout_reads_that_it_was_exceeded() -> None:
    seen: list[CancelReason | None] = []

    async def work() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            seen.append(get_task_context().cancel_reason)

    outcome = await outcome_of(executor(work, timeout=5.0), execution(), None)
    assert seen == [TimeoutExceeded(5.0)]
    assert isinstance(outcome, Failed)
    assert outcome.reason == "took longer than timeout=5 seconds"


async def test_the_first_reason_counts() -> None:
    task = execution()
    task.cancel(TimedOut())
    task.cancel(Draining())
    await anyio.lowlevel.checkpoint()
    assert task.draft.cancel_reason == TimedOut()


async def test_a_function_cancelled_before_its_call_is_not_called() -> None:
    def work() -> None:
        raise AssertionError

    for reason, outcome in ((Draining(), HandedBack("shutdown")), (LeaseLost(), Dropped(LeaseLost()))):
        task = execution(retry_count=1)
        task.cancel(reason)
        with anyio.CancelScope() as scope:
            assert await executor(work).execute(task, scope) == outcome
