"""Leases: extended while a function runs and while its result waits, lost loudly, free for short tasks."""

import itertools
import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from stage import Hook, Seen, Stage, is_update, stage

from anyworker import (
    LeaseExtended,
    LeaseFailed,
    LeaseLost,
    TaskInProgress,
    Worker,
    get_task_context,
)
from anyworker.devserver import DevServer
from anyworker.events import TaskRunnerEvent
from anyworker.policy import cancellation

pytestmark = pytest.mark.virtual_time


class Heard:
    """Keep what is told about leases."""

    def __init__(self) -> None:
        self.events: list[TaskRunnerEvent] = []
        self.on_lease_extended = self.on_lease_failed = self.on_lease_lost = self.events.append

    def of(self, kind: type[TaskRunnerEvent]) -> list[Any]:
        return [event for event in self.events if type(event) is kind]


def is_heartbeat(body: bytes) -> bool:
    return b'"extendLease":true' in body


def heartbeats(play: Stage) -> list[Seen]:
    return [seen for seen in play.tap.updates() if is_heartbeat(seen.body)]


def results(play: Stage) -> list[str]:
    return [json.loads(seen.body)["status"] for seen in play.tap.updates() if not is_heartbeat(seen.body)]


def long_worker(seconds: float, **options: Any) -> Worker:
    async def work() -> str:
        await anyio.sleep(seconds)
        return "done"

    return Worker("work", work, lease_extend_enabled=True, **options)


def on_heartbeats(answer: Callable[[], httpx.Response | None]) -> Hook:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        body = await request.aread()
        return answer() if is_heartbeat(body) else None

    return hook


def on_results(answers: list[int | None]) -> Hook:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        is_result = is_update(request)
        if not is_result or is_heartbeat(await request.aread()) or not answers:
            return None
        status = answers.pop(0)
        return None if status is None else httpx.Response(status, json={"message": "scripted"})

    return hook


@pytest.mark.parametrize(("response_timeout", "seconds"), [(1, 20), (10, 300), (3 * 86400, 10 * 86400)])
async def test_task_that_runs_longer_than_its_response_timeout_completes(
    response_timeout: int, seconds: float
) -> None:
    heard = Heard()
    async with stage(long_worker(seconds), event_listeners=[heard], inline=True) as play:
        await play.define("work", response_timeout_seconds=response_timeout, timeout_seconds=0)
        workflow_id = await play.start()
        await anyio.sleep(seconds + 2)
        workflow = await play.client.get_workflow(workflow_id)
        await play.fleet.stop()
    assert workflow.status == "COMPLETED"
    assert len(workflow.tasks) == 1
    times = [beat.at for beat in heartbeats(play)]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert len(heard.of(LeaseExtended)) == len(times)
    assert max(gaps) <= response_timeout / 3 + 0.01
    assert min(gaps) >= response_timeout / 4 - 0.01


async def test_without_the_option_no_heartbeat_is_sent() -> None:
    async def work() -> None:
        await anyio.sleep(30)

    async with stage(Worker("work", work), inline=True) as play:
        await play.define("work", response_timeout_seconds=60)
        await play.play()
    assert heartbeats(play) == []


async def test_short_tasks_cost_no_heartbeat_and_wake_nobody() -> None:
    async with stage(long_worker(0.01, thread_count=5), inline=True) as play:
        await play.define("work", response_timeout_seconds=60)
        for _ in range(200):
            await play.play()
        [runner] = play.fleet._runners
        # Once in a while, however many there were: nothing can be due within 8 s of a poll.
        assert runner._keeper.wakeups <= 2 + 2 * anyio.current_time() / 8
    assert heartbeats(play) == []


