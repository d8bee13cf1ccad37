"""Whatever a function does becomes an outcome of its own task, and of no other."""

import asyncio
import contextvars
import threading
from dataclasses import dataclass
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from stage import stage

from anyworker import (
    NonRetryableException,
    Task,
    TaskInProgress,
    TaskResult,
    Worker,
    get_task_context,
)
from anyworker.conductor.models import Workflow
from anyworker.errors import NoTaskContextError


async def play(function: Any, input: dict[str, Any] | None = None, **options: Any) -> Workflow:
    """Run one task through a function and return its workflow; the definition allows no retry."""
    with anyio.fail_after(10):
        async with stage(Worker("work", function, **options)) as performance:
            await performance.define("work", retry_count=0)
            return await performance.play(input)


def leaf(error: BaseException) -> Any:
    def plain() -> None:
        raise error

    async def coroutine() -> None:
        await anyio.lowlevel.checkpoint()
        raise error

    return [plain, coroutine]


BOTH = pytest.mark.parametrize("which", [0, 1], ids=["def", "async def"])


@BOTH
@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (ValueError("bad"), "FAILED", "ValueError: bad"),
        (KeyError("name"), "FAILED", "KeyError: 'name'"),
        (RuntimeError(), "FAILED", "RuntimeError"),
        (SystemExit(3), "FAILED", "SystemExit: 3"),
        (KeyboardInterrupt(), "FAILED", "KeyboardInterrupt"),
        (NonRetryableException("card refused"), "FAILED_WITH_TERMINAL_ERROR", "card refused"),
        (
            ExceptionGroup("two", [OSError("first"), ValueError("second")]),
            "FAILED",
            "OSError: first (and 1 more)",
        ),
        (
            BaseExceptionGroup("final", [OSError("a"), ExceptionGroup("b", [NonRetryableException("no")])]),
            "FAILED_WITH_TERMINAL_ERROR",
            "no (and 1 more)",
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_what_is_raised_fails_its_own_task_and_no_other(
    which: int, error: BaseException, status: str, reason: str
) -> None:
    calm = Worker("calm", lambda: "fine")
    with anyio.fail_after(10):
        async with stage(Worker("work", leaf(error)[which]), calm) as performance:
            await performance.define("work", retry_count=0)
            await performance.define("calm", name="calm flow")
            failed = await performance.play()
            after = await performance.play(name="calm flow")
    assert failed.tasks[0].status == status
    assert failed.tasks[0].reason_for_incompletion == reason
    assert after.status == "COMPLETED"


@dataclass
class Picky:
    name: str

    def __post_init__(self) -> None:
        raise RAISED[self.name]


class Dumped:
    def __init__(self, name: str) -> None:
        self.name = name

    def model_dump(self, *, mode: str) -> dict[str, Any]:
        raise RAISED[self.name]


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError


RAISED: dict[str, BaseException] = {
    "exit": SystemExit(3),
    "interrupt": KeyboardInterrupt(),
    "cancelled": asyncio.CancelledError(),
    "closed": GeneratorExit(),
    "mute": Mute(),
}


def take(a: Picky) -> None: ...


def give(name: str) -> dict[str, Any]:
    return {"a": Dumped(name)}


@pytest.mark.parametrize("name", RAISED)
async def test_what_a_constructor_or_a_dump_raises_fails_its_own_task_and_no_other(name: str) -> None:
    with anyio.fail_after(10):
        async with stage(Worker("work", take), Worker("write", give)) as performance:
            await performance.define("work", retry_count=0)
            await performance.define("write", name="write flow", retry_count=0)
            for _ in range(2):
                taken = await performance.play({"a": {"name": name}})
                given = await performance.play({"name": name}, name="write flow")
                assert taken.tasks[0].status in {"FAILED", "FAILED_WITH_TERMINAL_ERROR"}
                assert given.tasks[0].status == "FAILED"
                expected = "cannot be shown" if name == "mute" else type(RAISED[name]).__name__
                for workflow in (taken, given):
                    assert expected in (workflow.tasks[0].reason_for_incompletion or "")


async def test_stop_iteration_from_a_thread_is_a_failure_like_any_other() -> None:
    workflow = await play(lambda: next(iter([])))
    assert workflow.tasks[0].reason_for_incompletion == "StopIteration"


async def test_exception_whose_text_cannot_be_shown_still_gives_a_reason() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    workflow = await play(leaf(Mute())[1])
    assert workflow.tasks[0].status == "FAILED"
    assert "Mute" in (workflow.tasks[0].reason_for_incompletion or "")


@pytest.mark.parametrize("anyio_backend", ["asyncio", "uvloop"], indirect=True)
async def test_stray_cancelled_error_fails_its_own_task_and_the_worker_goes_on() -> None:
    async def work(n: int) -> str:
        if n == 1:
            raise asyncio.CancelledError
        if n == 2:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            await anyio.sleep(1)
        return "fine"

    with anyio.fail_after(10):
        async with stage(Worker("work", work, thread_count=3)) as performance:
            await performance.define("work", retry_count=0)
            raised = await performance.play({"n": 1})
            cancelled = await performance.play({"n": 2})
            fine = await performance.play({"n": 3})
    for workflow in (raised, cancelled):
        assert workflow.tasks[0].status == "FAILED"
        assert "no cancel scope asked for" in (workflow.tasks[0].reason_for_incompletion or "")
    assert fine.status == "COMPLETED"


@pytest.mark.parametrize("anyio_backend", ["asyncio", "uvloop"], indirect=True)
async def test_slot_of_a_stray_cancellation_serves_the_next_task_and_a_drain() -> None:
    tasks: list[object] = []

    async def work(n: int) -> str:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        if n == 1:
            task.cancel()
        if n < 3:
            await anyio.lowlevel.checkpoint()
            return "fine"
        return await anyio.sleep_forever()

    with anyio.fail_after(10):
        async with stage(Worker("work", work), grace=0.1) as performance:
            await performance.define("work", retry_count=0)
            assert (await performance.play({"n": 1})).status == "FAILED"
            assert (await performance.play({"n": 2})).status == "COMPLETED"
            workflow_id = await performance.start({"n": 3})
            while len(tasks) < 3:  # noqa: ASYNC110 - the function runs in a task of its own
                await anyio.sleep(0.01)
            await performance.fleet.drain()
            task = (await performance.client.get_workflow(workflow_id)).tasks[0]
    assert task.status == "FAILED"
    assert "shut down" in (task.reason_for_incompletion or "")
    assert tasks[0] is not tasks[1]
    assert tasks[1] is tasks[2]


async def test_function_that_cancels_a_scope_of_its_own_is_not_disturbed() -> None:
    async def work() -> str:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anyio.sleep(1)
        with anyio.move_on_after(0.01):
            await anyio.sleep(1)
        return "on time"

    assert (await play(work)).output == {"result": "on time"}


async def test_awaitable_returned_by_a_plain_function_is_awaited() -> None:
    async def later(name: str) -> str:
        await anyio.lowlevel.checkpoint()
        return f"{name} in {threading.current_thread() is threading.main_thread()}"

    def work(name: str) -> Any:
        return later(name)

    assert (await play(work, {"name": "Ada"})).output == {"result": "Ada in True"}


async def test_plain_function_runs_in_a_thread_with_the_context_of_its_task() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="inherited")

    def work() -> dict[str, Any]:
        return {
            "id": get_task_context().get_task_id(),
            "main": threading.current_thread() is threading.main_thread(),
            "variable": variable.get(),
        }

    variable.set("carried")
    workflow = await play(work)
    assert workflow.output == {"id": workflow.tasks[0].task_id, "main": False, "variable": "carried"}


