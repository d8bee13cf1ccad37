"""The end of grace: which tasks are given back, and which fail."""

import json
import threading
from collections import UserDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from stage import Hook, Stage, is_update, stage

from anyworker import Task, Worker, check_cancelled, get_task_context
from anyworker.client import TaskDef, WorkflowDef, WorkflowTask
from anyworker.devserver import DevServer
from anyworker.middleware import CallNext


async def define(play: Stage, *, defined: int = 3, in_step: int | None = None) -> None:
    """Register a workflow of one task, with the attempts of its definition and of the workflow's step."""
    await play.client.register_task_defs([TaskDef(name="work", retry_count=defined, retry_delay_seconds=0)])
    step = WorkflowTask(
        name="work",
        task_reference_name="it",
        retry_count=in_step,
        input_parameters={"text": "${workflow.input.text}"},
    )
    await play.client.register_workflow_def(WorkflowDef(name="flow", tasks=[step]), overwrite=True)


async def stopped(play: Stage, input: dict[str, Any] | None = None, after: float = 3) -> list[Task]:
    """Stop while a task is in hand; return the workflow's tasks."""
    workflow_id = await play.start(input)
    await anyio.sleep(after)
    assert play.fleet.status().workers[0].in_hand == 1
    await play.fleet.stop()
    assert play.fleet.status().is_everything_handed_over
    return (await play.client.get_workflow(workflow_id)).tasks


@pytest.mark.parametrize(
    ("restartable", "defined", "in_step", "status"),
    [
        (None, 1, None, "SCHEDULED"),
        (None, 0, None, "FAILED"),
        (None, 3, 0, "FAILED"),
        (None, 0, 3, "SCHEDULED"),
        (True, 0, None, "SCHEDULED"),
        (True, 3, 0, "SCHEDULED"),
        (False, 3, None, "FAILED"),
        (False, 0, 3, "FAILED"),
    ],
)
@pytest.mark.virtual_time
async def test_task_whose_function_has_begun_is_given_back_if_it_may_run_again(
    restartable: bool | None, defined: int, in_step: int | None, status: str
) -> None:
    async def work() -> None:
        get_task_context().set_output({"step": 1})
        get_task_context().add_log("was here")
        await anyio.sleep_forever()

    async with stage(Worker("work", work, restartable=restartable), inline=True) as play:
        await define(play, defined=defined, in_step=in_step)
        first, *_ = await stopped(play)
    [update] = [json.loads(seen.body) for seen in play.tap.updates()]
    assert first.status == status
    assert first.output_data["step"] == 1
    assert update["logs"][0]["log"] == "was here"
    if status == "FAILED":
        why = "restartable=False" if restartable is False else "no further attempt"
        assert "shut down" in (first.reason_for_incompletion or "")
        assert why in (first.reason_for_incompletion or "")
    else:
        assert (update["status"], update.get("callbackAfterSeconds", 0)) == ("IN_PROGRESS", 0)


@pytest.mark.virtual_time
async def test_hand_back_that_would_time_its_workflow_out_is_a_failure() -> None:
    """The server counts the poll timeout from the first scheduling on, and ends the whole workflow."""
    async with stage(Worker("work", anyio.sleep_forever), inline=True) as play:
        await play.define("work", poll_timeout_seconds=2, retry_delay_seconds=0)
        tasks = await stopped(play)
        assert [task.status for task in tasks] == ["FAILED", "SCHEDULED"]
        assert "pollTimeoutSeconds (2)" in (tasks[0].reason_for_incompletion or "")


@pytest.mark.virtual_time
async def test_environment_says_whether_a_task_may_be_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_WORKER_WORK_RESTARTABLE", "no")
    async with stage(Worker("work", anyio.sleep_forever, restartable=True), inline=True) as play:
        await define(play)
        tasks = await stopped(play)
    assert [task.status for task in tasks] == ["FAILED", "SCHEDULED"]


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
@pytest.mark.virtual_time
async def test_task_whose_function_has_not_begun_is_always_given_back(kind: str) -> None:
    """Its input is still being converted, which large ones are aside of the event loop."""
    calls: list[str] = []

    async def later(function: Any) -> Any:
        await anyio.sleep(60)
        return function()

    def plain(text: str) -> None:
        calls.append(text)

    async def coroutine(text: str) -> None:
        calls.append(text)

    worker = Worker("work", plain if kind == "plain" else coroutine, restartable=False)
    async with stage(worker, run_sync=later) as play:
        await define(play, defined=0)
        [task] = await stopped(play, {"text": "x" * 2_000_000})
    assert task.status == "SCHEDULED"
    assert calls == []


@pytest.mark.virtual_time
async def test_plain_function_that_has_no_thread_yet_has_not_begun() -> None:
    held: list[Callable[[], Any]] = []

    async def later(function: Callable[[], Any]) -> Any:
        held.append(function)
        await anyio.sleep_forever()

    calls: list[int] = []
    async with stage(Worker("work", lambda: calls.append(1), restartable=False), run_sync=later) as play:
        await define(play, defined=0)
        [task] = await stopped(play)
    assert task.status == "SCHEDULED"
    # The thread comes too late, when somebody else has the task.
    held[0]()
    assert calls == []


class Report(UserDict[str, str]):
    """Opened by its class, which for a large one is done aside of the event loop."""


