"""What a worker does from poll to update, for plain and coroutine functions alike, on every backend."""

import functools
import itertools
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from stage import both_kinds, is_update, stage

from anyworker import (
    PollCompleted,
    PollFailure,
    PollStarted,
    TaskExecutionCompleted,
    TaskExecutionFailure,
    TaskExecutionStarted,
    TaskRunnerEventsListener,
    TaskUpdateFailure,
    Worker,
    worker_task,
)
from anyworker.configuration import AuthenticationSettings

Kind = Callable[[Callable[..., Any]], Callable[..., Any]]


@pytest.fixture(params=["def", "async def"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """Make a function of the kind that the test runs for."""
    number = 0 if request.param == "def" else 1
    return lambda function: both_kinds(function)[number]


@pytest.fixture
def is_async(request: pytest.FixtureRequest, kind: Kind) -> bool:
    return request.node.callspec.params["kind"] == "async def"


def awaitable_from_plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a plain function that takes its time without a thread: it returns an awaitable."""

    @functools.wraps(function)
    def plain(**given: Any) -> Any:
        return function(**given)

    return plain


class Recorder(TaskRunnerEventsListener):
    """Keep every event."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def of(self, event_type: type) -> list[Any]:
        return [event for event in self.events if type(event) is event_type]

    def on_poll_started(self, event: PollStarted) -> None:
        self.events.append(event)

    def on_poll_completed(self, event: PollCompleted) -> None:
        self.events.append(event)

    def on_poll_failure(self, event: PollFailure) -> None:
        self.events.append(event)

    def on_task_execution_started(self, event: TaskExecutionStarted) -> None:
        self.events.append(event)

    def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
        self.events.append(event)

    def on_task_execution_failure(self, event: TaskExecutionFailure) -> None:
        self.events.append(event)

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        self.events.append(event)


async def refuse_updates(request: httpx.Request) -> httpx.Response | None:
    if is_update(request):
        return httpx.Response(503, json={"status": 503, "message": "no storage", "retryable": True})
    return None


# ---------------------------------------------------------------- poll, execute, update


async def test_worker_takes_a_task_from_poll_to_update(kind: Kind) -> None:
    worker_task("greet")(kind(lambda name: {"text": f"Hello {name}"}))
    with anyio.fail_after(10):
        async with stage() as play:
            await play.define("greet")
            workflow = await play.play({"name": "Ada"})
    assert workflow.status == "COMPLETED"
    assert workflow.output == {"text": "Hello Ada"}
    update = json.loads(play.tap.updates()[0].body)
    poll = play.tap.polls()[0]
    assert update["status"] == "COMPLETED"
    assert update["workerId"] == poll.params["workerid"]
    assert len(play.tap.updates()) == 1


async def test_worker_may_return_none(kind: Kind) -> None:
    with anyio.fail_after(10):
        async with stage(Worker("quiet", kind(lambda: None))) as play:
            await play.define("quiet")
            workflow = await play.play()
    assert workflow.status == "COMPLETED"
    assert workflow.tasks[0].output_data == {"result": None}


class Gauge:
    """Count how many are inside at once, of both kinds of functions."""

    def __init__(self) -> None:
        self.inside = 0
        self.most = 0
        self.lock = threading.Lock()

    def enter(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1


def meeting(is_async: bool, size: int, gauge: Gauge) -> Callable[..., Any]:
    """Return a function that ends only when so many of its calls run at once."""
    if is_async:
        arrived = 0
        everybody: anyio.Event | None = None

        async def meet_async() -> int:
            nonlocal arrived, everybody
            everybody = everybody or anyio.Event()
            gauge.enter()
            arrived += 1
            if arrived % size == 0:
                everybody.set()
                everybody = None
            else:
                await everybody.wait()
            gauge.leave()
            return gauge.most

        return meet_async
    barrier = threading.Barrier(size)

    def meet() -> int:
        gauge.enter()
        barrier.wait(10)
        gauge.leave()
        return gauge.most

    return meet


async def test_no_more_tasks_run_at_once_than_thread_count(is_async: bool) -> None:
    gauge = Gauge()
    with anyio.fail_after(20):
        async with stage(Worker("meet", meeting(is_async, 3, gauge), thread_count=3)) as play:
            await play.define("meet")
            ids = [await play.start() for _ in range(12)]
            flows = [await play.result(workflow_id) for workflow_id in ids]
    assert {flow.status for flow in flows} == {"COMPLETED"}
    assert gauge.most == 3


async def test_tasks_run_side_by_side(is_async: bool) -> None:
    gauge = Gauge()
    with anyio.fail_after(20):
        async with stage(Worker("meet", meeting(is_async, 10, gauge), thread_count=10)) as play:
            await play.define("meet")
            ids = [await play.start() for _ in range(10)]
            for workflow_id in ids:
                await play.result(workflow_id)
    assert gauge.most == 10


async def test_polls_ask_for_no_more_than_is_free_and_stop_at_capacity(is_async: bool) -> None:
    release, released = threading.Event(), anyio.Event()
    held = []

    def hold() -> None:
        held.append(1)
        release.wait(10)

    async def hold_async() -> None:
        held.append(1)
        await released.wait()

    worker = Worker("hold", hold_async if is_async else hold, thread_count=4)
    with anyio.fail_after(20):
        async with stage(worker) as play:
            await play.define("hold")
            for _ in range(6):
                await play.start()
            while len(held) < 4:
                await anyio.wait_all_tasks_blocked()
                await anyio.lowlevel.checkpoint()
            await anyio.wait_all_tasks_blocked()
            polls = len(play.tap.polls())
            await anyio.sleep(0.3)
            assert len(play.tap.polls()) == polls, "polled at capacity"
            assert play.fleet.status().workers[0].in_hand == 4
            release.set()
            released.set()
    for poll in play.tap.polls():
        assert 1 <= int(poll.params["count"]) <= 4


async def test_raising_worker_fails_its_task_with_reason_and_traceback(kind: Kind) -> None:
    def explode() -> None:
        message = "no network"
        raise OSError(message)

    with anyio.fail_after(10):
        async with stage(Worker("explode", kind(explode))) as play:
            await play.define("explode", retry_count=0)
            workflow = await play.play()
            logs = await play.client.get_logs(workflow.tasks[0].task_id)
    task = workflow.tasks[0]
    assert workflow.status == "FAILED"
    assert task.status == "FAILED"
    assert task.reason_for_incompletion == "OSError: no network"
    assert "in explode" in logs[-1].log
    assert "OSError: no network" in logs[-1].log


# ---------------------------------------------------------------- authorization


@pytest.mark.virtual_time
async def test_failing_token_request_backs_off_and_recovers_without_restart(kind: Kind) -> None:
    tokens = []

    async def token_server(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/api/token":
            tokens.append(anyio.current_time())
            if len(tokens) <= 4:
                return httpx.Response(500, json={"status": 500, "message": "no keys today"})
            return httpx.Response(200, json={"token": "t-1"})
        if request.headers.get("X-Authorization") != "t-1":
            return httpx.Response(401, json={"status": 401, "message": "INVALID_TOKEN"})
        return None

    settings = {"authentication_settings": AuthenticationSettings("key", "secret")}
    worker = Worker("greet", kind(lambda name: name))
    with anyio.fail_after(600):
        async with stage(worker, hook=token_server, configuration=settings, inline=True) as play:
            await play.define("greet")
            workflow = await play.play({"name": "Ada"})
    assert workflow.output == {"result": "Ada"}
    pauses = [later - earlier for earlier, later in itertools.pairwise(tokens)]
    assert [round(pause) for pause in pauses[:4]] == [2, 4, 8, 16]


@pytest.mark.virtual_time
async def test_refused_polls_back_off_by_two_to_the_failures(kind: Kind) -> None:
    refused = []

    async def refuse(request: httpx.Request) -> httpx.Response | None:
        if "/poll/" in request.url.path and len(refused) < 7:
            refused.append(anyio.current_time())
            return httpx.Response(403, json={"status": 403, "message": "ACCESS_DENIED"})
        return None

    with anyio.fail_after(600):
        async with stage(Worker("greet", kind(lambda name: name)), hook=refuse, inline=True) as play:
            await play.define("greet")
            assert (await play.play({"name": "Ada"})).status == "COMPLETED"
    pauses = [round(later - earlier, 1) for earlier, later in itertools.pairwise(refused)]
    assert pauses == [2, 4, 8, 16, 32, 60]


# ---------------------------------------------------------------- polling


@pytest.mark.virtual_time
async def test_paused_worker_does_not_poll(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("conductor.worker.all.paused", "true")
    monkeypatch.setenv("CONDUCTOR_WORKER_BUSY_PAUSED", "false")
    workers = [Worker("resting", kind(lambda: None)), Worker("busy", kind(lambda: None))]
    async with stage(*workers, inline=True) as play:
        await anyio.sleep(60)
    polled = {poll.path for poll in play.tap.polls()}
    assert polled == {"/tasks/poll/batch/busy"}


@pytest.mark.virtual_time
async def test_empty_polls_slow_down_to_the_poll_interval(kind: Kind) -> None:
    worker = Worker("idle", kind(lambda: None), poll_interval_millis=50, poll_timeout=0)
    async with stage(worker, inline=True) as play:
        await anyio.sleep(2)
    times = [poll.at for poll in play.tap.polls()]
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    for n, pause in enumerate(pauses[:-1], 1):
        formula = min(2**n / 1000, 0.05)
        assert 0.9 * formula - 1e-6 <= pause <= formula + 1e-6
    assert len(times) > 30


@pytest.mark.virtual_time
async def test_idle_worker_lets_the_server_wait_and_sends_about_one_poll_a_second(kind: Kind) -> None:
    async with stage(Worker("idle", kind(lambda: None)), inline=True) as play:
        await anyio.sleep(100)
    polls = play.tap.polls()
    assert 85 <= len(polls) <= 105
    assert {(poll.params["count"], poll.params["timeout"]) for poll in polls[-50:]} == {("1", "1000")}


# ---------------------------------------------------------------- outputs


async def test_complex_output_reaches_the_server_as_it_is(kind: Kind) -> None:
    output = {
        "nested": {"list": [1, 2.5, "three", None, True, {"deep": [[]]}]},
        "big": 12345678901234567890123,
        "unicode": "Grüße 🎉",
        "empty": {},
    }
    with anyio.fail_after(10):
        async with stage(Worker("complex", kind(lambda: output))) as play:
            await play.define("complex")
            workflow = await play.play()
    assert workflow.output == output


@pytest.mark.parametrize("value", [7, 1.5, "text", True, [1, {"a": None}]])
async def test_scalars_and_lists_stand_under_result(kind: Kind, value: object) -> None:
    with anyio.fail_after(10):
        async with stage(Worker("scalar", kind(lambda: value))) as play:
            await play.define("scalar")
            workflow = await play.play()
    assert workflow.output == {"result": value}


# ---------------------------------------------------------------- events


@pytest.mark.virtual_time
async def test_all_seven_events_are_published(kind: Kind) -> None:
    def act(n: int) -> int:
        if n < 0:
            raise ValueError(n)
        return n

    outage = {"on": False, "updates": False}

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if outage["on"] and "/poll/" in request.url.path:
            outage["on"] = False
            message = "nobody there"
            raise httpx.ConnectError(message)
        return await refuse_updates(request) if outage["updates"] else None

    recorder = Recorder()
    with anyio.fail_after(600):
        async with stage(
            Worker("act", kind(act)), hook=hook, event_listeners=[recorder], inline=True
        ) as play:
            await play.define("act", retry_count=0)
            assert (await play.play({"n": 1})).status == "COMPLETED"
            assert (await play.play({"n": -1})).status == "FAILED"
            outage["on"] = True
            await anyio.sleep(10)
            outage["updates"] = True
            await play.start({"n": 2})
            await anyio.sleep(90)
    published = {type(event) for event in recorder.events}
    assert published == {
        PollStarted,
        PollCompleted,
        PollFailure,
        TaskExecutionStarted,
        TaskExecutionCompleted,
        TaskExecutionFailure,
        TaskUpdateFailure,
    }


@pytest.mark.virtual_time
async def test_custom_listener_sees_slow_tasks(is_async: bool) -> None:
    async def slow() -> str:
        await anyio.sleep(7)
        return "done"

    class SLAMonitor:
        """Implements one method only, and inherits from nothing."""

        def __init__(self) -> None:
            self.breaches: list[float] = []

        def on_task_execution_completed(self, event: TaskExecutionCompleted) -> None:
            if event.duration_ms > 5000:
                self.breaches.append(event.duration_ms)

    worker = Worker("slow", slow if is_async else awaitable_from_plain(slow))
    monitor = SLAMonitor()
    with anyio.fail_after(60):
        async with stage(worker, event_listeners=[monitor], inline=True) as play:
            await play.define("slow")
            await play.play()
    assert monitor.breaches == pytest.approx([7000])


async def test_every_listener_receives_every_event(kind: Kind) -> None:
    first, second = Recorder(), Recorder()
    with anyio.fail_after(10):
        async with stage(Worker("greet", kind(lambda name: name)), event_listeners=[first, second]) as play:
            await play.define("greet")
            await play.play({"name": "Ada"})
    assert first.of(TaskExecutionCompleted)
    assert first.events == second.events


async def test_failing_listener_hurts_neither_worker_nor_other_listeners(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    class Broken(Recorder):
        def on_task_execution_started(self, event: TaskExecutionStarted) -> None:
            message = "listener bug"
            raise RuntimeError(message)

        def on_poll_started(self, event: PollStarted) -> None:
            raise SystemExit(9)

    recorder = Recorder()
    with anyio.fail_after(10):
        async with stage(
            Worker("greet", kind(lambda name: name)), event_listeners=[Broken(), recorder]
        ) as play:
            await play.define("greet")
            workflow = await play.play({"name": "Ada"})
    assert workflow.status == "COMPLETED"
    assert len(recorder.of(TaskExecutionStarted)) == 1
    assert "listener bug" in caplog.text


@pytest.mark.virtual_time
async def test_events_tell_the_truth(is_async: bool) -> None:
    async def work(n: int) -> dict[str, str]:
        await anyio.sleep(2)
        if n < 0:
            message = "negative"
            raise ValueError(message)
        return {"text": "ä" * n}

    recorder = Recorder()
    worker = Worker("work", work if is_async else awaitable_from_plain(work), thread_count=5)
    with anyio.fail_after(60):
        async with stage(worker, event_listeners=[recorder], inline=True) as play:
            await play.define("work", retry_count=0)
            good = await play.play({"n": 10})
            bad = await play.play({"n": -1})
    worker_id = play.tap.polls()[0].params["workerid"]
    [done] = recorder.of(TaskExecutionCompleted)
    assert done.task_type == "work"
    assert done.task_id == good.tasks[0].task_id
    assert done.workflow_instance_id == good.workflow_id
    assert done.worker_id == worker_id
    assert done.duration_ms == pytest.approx(2000)
    assert done.output_size_bytes == len('{"text":""}') + 2 * 10
    [failed] = recorder.of(TaskExecutionFailure)
    assert failed.task_id == bad.tasks[0].task_id
    assert isinstance(failed.cause, ValueError)
    assert failed.duration_ms == pytest.approx(2000)
    assert recorder.of(PollStarted)[0].poll_count == 5
    assert sum(event.tasks_received for event in recorder.of(PollCompleted)) == 2
    assert [event.task_id for event in recorder.of(TaskExecutionStarted)] == [done.task_id, failed.task_id]


@pytest.mark.virtual_time
async def test_update_failure_carries_the_result_after_four_attempts(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = Recorder()
    with anyio.fail_after(600), caplog.at_level(logging.ERROR):
        async with stage(
            Worker("work", kind(lambda: {"worth": 42})),
            hook=refuse_updates,
            event_listeners=[recorder],
            inline=True,
        ) as play:
            await play.define("work")
            workflow_id = await play.start()
            await anyio.sleep(100)
            failures = recorder.of(TaskUpdateFailure)
    # What follows comes from the outbox.
    updates = play.tap.updates()[:4]
    pauses = [later.at - earlier.at for earlier, later in itertools.pairwise(updates)]
    assert len(updates) == 4
    for pause, planned in zip(pauses, (10, 20, 30), strict=True):
        assert 0.9 * planned <= pause <= planned + 0.01
    [failure] = failures
    assert failure.retry_count == 4
    assert failure.task_result.output_data == {"worth": 42}
    assert failure.task_result.status == "COMPLETED"
    assert failure.workflow_instance_id == workflow_id
    assert workflow_id in caplog.text
    assert failure.task_id in caplog.text