async def test_context_tells_about_the_task_and_adds_to_its_result() -> None:
    async def work(name: str) -> dict[str, Any]:
        context = get_task_context()
        context.add_log("begun")
        context.set_output({"kept": 1, "name": "overwritten"})
        in_thread = await anyio.to_thread.run_sync(lambda: get_task_context().get_task_id())
        return {
            "name": name,
            "same": in_thread == context.get_task_id(),
            "workflow": context.get_workflow_instance_id(),
            "polls": context.get_poll_count(),
            "retries": context.get_retry_count(),
            "type": context.get_task_def_name(),
            "input": context.get_input(),
            "task": context.task.task_type,
        }

    with anyio.fail_after(10):
        async with stage(Worker("work", work)) as performance:
            await performance.define("work")
            workflow = await performance.play({"name": "Ada"})
            logs = await performance.client.get_logs(workflow.tasks[0].task_id)
    output = workflow.output
    assert output.pop("input")["name"] == "Ada"
    assert output == {
        "kept": 1,
        "name": "Ada",
        "same": True,
        "workflow": workflow.workflow_id,
        "polls": 1,
        "retries": 0,
        "type": "work",
        "task": "work",
    }
    assert [line.log for line in logs] == ["begun"]


async def test_context_of_one_task_is_never_seen_by_another() -> None:
    async def work(n: int) -> dict[str, Any]:
        before = get_task_context().get_task_id()
        await anyio.sleep(0.001 * (n % 5))
        return {"n": n, "same": before == get_task_context().get_task_id(), "id": before}

    with anyio.fail_after(20):
        async with stage(Worker("work", work, thread_count=20)) as performance:
            await performance.define("work")
            ids = [await performance.start({"n": n}) for n in range(40)]
            flows = [await performance.result(workflow_id) for workflow_id in ids]
    assert [flow.output["n"] for flow in flows] == list(range(40))
    assert all(flow.output["same"] for flow in flows)
    assert all(flow.output["id"] == flow.tasks[0].task_id for flow in flows)


