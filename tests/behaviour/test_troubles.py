"""What goes wrong around a worker: a server that hangs, functions that do not end, bad arguments."""

import logging
from typing import Any

import anyio
import httpx
import pytest
from stage import is_update, stage

import anyworker
from anyworker import (
    ConfigurationError,
    TaskExecutionStarted,
    TaskInProgress,
    TaskUpdateFailure,
    Worker,
    get_task_context,
)
from anyworker.errors import DeliveryCancelled
from anyworker.fleet.fleet import CANCEL_SECONDS


class Lost:
    """Keeps what could not be delivered."""

    def __init__(self) -> None:
        self.events: list[TaskUpdateFailure] = []

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        self.events.append(event)


def hang(path: str) -> Any:
    """Return a hook under which requests to a path are never answered, once told so."""

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if hook.is_on and request.url.path.startswith(path):  # type: ignore[attr-defined]
            await anyio.sleep_forever()
        return None

    hook.is_on = False  # type: ignore[attr-defined]
    return hook


@pytest.mark.virtual_time
async def test_poll_that_is_never_answered_holds_up_a_drain_for_its_wait_and_two_seconds_only() -> None:
    hook = hang("/api/tasks/poll/")
    async with stage(Worker("work", lambda: 1), hook=hook, inline=True) as play:
        await anyio.sleep(60)
        hook.is_on = True
        await anyio.sleep(1.5)
        began = anyio.current_time()
        await play.fleet.drain()
        assert anyio.current_time() - began <= 1 + 2


@pytest.mark.virtual_time
async def test_hung_poll_beside_running_tasks_is_given_up_as_well() -> None:
    hook = hang("/api/tasks/poll/")

    async def work() -> None:
        await anyio.sleep(20)

    async with stage(Worker("work", work, thread_count=3), hook=hook, inline=True) as play:
        await play.define("work")
        workflow_id = await play.start()
        await anyio.sleep(5)
        hook.is_on = True
        await anyio.sleep(5)
        await play.fleet.drain()
        assert (await play.client.get_workflow(workflow_id)).status == "COMPLETED"


@pytest.mark.virtual_time
async def test_function_that_ignores_its_cancellation_is_abandoned_in_the_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stubborn() -> None:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(100)

    async with stage(Worker("work", stubborn), inline=True, grace=5) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(1)
        began = anyio.current_time()
        await play.fleet.drain()
        # Its shield holds the worker up; what follows the function is not done any more.
        assert anyio.current_time() - began >= 5 + CANCEL_SECONDS
    assert play.fleet.status().workers[0].abandoned == 1
    assert not play.fleet.status().is_everything_handed_over
    assert "Abandoning 1 tasks" in caplog.text


@pytest.mark.virtual_time
async def test_result_on_its_way_at_the_very_end_is_surfaced() -> None:
    lost, hook = Lost(), hang("/api/tasks")

    async def work() -> dict[str, int]:
        await anyio.sleep(3)
        hook.is_on = True
        return {"worth": 1}

    async with stage(Worker("work", work), hook=hook, event_listeners=[lost], inline=True, grace=1) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(5)
        await play.fleet.drain()
    [event] = lost.events
    assert isinstance(event.cause, DeliveryCancelled)
    assert event.task_result.output_data == {"worth": 1}
    assert play.fleet.status().workers[0].undelivered == 1


@pytest.mark.virtual_time
async def test_waiting_retry_gets_one_last_attempt_when_the_grace_ends() -> None:
    lost = Lost()

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request):
            return httpx.Response(503, json={"message": "out of order"})
        return None

    async with stage(
        Worker("work", lambda: 1), hook=hook, event_listeners=[lost], inline=True, grace=2
    ) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(1)
        began = anyio.current_time()
        await play.fleet.drain()
        assert anyio.current_time() - began == pytest.approx(2, abs=0.1)
    assert len(play.tap.updates()) == 2
    assert len(lost.events) == 1


