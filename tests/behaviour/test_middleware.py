"""Middleware stands around every execution: it may change what goes in, what comes out, and when."""

import asyncio
import contextvars
import logging
import threading
from typing import Any

import anyio
import anyio.lowlevel
import attrs
import msgspec
import pytest
from stage import both_kinds, stage

from anyworker import (
    ConfigurationError,
    NonRetryableException,
    Task,
    TaskInProgress,
    TaskResult,
    Worker,
    get_task_context,
    worker_task,
)
from anyworker.errors import ConversionError, ExecutionTimeout
from anyworker.middleware import CallNext, Completed, Failed, InProgress, Outcome, Returned, Terminal
from anyworker.testing import TaskRun, run_task, run_until_done
from anyworker.testing.clock import BackendName

on_each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])
flavour: contextvars.ContextVar[str] = contextvars.ContextVar("flavour", default="plain")


def greet(name: str) -> str:
    return f"Hello {name}, {flavour.get()}"


async def greet_later(name: str) -> str:
    await anyio.lowlevel.checkpoint()
    return greet(name)


each_kind = pytest.mark.parametrize("function", [greet, greet_later])


async def flavoured(call_next: CallNext, task: Task) -> Outcome:
    flavour.set("sweet")
    return await call_next(task)


async def shouting(call_next: CallNext, task: Task) -> Outcome:
    task.input_data["name"] = task.input_data["name"].upper()
    return await call_next(task)


async def signed(call_next: CallNext, task: Task) -> Outcome:
    match await call_next(task):
        case Completed(output):
            return Completed({**output, "by": "us"})
        case outcome:
            return outcome


async def failing(call_next: CallNext, task: Task) -> Outcome:
    raise KeyError(task.input_data["name"])


@on_each_backend
@each_kind
def test_the_function_sees_what_middleware_sets_in_context_variables(
    function: Any, backend: BackendName
) -> None:
    outcome = run_task(function, {"name": "Ada"}, middleware=[flavoured], backend=backend)
    assert outcome.output == {"result": "Hello Ada, sweet"}
    assert flavour.get() == "plain"


@on_each_backend
@each_kind
def test_middleware_changes_input_and_output(function: Any, backend: BackendName) -> None:
    outcome = run_task(function, {"name": "Ada"}, middleware=[shouting, signed], backend=backend)
    assert outcome.output == {"result": "Hello ADA, plain", "by": "us"}


def test_middleware_may_give_a_copy_of_the_task_with_another_input() -> None:
    seen = []

    async def renamed(call_next: CallNext, task: Task) -> Outcome:
        return await call_next(msgspec.structs.replace(task, input_data={"name": "Eve"}))

    def note(task: Task) -> None:
        seen.append((task.input_data, get_task_context().input))

    outcome = run_task(note, {"name": "Ada"}, middleware=[renamed])
    assert seen == [({"name": "Eve"}, {"name": "Eve"})]
    assert outcome.status == "COMPLETED"


def test_an_input_that_middleware_spoils_fails_as_if_it_had_come_so() -> None:
    async def spoiled(call_next: CallNext, task: Task) -> Outcome:
        task.input_data["name"] = ["no", "name"]
        outcome = await call_next(task)
        assert isinstance(outcome, Terminal)
        assert isinstance(outcome.cause, ConversionError)
        return outcome

    assert run_task(greet, {"name": "Ada"}, middleware=[spoiled]).status == "FAILED_WITH_TERMINAL_ERROR"


def test_the_first_middleware_is_the_outermost() -> None:
    steps: list[str] = []

    def step(name: str) -> Any:
        async def layer(call_next: CallNext, task: Task) -> Outcome:
            steps.append(f"into {name}")
            outcome = await call_next(task)
            steps.append(f"out of {name}")
            return outcome

        return layer

    run_task(greet, {"name": "Ada"}, middleware=[step("one"), step("two")])
    assert steps == ["into one", "into two", "out of two", "out of one"]


def test_what_middleware_raises_fails_the_task_with_its_traceback() -> None:
    outcome = run_task(greet, {"name": "Ada"}, middleware=[failing])
    assert (outcome.status, outcome.reason) == ("FAILED", "KeyError: 'Ada'")
    assert isinstance(outcome.exception, KeyError)
    assert "raise KeyError(task.input_data" in outcome.logs[0]