def test_context_outside_a_task_says_where_it_works() -> None:
    with pytest.raises(NoTaskContextError, match="only while a worker's function runs"):
        get_task_context()


@pytest.mark.virtual_time
async def test_task_in_progress_is_called_again_with_its_output_and_a_higher_poll_count() -> None:
    calls: list[tuple[int, dict[str, Any], float]] = []

    async def work() -> TaskInProgress | dict[str, int]:
        context = get_task_context()
        calls.append((context.get_poll_count(), dict(context.task.output_data), anyio.current_time()))
        if len(calls) < 3:
            return TaskInProgress(callback_after_seconds=30, output={"progress": len(calls)})
        return {"done": 1}

    with anyio.fail_after(300):
        async with stage(Worker("work", work), inline=True) as performance:
            await performance.define("work")
            workflow = await performance.play()
    assert [(count, output) for count, output, _ in calls] == [
        (1, {}),
        (2, {"progress": 1}),
        (3, {"progress": 2}),
    ]
    assert calls[1][2] - calls[0][2] >= 29.99  # the server counts in milliseconds
    assert workflow.output == {"done": 1}


@pytest.mark.virtual_time
async def test_callback_set_in_the_context_makes_a_plain_value_progress() -> None:
    async def work() -> dict[str, Any]:
        context = get_task_context()
        if context.get_poll_count() == 1:
            context.set_callback_after(20)
            return {"state": "pending"}
        return {"before": context.task.output_data, "state": "ready"}

    with anyio.fail_after(300):
        async with stage(Worker("work", work), inline=True) as performance:
            await performance.define("work")
            workflow = await performance.play()
    assert workflow.output == {"before": {"state": "pending"}, "state": "ready"}


@pytest.mark.parametrize("seconds", [-1, 1e30, float("nan")])
def test_callback_that_the_server_would_never_deliver_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="callback_after_seconds"):
        TaskInProgress(callback_after_seconds=seconds)


async def test_returned_task_result_is_completed_with_its_ids() -> None:
    async def work() -> TaskResult:
        return TaskResult(status="COMPLETED", output_data={"made": "by hand"})

    assert (await play(work)).output == {"made": "by hand"}


async def test_returned_failed_task_result_fails_the_task() -> None:
    def work() -> TaskResult:
        return TaskResult(status="FAILED_WITH_TERMINAL_ERROR", reason_for_incompletion="as I say")

    task = (await play(work)).tasks[0]
    assert (task.status, task.reason_for_incompletion) == ("FAILED_WITH_TERMINAL_ERROR", "as I say")


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "DONE"},
        {"status": "COMPLETED", "output_data": ["a list"]},
        {"status": "COMPLETED", "callback_after_seconds": "soon"},
        {"status": "IN_PROGRESS", "callback_after_seconds": -5},
        {"status": "COMPLETED", "logs": [3]},
        {"status": "COMPLETED", "reason_for_incompletion": object()},
    ],
    ids=str,
)
async def test_task_result_that_cannot_be_sent_fails_its_own_task(fields: dict[str, Any]) -> None:
    workflow = await play(lambda: TaskResult(**fields))
    assert workflow.tasks[0].status == "FAILED"
    assert workflow.tasks[0].reason_for_incompletion


async def test_log_lines_of_a_returned_task_result_may_be_plain_text() -> None:
    with anyio.fail_after(10):
        async with stage(Worker("work", lambda: TaskResult(logs=["as text"]))) as performance:  # type: ignore[list-item]
            await performance.define("work")
            workflow = await performance.play()
            logs = await performance.client.get_logs(workflow.tasks[0].task_id)
    assert workflow.status == "COMPLETED"
    assert [line.log for line in logs] == ["as text"]


