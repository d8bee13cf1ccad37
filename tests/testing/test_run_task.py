"""run_task: one function, one task, no server, the way of production."""

import logging
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyworker import (
    NonRetryableException,
    Task,
    TaskExecutionCompleted,
    TaskExecutionFailure,
    TaskExecutionStarted,
    TaskInProgress,
    TaskResult,
    Worker,
    get_task_context,
    worker_task,
)
from anyworker.conductor.models import PolledTaskDef
from anyworker.errors import ConversionError, DeclarationError, ExecutionTimeout, SerializationError
from anyworker.testing import run_task, run_task_async, run_until_done, run_until_done_async
from anyworker.testing.clock import BackendName

on_each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def greet(name: str) -> str:
    return f"Hello {name}"


async def greet_later(name: str) -> str:
    await anyio.lowlevel.checkpoint()
    return f"Hello {name}"


class Charge:
    task_definition_name = "charge"

    def execute(self, task: Task) -> dict[str, Any]:
        return {"charged": task.input_data["amount"], "type": task.task_type}


@on_each_backend
@pytest.mark.parametrize(
    "source", [greet, greet_later, Worker("greet", greet), Worker("greet", greet_later)], ids=str
)
def test_a_function_runs_for_its_input(source: object, backend: BackendName) -> None:
    outcome = run_task(source, {"name": "Ada"}, backend=backend)
    assert outcome.status == "COMPLETED"
    assert outcome.output == {"result": "Hello Ada"}
    assert (outcome.reason, outcome.exception, outcome.logs) == (None, None, [])


def test_an_object_with_execute_gets_the_whole_task() -> None:
    assert run_task(Charge(), {"amount": 5}).output == {"charged": 5, "type": "charge"}


def test_a_decorated_function_runs_with_its_options() -> None:
    @worker_task("slow", timeout=2.0)
    async def slow() -> None:
        await anyio.sleep(10)

    outcome = run_task(slow, virtual_time=True)
    assert outcome.status == "FAILED"
    assert outcome.reason == "took longer than timeout=2 seconds"
    assert isinstance(outcome.exception, ExecutionTimeout)
    assert outcome.task.task_type == "slow"


def test_a_decorated_class_stands_for_its_instance() -> None:
    @worker_task("refund")
    class Refund:
        def execute(self, task: Task) -> str:
            return task.task_type

    assert run_task(Refund).output == {"result": "refund"}


def test_a_function_of_several_workers_does_not_tell_which_is_meant() -> None:
    worker_task("one")(greet)
    worker_task("two")(greet)
    with pytest.raises(DeclarationError, match="greet declares 2 workers, 'one', 'two': give the Worker"):
        run_task(greet, {"name": "Ada"})


def test_a_plain_function_runs_in_a_thread_unless_told_otherwise() -> None:
    def where() -> bool:
        return threading.current_thread() is threading.main_thread()

    assert run_task(where).output == {"result": False}
    assert run_task(where, in_thread=False).output == {"result": True}
    assert run_task(where, virtual_time=True).output == {"result": True}


@on_each_backend
def test_waits_cost_nothing_under_virtual_time(backend: BackendName) -> None:
    async def patient() -> float:
        await anyio.sleep(24 * 3600)
        return anyio.current_time()

    assert run_task(patient, virtual_time=True, backend=backend).output == {"result": 24 * 3600.0}


def test_what_is_raised_is_told_with_its_reason_and_its_traceback() -> None:
    def work() -> None:
        get_task_context().add_log("begun")
        raise LookupError("no such card")

    outcome = run_task(work)
    assert (outcome.status, outcome.reason) == ("FAILED", "LookupError: no such card")
    assert isinstance(outcome.exception, LookupError)
    assert outcome.logs[0] == "begun"
    assert outcome.logs[1].endswith("LookupError: no such card\n")
    assert "anyworker" not in outcome.logs[1]