@pytest.mark.virtual_time
async def test_log_lines_that_the_server_refuses_do_not_hold_up_the_result(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("/log"):
            return httpx.Response(500, json={"message": "no index"})
        return None

    def work() -> str:
        for number in range(15):
            get_task_context().add_log(number)
        return "done"

    with caplog.at_level(logging.WARNING):
        async with stage(Worker("work", work), hook=hook, inline=True) as play:
            await play.define("work")
            assert (await play.play()).output == {"result": "done"}
    assert "5 log lines of task" in caplog.text


@pytest.mark.virtual_time
async def test_a_thousand_log_lines_do_not_make_a_thousand_requests() -> None:
    def work() -> None:
        for number in range(1000):
            get_task_context().add_log(f"line {number}")

    async with stage(Worker("work", work), inline=True) as play:
        await play.define("work")
        workflow = await play.play()
        logs = await play.client.get_logs(workflow.tasks[0].task_id)
    assert len(logs) == 110
    text = "\n".join(line.log for line in logs)
    assert all(f"line {number}" in text for number in range(1000))


@pytest.mark.virtual_time
async def test_progress_lost_before_the_server_removed_the_task_is_settled() -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request) and not lost:
            lost.append(1)
            message = "on the way there"
            raise httpx.ReadTimeout(message)
        if lost and request.method == "GET" and "/poll/" not in request.url.path:
            return httpx.Response(404, json={"message": "Task not found for taskId: x"})
        return None

    lost: list[int] = []
    async with stage(
        Worker("work", lambda: TaskInProgress(5), thread_count=1), hook=hook, inline=True
    ) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(30)
        assert play.fleet.status().workers[0].in_hand == 0
    assert len(play.tap.updates()) == 1


class NothingToSay:
    """Has none of the methods of a listener."""


class Unfinished:
    on_poll_started = 3


class Asynchronous:
    async def on_task_execution_started(self, event: TaskExecutionStarted) -> None: ...


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"event_listeners": [Lost]}, r"Lost is a class: give an instance, Lost\(\)"),
        ({"event_listeners": [NothingToSay()]}, "has none of the methods on_poll_started"),
        ({"event_listeners": [Unfinished()]}, "on_poll_started is not callable"),
        ({"event_listeners": [Asynchronous()]}, "on_task_execution_started is async"),
        ({"grace": -1}, "grace: -1 is not a number of seconds"),
        ({"grace": "soon"}, "grace: 'soon'"),
        ({"update_retry_delays": (1, float("nan"))}, "update_retry_delays: nan"),
    ],
)
async def test_arguments_that_cannot_work_are_named(arguments: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        async with stage(Worker("work", lambda: 1), **arguments):
            pass


async def test_everything_that_is_wrong_with_a_start_is_named_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONDUCTOR_SERVER_URL", "ftp://nowhere")
    monkeypatch.setenv("CONDUCTOR_AUTH_KEY", "key without secret")
    monkeypatch.setenv("CONDUCTOR_WORKER_ALL_THREAD_COUNT", "many")
    monkeypatch.setenv("conductor.worker.work.poll_timeout", "9999")
    with pytest.raises(ConfigurationError) as caught:
        async with anyworker.serving(Worker("work", lambda: 1), grace=-1, event_listeners=[Lost]):
            pass
    text = "\n".join(caught.value.problems)
    for part in (
        "CONDUCTOR_SERVER_URL='ftp://nowhere'",
        "CONDUCTOR_AUTH_SECRET",
        "grace: -1",
        "Lost is a class",
        "CONDUCTOR_WORKER_ALL_THREAD_COUNT",
        "conductor.worker.work.poll_timeout",
    ):
        assert part in text
    assert len(caught.value.problems) == 6


async def test_no_workers_at_all_says_where_they_could_come_from() -> None:
    with pytest.raises(ConfigurationError, match="decorate a function with @worker_task"):
        async with anyworker.serving():
            pass


async def test_startup_line_tells_mode_backend_and_sources(
    anyio_backend: tuple[str, dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("CONDUCTOR_WORKER_ALL_THREAD_COUNT", "7")
    name = "uvloop" if anyio_backend[1] else anyio_backend[0]
    with caplog.at_level(logging.INFO):
        async with stage(Worker("work", lambda: 1, domain="blue")):
            pass
    [line] = [record.getMessage() for record in caplog.records if "Conductor Worker[" in record.getMessage()]
    assert line.startswith("Conductor Worker[name=work, pid=")
    assert ", status=active, poll_interval=100ms, domain=blue, thread_count=7, poll_timeout=100ms," in line
    assert f"mode=thread, backend={name}, " in line
    assert "sources=[thread_count: CONDUCTOR_WORKER_ALL_THREAD_COUNT]" in line
