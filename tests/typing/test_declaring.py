"""What a type checker makes of declarations; mypy reads this file, pytest runs it as well."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator
from typing import Any, assert_type, overload

import pytest

from anyworker.conductor.models import Task, TaskDef, TaskResult
from anyworker.options import WorkerOptions, resolve
from anyworker.registry import clear_registry
from anyworker.worker import Worker, worker_task


@pytest.fixture(autouse=True)
def _empty_registry() -> Iterator[None]:
    clear_registry()
    yield
    clear_registry()


def test_function_keeps_its_type() -> None:
    @worker_task(task_definition_name="greet", thread_count=5)
    def greet(name: str, *, times: int = 1) -> list[str]:
        return [name] * times

    assert_type(greet("Ada", times=2), list[str])
    as_parameter: Callable[[str], list[str]] = greet
    assert as_parameter("Ada") == ["Ada"]

    def _refused() -> None:
        greet(1)  # type: ignore[arg-type] # the parameters' types are kept
        greet("Ada", 2)  # type: ignore[call-arg] # and which of them are keyword-only


async def test_coroutine_function_keeps_its_type() -> None:
    @worker_task("fetch")
    async def fetch(url: str) -> int:
        return len(url)

    as_parameter: Callable[[str], Awaitable[int]] = fetch
    assert as_parameter is fetch
    returned: Callable[[str], Coroutine[Any, Any, int]] = fetch
    assert_type(await returned("x"), int)
    assert_type(await fetch(url="x"), int)


def test_overloaded_function_keeps_its_overloads() -> None:
    @overload
    def double(value: int) -> int: ...
    @overload
    def double(value: str) -> str: ...
    @worker_task("double")
    def double(value: int | str) -> int | str:
        return value * 2

    assert_type(double(1), int)
    assert_type(double("a"), str)


def test_class_keeps_its_type() -> None:
    @worker_task("charge")
    class Charge:
        def execute(self, task: Task) -> TaskResult:
            return TaskResult(task_id=task.task_id)

    assert_type(Charge(), Charge)
    assert_type(Charge().execute(Task(task_id="t")), TaskResult)


def _options_are_checked() -> None:
    worker_task("a", domain=None, timeout=1, task_def=TaskDef(name="a"))
    worker_task("a", thread_count="5")  # type: ignore[arg-type] # a text is no integer
    worker_task("a", paused=True)  # type: ignore[call-arg] # only the environment pauses
    worker_task(_options_are_checked)  # type: ignore[arg-type] # parentheses forgotten
    Worker("a", len, thread_cuont=5)  # type: ignore[call-arg] # no such option


def test_values_are_typed() -> None:
    worker = Worker("a", str.upper)
    assert_type(worker.thread_count, int)
    assert_type(worker.domain, str | None)
    options = resolve(worker, {})
    assert_type(options, WorkerOptions)
    assert_type(options.poll_interval, float)