def test_a_final_failure_has_another_status() -> None:
    def work() -> None:
        raise NonRetryableException("card refused")

    outcome = run_task(work)
    assert (outcome.status, outcome.reason) == ("FAILED_WITH_TERMINAL_ERROR", "card refused")


def test_a_bad_input_names_every_problem() -> None:
    def work(count: int, name: str) -> None:
        raise AssertionError

    outcome = run_task(work, {"count": "many"})
    assert outcome.status == "FAILED_WITH_TERMINAL_ERROR"
    assert isinstance(outcome.exception, ConversionError)
    assert "$.count" in (outcome.reason or "")
    assert "$.name" in (outcome.reason or "")


def test_an_output_that_json_cannot_hold_fails_as_it_would_on_its_way_out() -> None:
    outcome = run_task(lambda: {"items": [1, float("nan")]})
    assert outcome.status == "FAILED"
    assert isinstance(outcome.exception, SerializationError)
    assert "$.items[1]" in (outcome.reason or "")


def test_input_and_output_have_been_json() -> None:
    seen: list[object] = []

    def work(pair: Any) -> dict[str, Any]:
        seen.append(pair)
        return {"pair": (1, 2)}

    outcome = run_task(work, {"pair": (1, 2)})
    assert outcome.output == {"pair": [1, 2]}
    assert seen == [outcome.task.input_data["pair"]] == [[1, 2]]


def test_an_input_that_json_cannot_hold_is_refused() -> None:
    with pytest.raises(SerializationError):
        run_task(greet, {"name": object()})


def test_the_function_sees_the_counts_and_ids_that_are_given() -> None:
    def work() -> dict[str, Any]:
        context = get_task_context()
        return {
            "poll": context.get_poll_count(),
            "retry": context.get_retry_count(),
            "task": context.get_task_id(),
            "workflow": context.get_workflow_instance_id(),
            "correlation": context.task.correlation_id,
            "lease": context.task.response_timeout_seconds,
            "before": context.task.output_data,
        }

    outcome = run_task(
        work,
        poll_count=3,
        retry_count=2,
        task_id="t-1",
        workflow_instance_id="w-1",
        correlation_id="c-1",
        response_timeout_seconds=5,
        output_data={"progress": 40},
    )
    assert outcome.output == {
        "poll": 3,
        "retry": 2,
        "task": "t-1",
        "workflow": "w-1",
        "correlation": "c-1",
        "lease": 5,
        "before": {"progress": 40},
    }


def test_a_whole_task_counts_as_it_is() -> None:
    task = Task(task_id="t-1", input_data={"name": "Ada"}, poll_count=4, output_data={"kept": 1})

    def work(task: Task, name: str) -> list[object]:
        return [task.task_id, task.poll_count, task.output_data, name]

    outcome = run_task(work, task)
    assert outcome.output == {"result": ["t-1", 4, {"kept": 1}, "Ada"]}
    assert task.output_data == {"kept": 1}


@pytest.mark.parametrize("fields", [{"poll_count": 2}, {"retry_count": 1}, {"task_id": "t"}], ids=str)
def test_fields_beside_a_whole_task_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(TypeError, match="input is a whole Task"):
        run_task(greet, Task(task_id="t-1"), **fields)


@pytest.mark.parametrize("counts", [{"poll_count": 0}, {"retry_count": -1}], ids=str)
def test_counts_that_no_server_sends_are_refused(counts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="polls count from 1, retries from 0"):
        run_task(greet, {"name": "Ada"}, **counts)


def test_an_input_that_is_no_object_is_refused() -> None:
    with pytest.raises(TypeError, match="input is a str: expected a dict or a Task"):
        run_task(greet, "Ada")  # type: ignore[arg-type]


def test_what_cannot_be_a_worker_is_refused() -> None:
    with pytest.raises(DeclarationError, match="expected a callable"):
        run_task(5)


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="backend='curio': expected one of asyncio, trio"):
        run_task(greet, {"name": "Ada"}, backend="curio")  # type: ignore[arg-type]