async def test_task_result_of_another_task_is_refused() -> None:
    task = (await play(lambda: TaskResult(task_id="other", status="COMPLETED"))).tasks[0]
    assert task.status == "FAILED_WITH_TERMINAL_ERROR"
    assert "another task: other" in (task.reason_for_incompletion or "")


async def test_class_based_worker_gets_the_whole_task() -> None:
    class Plain:
        def execute(self, task: Task) -> dict[str, Any]:
            return {"got": task.input_data["name"], "type": task.task_type}

    class Asynchronous:
        async def execute(self, task: Task) -> TaskResult:
            return TaskResult(task_id=task.task_id, status="COMPLETED", output_data={"got": task.seq})

    assert (await play(Plain(), {"name": "Ada"})).output == {"got": "Ada", "type": "work"}
    assert (await play(Asynchronous())).output == {"got": 1}


async def test_missing_input_fails_for_good_with_the_path_of_every_problem() -> None:
    def work(first: int, second: str, third: str = "default") -> None:
        raise AssertionError

    task = (await play(work, {"name": "Ada"})).tasks[0]
    assert task.status == "FAILED_WITH_TERMINAL_ERROR"
    assert "$.first" in (task.reason_for_incompletion or "")
    assert "$.second" in (task.reason_for_incompletion or "")


@BOTH
@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"items": [1, {"price": float("nan")}]}, "$.items[1].price"),
        ({"a": object()}, "$.a"),
        ({"a": {"b": "x\0y"}}, "$.a.b"),
        ({"a": {(1, 2): 3}}, "$.a"),
    ],
)
async def test_output_that_json_cannot_hold_fails_with_its_path(which: int, value: Any, path: str) -> None:
    async def coroutine() -> Any:
        return value

    task = (await play([lambda: value, coroutine][which])).tasks[0]
    assert task.status == "FAILED"
    assert path in (task.reason_for_incompletion or "")


async def test_long_reason_is_cut_and_its_whole_text_goes_to_the_log() -> None:
    text = "x" * 900

    def work() -> None:
        raise ValueError(text)

    with anyio.fail_after(10):
        async with stage(Worker("work", work)) as performance:
            await performance.define("work", retry_count=0)
            workflow = await performance.play()
            logs = await performance.client.get_logs(workflow.tasks[0].task_id)
    assert len(workflow.tasks[0].reason_for_incompletion or "") <= 500
    assert any(text in line.log for line in logs)


async def test_log_lines_beyond_ten_reach_the_server() -> None:
    """The server stamps those beyond ten by its own clock, so their order to the others is its own."""

    def work() -> None:
        for number in range(25):
            get_task_context().add_log(f"line {number}")
        message = "in the end"
        raise OSError(message)

    with anyio.fail_after(10):
        async with stage(Worker("work", work)) as performance:
            await performance.define("work", retry_count=0)
            workflow = await performance.play()
            logs = await performance.client.get_logs(workflow.tasks[0].task_id)
    texts = {line.log for line in logs}
    assert {f"line {number}" for number in range(25)} < texts
    [last] = texts - {f"line {number}" for number in range(25)}
    assert "OSError: in the end" in last
    assert len(logs) == 26


async def test_input_that_the_server_stored_outside_is_a_failure_that_says_so() -> None:
    with anyio.fail_after(30):
        async with stage(
            Worker("work", lambda **given: given), Worker("big", lambda: "x" * 3_500_000)
        ) as show:
            await show.define("big", "work", retry_count=0)
            definition = await show.client.get_workflow_def("flow")
            definition.tasks[1].input_parameters = {"text": "${big_1.output.result}"}
            await show.client.register_workflow_def(definition, overwrite=True)
            task = (await show.play()).tasks[1]
    assert task.status == "FAILED_WITH_TERMINAL_ERROR"
    assert "the server stored the input outside" in (task.reason_for_incompletion or "")


@pytest.mark.virtual_time
async def test_coroutine_that_takes_longer_than_its_timeout_fails() -> None:
    async def work() -> None:
        await anyio.sleep(3600)

    with anyio.fail_after(100):
        async with stage(Worker("work", work, timeout=30), inline=True) as performance:
            await performance.define("work", retry_count=0)
            began = anyio.current_time()
            task = (await performance.play()).tasks[0]
            assert 30 <= anyio.current_time() - began < 32
    assert (task.status, task.reason_for_incompletion) == (
        "FAILED",
        "took longer than timeout=30 seconds",
    )