def test_a_non_retryable_exception_of_middleware_fails_the_task_for_good() -> None:
    async def final(call_next: CallNext, task: Task) -> Outcome:
        raise NonRetryableException("never")

    outcome = run_task(greet, {"name": "Ada"}, middleware=[final])
    assert (outcome.status, outcome.reason) == ("FAILED_WITH_TERMINAL_ERROR", "never")


def test_middleware_sees_what_others_and_functions_raise_as_an_outcome() -> None:
    causes: list[BaseException] = []

    async def forgiving(call_next: CallNext, task: Task) -> Outcome:
        outcome = await call_next(task)
        assert isinstance(outcome, Failed)
        causes.append(outcome.cause)
        return Completed({"forgiven": outcome.reason})

    async def refuse() -> None:
        raise OSError("disk full")

    outcome = run_task(refuse, middleware=[forgiving])
    assert outcome.output == {"forgiven": "OSError: disk full"}
    outcome = run_task(greet, {"name": "Ada"}, middleware=[forgiving, failing])
    assert outcome.output == {"forgiven": "KeyError: 'Ada'"}
    assert [type(cause) for cause in causes] == [OSError, KeyError]


def test_middleware_need_not_call_the_function() -> None:
    async def cached(call_next: CallNext, task: Task) -> Outcome:
        return Completed({"cached": task.input_data["name"]})

    def never(name: str) -> None:
        raise AssertionError

    assert run_task(never, {"name": "Ada"}, middleware=[cached]).output == {"cached": "Ada"}


@each_kind
def test_middleware_may_try_again(function: Any) -> None:
    attempts = []

    async def again(call_next: CallNext, task: Task) -> Outcome:
        while isinstance(outcome := await call_next(task), Failed | Terminal):
            attempts.append(outcome.reason)
            task.input_data = {"name": "Ada"}
        return outcome

    assert run_task(function, {"name": 7}, middleware=[again]).output == {"result": "Hello Ada, plain"}
    assert len(attempts) == 1


@pytest.mark.parametrize(
    ("value", "status", "output"),
    [
        ({"a": 1}, "COMPLETED", {"a": 1}),
        (TaskInProgress(5, {"a": 2}), "IN_PROGRESS", {"a": 2}),
        (TaskResult(status="FAILED", output_data={"a": 3}), "FAILED", {"a": 3}),
        (InProgress({"a": 4}, callback_after_seconds=5), "IN_PROGRESS", {"a": 4}),
        (Returned(TaskResult(output_data={"a": 5})), "COMPLETED", {"a": 5}),
    ],
)
def test_middleware_may_return_what_functions_return(value: Any, status: str, output: dict[str, int]) -> None:
    async def substitute(call_next: CallNext, task: Task) -> Any:
        return value

    outcome = run_task(greet, {"name": "Ada"}, middleware=[substitute])
    assert (outcome.status, outcome.output) == (status, output)


def test_a_result_that_the_function_made_can_be_changed() -> None:
    async def stamped(call_next: CallNext, task: Task) -> Outcome:
        outcome = await call_next(task)
        assert isinstance(outcome, Returned)
        outcome.result.output_data["stamp"] = 1
        return outcome

    def make() -> TaskResult:
        return TaskResult(status="COMPLETED", output_data={"a": 1})

    assert run_task(make, middleware=[stamped]).output == {"a": 1, "stamp": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "returned None: return what call_next(task) returned, or an outcome"),
        (Completed("text"), "returned Completed(output='text'): expected a dict as output"),  # type: ignore[arg-type]
    ],
)
def test_a_return_value_that_is_no_outcome_fails_the_task_and_is_named(value: Any, reason: str) -> None:
    async def forgetful(call_next: CallNext, task: Task) -> Any:
        await call_next(task)
        return value

    outcome = run_task(greet, {"name": "Ada"}, middleware=[forgetful])
    assert outcome.status == "FAILED"
    assert reason in (outcome.reason or "")
    assert "forgetful" in (outcome.reason or "")