def test_events_are_those_of_production() -> None:
    outcome = run_task(greet, {"name": "Ada"})
    assert [type(event) for event in outcome.events] == [TaskExecutionStarted, TaskExecutionCompleted]
    outcome = run_task(greet)
    assert [type(event) for event in outcome.events] == [TaskExecutionStarted, TaskExecutionFailure]


def test_listeners_hear_the_events_too() -> None:
    class Listener:
        def __init__(self) -> None:
            self.heard: list[object] = []

        def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
            self.heard.append(event)

    listener = Listener()
    outcome = run_task(greet, {"name": "Ada"}, event_listeners=[listener])
    assert listener.heard == outcome.events[1:]


def test_the_result_that_would_go_out_is_there() -> None:
    result = run_task(greet, {"name": "Ada"}, task_id="t-1", workflow_instance_id="w-1").result
    assert isinstance(result, TaskResult)
    assert (result.task_id, result.workflow_instance_id) == ("t-1", "w-1")
    assert result.output_data == {"result": "Hello Ada"}


def test_log_lines_beyond_those_of_one_update_are_there() -> None:
    def work() -> None:
        for number in range(13):
            get_task_context().add_log(number)

    assert run_task(work).logs == [str(number) for number in range(13)]


def test_what_is_logged_is_there_where_the_worker_forwards_it() -> None:
    def work() -> None:
        logging.getLogger("shop").warning("low on paper")

    worker = Worker("work", work, forward_logs="WARNING")
    assert [line.partition("low")[2] for line in run_task(worker).logs] == [" on paper"]


def test_progress_tells_when_the_function_wants_to_be_called_again() -> None:
    outcome = run_task(lambda: TaskInProgress(30, output={"progress": 40}))
    assert (outcome.status, outcome.output) == ("IN_PROGRESS", {"progress": 40})
    assert outcome.callback_after_seconds == 30
    assert outcome.next_task().poll_count == 2


def test_a_task_that_has_ended_has_no_next_poll() -> None:
    with pytest.raises(ValueError, match="its status is COMPLETED"):
        run_task(greet, {"name": "Ada"}).next_task()


def countdown() -> TaskInProgress | dict[str, Any]:
    context = get_task_context()
    left = context.task.output_data.get("left", 3)
    return TaskInProgress(60, output={"left": left - 1}) if left else {"polls": context.get_poll_count()}


def test_a_whole_polling_life_can_be_run() -> None:
    outcomes = run_until_done(countdown)
    assert [outcome.status for outcome in outcomes] == ["IN_PROGRESS"] * 3 + ["COMPLETED"]
    assert outcomes[-1].output == {"polls": 4}


@pytest.mark.virtual_time
async def test_time_passes_between_polls_where_it_is_virtual() -> None:
    started = anyio.current_time()
    await run_until_done_async(countdown)
    assert anyio.current_time() - started == 180


def test_a_task_that_never_ends_is_given_up() -> None:
    with pytest.raises(RuntimeError, match="still in progress after 5 polls"):
        run_until_done(lambda: TaskInProgress(0), max_polls=5)


async def test_in_an_async_test_the_loop_that_runs_is_used() -> None:
    assert (await run_task_async(greet_later, {"name": "Ada"})).output == {"result": "Hello Ada"}


async def test_a_loop_cannot_be_started_in_a_loop() -> None:
    with pytest.raises(RuntimeError, match=r"await run_task_async\(\.\.\.\) instead"):
        run_task(greet, {"name": "Ada"})


def test_the_environment_does_not_disturb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_WORKER_ALL_TIMEOUT", "nonsense")
    assert run_task(greet, {"name": "Ada"}).status == "COMPLETED"


def test_the_attempts_that_are_left_come_from_the_definition() -> None:
    def work(task: Task) -> int:
        assert task.task_definition is not None
        return task.task_definition.retry_count

    assert run_task(work).output == {"result": 3}
    assert run_task(work, task_definition=PolledTaskDef(retry_count=7)).output == {"result": 7}