async def test_failed_heartbeats_are_retried_until_one_is_accepted() -> None:
    answers = [httpx.Response(503, json={"message": "busy"}) for _ in range(4)]
    heard = Heard()
    hook = on_heartbeats(lambda: answers.pop() if answers else None)
    async with stage(long_worker(50), hook=hook, event_listeners=[heard], inline=True) as play:
        await play.define("work", response_timeout_seconds=30)
        assert (await play.play()).status == "COMPLETED"
    failed = heard.of(LeaseFailed)
    assert [event.attempts for event in failed] == [1, 2, 3, 4]
    first, *_, fifth = [beat.at for beat in heartbeats(play)][:5]
    assert fifth - first < 4
    assert failed[0].remaining_ms == pytest.approx(20_000, abs=3000)


async def test_heartbeat_without_an_answer_is_given_up_and_sent_again() -> None:
    hung: list[int] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_heartbeat(await request.aread()) and not hung:
            hung.append(1)
            await anyio.sleep_forever()
        return None

    async with stage(long_worker(50), hook=hook, inline=True) as play:
        await play.define("work", response_timeout_seconds=30)
        workflow = await play.play()
    assert workflow.status == "COMPLETED"
    assert len(workflow.tasks) == 1


async def test_result_waits_for_a_heartbeat_that_is_late() -> None:
    """The server still works at it, whether or not another one was sent and answered meanwhile."""
    late: list[float] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_heartbeat(await request.aread()) and not late:
            late.append(anyio.current_time() + 9.5)
            await anyio.sleep(9.5)
        return None

    async with stage(long_worker(17), hook=hook, inline=True) as play:
        await play.define("work", response_timeout_seconds=30, retry_count=0)
        with anyio.fail_after(60):
            assert (await play.play()).status == "COMPLETED"
    [result] = [seen for seen in play.tap.updates() if not is_heartbeat(seen.body)]
    assert result.at >= late[0]


async def test_result_does_not_wait_for_a_late_heartbeat_until_the_lease_is_lost() -> None:
    server = DevServer()
    async with stage(long_worker(1.2), server=server, inline=True) as play:
        await play.define("work", response_timeout_seconds=3, retry_count=0)
        hung = server.faults.hang("POST /tasks", seconds=60, times=1)
        workflow = await play.play()
    assert hung.hits == 1
    assert workflow.status == "COMPLETED"
    [heartbeat, result] = play.tap.updates()
    assert is_heartbeat(heartbeat.body)
    assert 2 < result.at < 3


async def test_one_heartbeat_that_hangs_does_not_hold_up_those_of_other_tasks() -> None:
    stuck: set[str] = set()

    async def hook(request: httpx.Request) -> httpx.Response | None:
        body = await request.aread()
        if is_heartbeat(body):
            task_id = json.loads(body)["taskId"]
            if not stuck or task_id in stuck:
                stuck.add(task_id)
                await anyio.sleep_forever()
        return None

    async with stage(long_worker(40, thread_count=80), hook=hook, inline=True) as play:
        await play.define("work", response_timeout_seconds=9, retry_count=0)
        ids = [await play.start() for _ in range(80)]
        statuses = [(await play.result(workflow_id)).status for workflow_id in ids]
    assert statuses.count("COMPLETED") == 79


async def test_lost_lease_cancels_the_function_and_sends_nothing() -> None:
    heard, reasons = Heard(), []

    async def work() -> None:
        began = anyio.current_time()
        try:
            await anyio.sleep_forever()
        finally:
            reasons.append((get_task_context().cancel_reason, anyio.current_time() - began))

    worker = Worker("work", work, lease_extend_enabled=True)
    hook = on_heartbeats(lambda: httpx.Response(500, json={"message": "broken"}))
    async with stage(worker, hook=hook, event_listeners=[heard], inline=True) as play:
        await play.define("work", response_timeout_seconds=12, retry_count=0)
        await play.play()
        assert play.fleet.status().workers[0].in_hand == 0
    [(reason, after)] = reasons
    assert reason == cancellation.LeaseLost()
    assert after == pytest.approx(12, abs=0.1)
    assert results(play) == []
    [lost] = heard.of(LeaseLost)
    assert lost.response_timeout_seconds == 12