def test_plain_middleware_must_return_an_awaitable() -> None:
    outcome = run_task(greet, {"name": "Ada"}, middleware=[lambda call_next, task: call_next(task)])
    assert outcome.status == "COMPLETED"
    outcome = run_task(greet, {"name": "Ada"}, middleware=[lambda call_next, task: {}])  # type: ignore[arg-type,return-value]
    assert outcome.status == "FAILED"
    assert "declare it with async def" in (outcome.reason or "")


def test_another_task_is_not_run_in_the_place_of_one() -> None:
    async def swapped(call_next: CallNext, task: Task) -> Outcome:
        return await call_next(msgspec.structs.replace(task, task_id="other"))

    outcome = run_task(greet, {"name": "Ada"}, middleware=[swapped])
    assert "call_next was given another task: other" in (outcome.reason or "")


def test_the_task_context_is_there_for_middleware() -> None:
    async def logged(call_next: CallNext, task: Task) -> Outcome:
        context = get_task_context()
        assert context.get_task_id() == task.task_id
        context.add_log("about to call")
        context.set_output({"from": "middleware", "result": None})
        return await call_next(task)

    outcome = run_task(greet, {"name": "Ada"}, middleware=[logged])
    assert outcome.logs == ["about to call"]
    assert outcome.output == {"from": "middleware", "result": "Hello Ada, plain"}


def test_what_middleware_logs_is_forwarded_as_what_functions_log() -> None:
    async def chatty(call_next: CallNext, task: Task) -> Outcome:
        logging.getLogger("app").warning("before")
        return await call_next(task)

    worker = Worker("greet", greet, forward_logs="INFO")
    outcome = run_task(worker, {"name": "Ada"}, middleware=[chatty])
    assert outcome.logs == ["WARNING: before"]


@on_each_backend
def test_middleware_takes_its_time_outside_of_the_timeout(backend: BackendName) -> None:
    async def late(call_next: CallNext, task: Task) -> Outcome:
        await anyio.sleep(100)
        return await call_next(task)

    @worker_task("quick", timeout=2.0)
    async def quick() -> float:
        await anyio.sleep(1)
        return anyio.current_time()

    assert run_task(quick, middleware=[late], backend=backend, virtual_time=True).status == "COMPLETED"


def test_middleware_sees_a_timeout_and_trying_again_is_over_at_once() -> None:
    calls = []

    async def stubborn(call_next: CallNext, task: Task) -> Outcome:
        first = await call_next(task)
        assert isinstance(first, Failed)
        assert isinstance(first.cause, ExecutionTimeout)
        return await call_next(task)

    @worker_task("endless", timeout=2.0)
    async def endless() -> None:
        calls.append(anyio.current_time())
        await anyio.sleep_forever()

    outcome = run_task(endless, middleware=[stubborn], virtual_time=True)
    assert outcome.reason == "took longer than timeout=2 seconds"
    assert len(calls) == 1


@pytest.mark.virtual_time
async def test_a_limit_of_middleware_cancels_the_function_alone() -> None:
    async def impatient(call_next: CallNext, task: Task) -> Outcome:
        with anyio.move_on_after(5):
            return await call_next(task)
        return InProgress({"late": True}, callback_after_seconds=1)

    async def endless() -> None:
        await anyio.sleep_forever()

    async with TaskRun(endless, middleware=[impatient]) as run:
        pass
    assert (run.outcome.status, run.outcome.output) == ("IN_PROGRESS", {"late": True})


@pytest.mark.virtual_time
@pytest.mark.parametrize("place", ["before", "after"])
async def test_middleware_is_cancelled_before_and_after_the_call(place: str) -> None:
    ended = []

    async def waiting(call_next: CallNext, task: Task) -> Outcome:
        try:
            if place == "before":
                await anyio.sleep(100)
            outcome = await call_next(msgspec.structs.replace(task, output_data={"spoiled": True}))
            await anyio.sleep(100)
            return outcome
        finally:
            ended.append(anyio.current_time())

    async with TaskRun(greet_later, {"name": "Ada"}, middleware=[waiting], output_data={"kept": 1}) as run:
        await anyio.sleep(1)
        run.drain()
    assert run.outcome.is_handed_back
    assert run.outcome.output == {"kept": 1}
    assert len(ended) == 1