@pytest.mark.virtual_time
async def test_function_that_has_ended_is_not_given_back_while_its_output_is_opened() -> None:
    async def later(function: Callable[[], Any]) -> Any:
        await anyio.sleep(5)
        return function()

    async def work() -> Report:
        return Report(text="x" * 2_000_000)

    async with stage(Worker("work", work), run_sync=later) as play:
        await define(play)
        [task] = await stopped(play)
    assert task.status == "COMPLETED"
    assert len(task.output_data["text"]) == 2_000_000


@pytest.mark.parametrize("is_before", [True, False])
@pytest.mark.virtual_time
async def test_middleware_that_has_not_called_on_has_not_begun_the_function(is_before: bool) -> None:
    async def wait(call_next: CallNext, task: Task) -> Any:
        if is_before:
            await anyio.sleep_forever()
        outcome = await call_next(task)
        await anyio.sleep_forever()
        return outcome

    worker = Worker("work", lambda: 1, restartable=False)
    async with stage(worker, middleware=[wait], inline=True) as play:
        await define(play, defined=0)
        [task] = await stopped(play)
    assert task.status == ("SCHEDULED" if is_before else "FAILED")


def failing(times: int) -> Hook:
    """Answer the first results as a server that is busy."""
    left = [503] * times

    async def hook(request: httpx.Request) -> httpx.Response | None:
        is_result = is_update(request)
        return httpx.Response(left.pop(), json={"message": "busy"}) if is_result and left else None

    return hook


@pytest.mark.virtual_time
@pytest.mark.parametrize(("failures", "status"), [(1, "SCHEDULED"), (2, "IN_PROGRESS")])
async def test_hand_back_that_is_not_taken_is_sent_once_more(
    failures: int, status: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with stage(Worker("work", anyio.sleep_forever), hook=failing(failures), inline=True) as play:
        await define(play)
        workflow_id = await play.start()
        await anyio.sleep(3)
        began = anyio.current_time()
        await play.fleet.stop()
        assert anyio.current_time() - began <= 2
        [task] = (await play.client.get_workflow(workflow_id)).tasks
        is_everything_handed_over = play.fleet.status().is_everything_handed_over
    assert (task.status, len(play.tap.updates())) == (status, 2)
    assert is_everything_handed_over is (failures == 1)
    assert (f"Result of task {task.task_id} " in caplog.text) is (failures == 2)


@pytest.mark.virtual_time
@pytest.mark.parametrize(("failures", "status"), [(1, "COMPLETED"), (2, "IN_PROGRESS")])
async def test_result_that_waits_has_one_last_attempt_at_the_end_of_grace(failures: int, status: str) -> None:
    async with stage(Worker("work", lambda: 1), hook=failing(failures), grace=3, inline=True) as play:
        await define(play)
        workflow_id = await play.start()
        await anyio.sleep(2)
        drained = anyio.current_time()
        await play.fleet.drain()
        [task] = (await play.client.get_workflow(workflow_id)).tasks
    assert task.status == status
    assert [round(seen.at - drained, 1) for seen in play.tap.updates()][1:] == [3.0]


@pytest.mark.blocking  # the outbox's file
async def test_hand_back_that_nobody_takes_waits_in_the_outbox_for_the_next_process(tmp_path: Path) -> None:
    calls: list[int] = []

    async def work() -> str:
        calls.append(get_task_context().get_poll_count())
        await anyio.sleep(0 if len(calls) > 1 else 60)
        return "done"

    server, worker, outbox = DevServer(), Worker("work", work), str(tmp_path / "outbox.db")
    with anyio.fail_after(30):
        async with stage(worker, server=server, hook=failing(10), outbox=outbox) as play:
            await define(play)
            workflow_id = await play.start()
            await anyio.sleep(0.5)
            await play.fleet.stop()
            assert (await play.client.get_workflow(workflow_id)).tasks[0].status == "IN_PROGRESS"
            assert play.fleet.status().is_everything_handed_over
        async with stage(worker, server=server, outbox=outbox) as play:
            assert (await play.result(workflow_id)).status == "COMPLETED"
    assert calls == [1, 1]


async def test_plain_function_that_ends_when_it_is_told_to_is_given_back() -> None:
    def work() -> None:
        while True:
            check_cancelled()
            pause.wait(0.05)

    pause = threading.Event()
    with anyio.fail_after(20):
        async with stage(Worker("work", work, restartable=True)) as play:
            await define(play, defined=0)
            [task] = await stopped(play, after=0.5)
            assert play.fleet.status().workers[0].threads == 0
    assert task.status == "SCHEDULED"


async def test_plain_function_that_may_not_run_again_fails_when_it_ends_as_told() -> None:
    def work() -> None:
        while not get_task_context().cancelled:
            pause.wait(0.05)
        check_cancelled()

    pause = threading.Event()
    with anyio.fail_after(20):
        async with stage(Worker("work", work)) as play:
            await define(play, defined=0)
            [task] = await stopped(play, after=0.5)
    assert task.status == "FAILED"
    assert "shut down" in (task.reason_for_incompletion or "")


async def test_what_a_plain_function_returns_in_its_last_moment_counts() -> None:
    def work() -> str:
        while not get_task_context().cancelled:
            pause.wait(0.05)
        return "saved"

    pause = threading.Event()
    with anyio.fail_after(20):
        async with stage(Worker("work", work)) as play:
            await define(play, defined=0)
            [task] = await stopped(play, after=0.5)
    assert (task.status, task.output_data) == ("COMPLETED", {"result": "saved"})