async def test_lease_is_kept_while_a_result_waits_for_its_next_attempt() -> None:
    """The last attempt comes after a minute, the response timeout is 15 seconds."""
    async with stage(long_worker(1), hook=on_results([503, 503, 503, None]), inline=True) as play:
        await play.define("work", response_timeout_seconds=15, retry_count=0)
        workflow = await play.play()
    assert workflow.status == "COMPLETED"
    assert len(heartbeats(play)) >= 10


async def test_lease_of_a_waiting_hand_back_is_kept_as_well() -> None:
    async def work() -> Any:
        calls.append(anyio.current_time())
        return TaskInProgress(callback_after_seconds=1) if len(calls) == 1 else "done"

    calls: list[float] = []
    worker = Worker("work", work, lease_extend_enabled=True)
    async with stage(worker, hook=on_results([503, 503, 503, None]), inline=True) as play:
        await play.define("work", response_timeout_seconds=15, retry_count=0)
        workflow = await play.play()
    assert workflow.status == "COMPLETED"
    assert len(calls) == 2


async def test_lease_is_kept_while_it_is_asked_whether_a_result_has_arrived() -> None:
    """Reading the task may take longer than its lease."""
    server = DevServer()

    def work() -> TaskInProgress | str:
        return "done" if get_task_context().get_poll_count() == 2 else TaskInProgress(1, {"part": 1})

    worker = Worker("work", work, lease_extend_enabled=True)
    async with stage(worker, server=server, update_retry_delays=[1], inline=True) as play:
        await play.define("work", response_timeout_seconds=3)
        server.faults.drop("POST /tasks", times=1)
        server.faults.hang("GET /tasks/{id}", seconds=8, times=1)
        run = await play.play()
    assert run.status == "COMPLETED"
    assert len(run.tasks) == 1
    assert results(play) == ["IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]


@pytest.mark.parametrize("seconds", [0.25, 0.3, 0.32, 0.34, 0.36, 0.5, 0.6, 0.65, 0.7, 0.9, 1.2])
async def test_result_never_goes_beside_a_heartbeat(seconds: float) -> None:
    """The server of this test loses half of the results that come within 50 ms of a heartbeat."""
    server = DevServer(lease_race=0.05, seed=1)
    async with stage(long_worker(seconds, thread_count=40), server=server, inline=True) as play:
        await play.define("work", response_timeout_seconds=1, retry_count=0)
        ids = [await play.start() for _ in range(40)]
        with anyio.fail_after(60):
            flows = [await play.result(workflow_id) for workflow_id in ids]
    assert {flow.status for flow in flows} == {"COMPLETED"}
    assert all(flow.tasks[0].output_data for flow in flows)


async def test_attempts_after_the_first_do_not_go_beside_a_heartbeat_either() -> None:
    server = DevServer(lease_race=0.5, seed=1)
    hook = on_results([503] * 60)
    async with stage(long_worker(0.1, thread_count=20), server=server, hook=hook, inline=True) as play:
        await play.define("work", response_timeout_seconds=2, retry_count=0)
        ids = [await play.start() for _ in range(20)]
        with anyio.fail_after(600):
            flows = [await play.result(workflow_id) for workflow_id in ids]
    assert {flow.status for flow in flows} == {"COMPLETED"}
    assert all(flow.tasks[0].output_data for flow in flows)


async def test_lease_is_kept_while_the_fleet_drains() -> None:
    async with stage(long_worker(60), grace=100, inline=True) as play:
        await play.define("work", response_timeout_seconds=6, retry_count=0)
        workflow_id = await play.start()
        await anyio.sleep(2)
        await play.fleet.drain()
        assert (await play.client.get_workflow(workflow_id)).status == "COMPLETED"


async def test_task_that_the_server_does_not_know_is_cancelled() -> None:
    hook = on_heartbeats(lambda: httpx.Response(404, json={"message": "no such task"}))
    async with stage(long_worker(3600), hook=hook, inline=True) as play:
        await play.define("work", response_timeout_seconds=12, retry_count=0)
        await play.start()
        await anyio.sleep(6)
        assert play.fleet.status().workers[0].in_hand == 0
    assert results(play) == []
