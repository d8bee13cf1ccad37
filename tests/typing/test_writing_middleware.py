"""Middleware as users write it, with and without types of ours."""

from anyworker import Task, TaskResult
from anyworker.middleware import CallNext, Completed, Middleware, Outcome
from anyworker.testing import run_task


async def passing(call_next: CallNext, task: Task) -> Outcome:
    return await call_next(task)


async def replacing(call_next: CallNext, task: Task) -> TaskResult | Completed:
    outcome = await call_next(task)
    return outcome if isinstance(outcome, Completed) else TaskResult(status="FAILED")


class Counting:
    async def __call__(self, call_next: CallNext, task: Task) -> Outcome:
        return await call_next(task)


async def forgetful(call_next: CallNext, task: Task) -> None:
    await call_next(task)


def fail() -> None:
    raise ValueError


def test_each_way_of_writing_it_runs() -> None:
    both: list[Middleware] = [passing, Counting()]
    assert run_task(fail, middleware=both).status == "FAILED"
    assert run_task(fail, middleware=[passing, replacing]).status == "FAILED"
    assert run_task(fail, middleware=[forgetful]).status == "FAILED"  # type: ignore[list-item]  # it returns nothing
