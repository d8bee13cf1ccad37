"""Slots and wake-ups: nothing is over-committed, nothing spins, nothing runs twice."""

import itertools
import json

import anyio
import httpx
import pytest
from stage import stage

from anyworker import Worker, get_task_context
from anyworker.policy.watching import JITTER, LONGEST_PAUSE

pytestmark = pytest.mark.virtual_time


async def test_worker_at_capacity_polls_nothing_and_only_looks_after_its_tasks() -> None:
    release = anyio.Event()

    async def hold() -> None:
        await release.wait()

    async with stage(Worker("hold", hold, thread_count=3), inline=True) as play:
        await play.define("hold")
        for _ in range(3):
            await play.start()
        await anyio.sleep(10)
        [runner] = play.fleet._runners
        wakeups, requests = runner.wakeups, len(play.tap.seen)
        assert runner.in_hand == 3
        await anyio.sleep(3000)
        assert runner.wakeups == wakeups
        looks = play.tap.seen[requests:]
        assert {(seen.method, seen.path.rpartition("/")[0]) for seen in looks} == {("GET", "/tasks")}
        assert len(looks) <= 3 * 3000 / (LONGEST_PAUSE * (1 - JITTER)) + 30
        release.set()


async def test_idle_worker_wakes_up_once_for_each_poll() -> None:
    async with stage(Worker("idle", lambda: None), inline=True) as play:
        await anyio.sleep(10)
        [runner] = play.fleet._runners
        wakeups, polls = runner.wakeups, len(play.tap.polls())
        await anyio.sleep(1000)
        assert runner.wakeups - wakeups <= len(play.tap.polls()) - polls + 1


async def test_freed_slot_polls_at_once_beside_a_waiting_poll() -> None:
    """The successor of a task is usually queued when its result is accepted."""
    times: list[float] = []

    async def work() -> None:
        times.append(anyio.current_time())
        await anyio.sleep(0.3)

    async with stage(Worker("work", work, thread_count=2), inline=True) as play:
        await play.define("work", "work", "work", "work")
        await anyio.sleep(30)
        workflow_id = await play.start()
        await play.result(workflow_id)
    pauses = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert pauses == pytest.approx([0.3] * 3, abs=0.001)


async def test_more_tasks_than_asked_for_are_handed_back_and_run_once() -> None:
    ran: list[str] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if "/poll/" in request.url.path:
            url = request.url.copy_set_param("count", "5")
            return await play.tap.inner.handle_async_request(httpx.Request("GET", url))
        return None

    async def work() -> int:
        context = get_task_context()
        ran.append(context.get_task_id())
        await anyio.sleep(1)
        return context.get_poll_count()

    async with stage(Worker("work", work, thread_count=2), hook=hook, inline=True) as play:
        await play.define("work")
        ids = [await play.start() for _ in range(5)]
        flows = [await play.result(workflow_id) for workflow_id in ids]
    assert sorted(ran) == sorted(flow.tasks[0].task_id for flow in flows)
    # A hand-back is no call: each function sees its first, and the output keeps no trace of it.
    assert [flow.output for flow in flows] == [{"result": 1}] * 5
    statuses = [json.loads(update.body)["status"] for update in play.tap.updates()]
    assert statuses.count("COMPLETED") == 5
    assert statuses.count("IN_PROGRESS") >= 3


async def test_task_handed_out_again_while_in_hand_is_not_run_again() -> None:
    ran: list[str] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if "/poll/" not in request.url.path:
            return None
        answer = await play.tap.inner.handle_async_request(request)
        tasks = json.loads(await answer.aread())
        kept.extend(tasks)
        return httpx.Response(200, json=tasks or kept[:1])

    async def work() -> None:
        ran.append(get_task_context().get_task_id())
        await anyio.sleep(5)

    kept: list[object] = []
    async with stage(Worker("work", work, thread_count=3), hook=hook, inline=True) as play:
        await play.define("work")
        workflow_id = await play.start()
        await anyio.sleep(4)
        assert len(ran) == 1
        assert len(play.tap.polls()) > 2
        kept.clear()
        assert (await play.result(workflow_id)).status == "COMPLETED"


async def test_unreachable_server_is_logged_once_and_work_begins_when_it_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if anyio.current_time() < 120:
            message = "Connection refused"
            raise httpx.ConnectError(message)
        return None

    with caplog.at_level("INFO"):
        async with stage(Worker("work", lambda: 1), hook=hook, inline=True) as play:
            await play.define("work")
            workflow = await play.play()
    assert workflow.status == "COMPLETED"
    warnings = [record for record in caplog.records if record.levelname in {"WARNING", "ERROR"}]
    assert len(warnings) == 1
    assert "Connection refused" in warnings[0].getMessage()
    assert warnings[0].exc_info is None
    assert "works again" in caplog.text
    failed = [poll.at for poll in play.tap.polls() if poll.at < 120]
    assert 6 <= len(failed) <= 14


async def test_domain_is_polled_and_named() -> None:
    async with stage(Worker("work", lambda: 1, domain="blue", worker_id="me"), inline=True) as play:
        await anyio.sleep(1)
    assert {poll.params["domain"] for poll in play.tap.polls()} == {"blue"}
    assert {poll.params["workerid"] for poll in play.tap.polls()} == {"me"}