def test_a_callback_runs_through_middleware_each_time() -> None:
    polls = []

    async def counted(call_next: CallNext, task: Task) -> Outcome:
        polls.append(task.poll_count)
        return await call_next(task)

    def step() -> object:
        return TaskInProgress(1) if get_task_context().get_poll_count() < 3 else "done"

    assert run_until_done(step, middleware=[counted])[-1].output == {"result": "done"}
    assert polls == [1, 2, 3]


async def test_what_middleware_sets_stays_with_its_task() -> None:
    async def once(call_next: CallNext, task: Task) -> Outcome:
        before = flavour.get()
        flavour.set(f"{before} and {task.input_data['name']}")
        return await call_next(task)

    for function in both_kinds(greet):
        with anyio.fail_after(10):
            async with stage(Worker("work", function), middleware=[once]) as performance:
                await performance.define("work")
                results = [await performance.play({"name": name}) for name in ("Ada", "Bob")]
        assert [result.output for result in results] == [
            {"result": "Hello Ada, plain and Ada"},
            {"result": "Hello Bob, plain and Bob"},
        ]


async def test_plain_functions_run_in_threads_and_middleware_does_not() -> None:
    threads = []

    async def noting(call_next: CallNext, task: Task) -> Outcome:
        threads.append(threading.get_ident())
        return await call_next(task)

    def work() -> None:
        threads.append(threading.get_ident())

    with anyio.fail_after(10):
        async with stage(Worker("work", work), middleware=[noting]) as performance:
            await performance.define("work")
            await performance.play()
    assert threads[0] == threading.get_ident() != threads[1]


@pytest.mark.parametrize("place", ["function", "middleware"])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_child_that_a_stray_cancellation_has_marked_runs_no_other_task(place: str) -> None:
    children: list[object] = []

    async def cancel_itself() -> None:
        child = asyncio.current_task()
        assert child is not None
        child.cancel()
        await anyio.lowlevel.checkpoint()

    async def forgiving(call_next: CallNext, task: Task) -> Outcome:
        outcome = await call_next(task)
        return Completed({"forgiven": True}) if isinstance(outcome, Failed) else outcome

    async def troubled(call_next: CallNext, task: Task) -> Outcome:
        if place == "middleware" and task.input_data["n"] == 1:
            children.append(asyncio.current_task())
            await cancel_itself()
        return await call_next(task)

    async def work(n: int) -> int:
        children.append(asyncio.current_task())
        if n == 1:
            await cancel_itself()
        return n

    with anyio.fail_after(10):
        async with stage(Worker("work", work), middleware=[forgiving, troubled]) as performance:
            await performance.define("work")
            assert (await performance.play({"n": 1})).output == {"forgiven": True}
            assert (await performance.play({"n": 2})).output == {"result": 2}
    assert children[0] is not children[1]


@attrs.frozen
class Tagged:
    """Middleware with settings."""

    tag: str

    async def __call__(self, call_next: CallNext, task: Task) -> Outcome:
        get_task_context().set_output({"tag": self.tag})
        return await call_next(task)


def test_an_object_may_be_middleware() -> None:
    assert run_task(greet, {"name": "Ada"}, middleware=[Tagged("x")]).output["tag"] == "x"


def not_async(call_next: CallNext) -> None:
    """Takes too little."""


@pytest.mark.parametrize(
    ("middleware", "problem"),
    [
        ([3], "middleware[0] (int) cannot be called"),
        ([flavoured, Tagged], "middleware[1] (Tagged) is a class, not an object of it"),
        ([not_async], "middleware[0] (not_async) does not take two arguments"),
        (flavoured, "middleware=flavoured: expected a list of functions"),
        (None, "middleware=NoneType: expected a list"),
    ],
)
async def test_middleware_that_cannot_work_stops_the_start(middleware: Any, problem: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        async with stage(Worker("greet", greet), middleware=middleware):
            pytest.fail("it started")
    assert problem in str(caught.value)
