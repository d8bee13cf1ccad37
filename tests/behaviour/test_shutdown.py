"""Stopping: no poll after it, what runs ends or is handed back, nothing is abandoned in silence."""

import json
import logging
import threading
from typing import Any

import anyio
import pytest
from stage import Stage, stage

from anyworker import Worker, get_task_context
from anyworker.fleet.status import FleetStage


async def begin(play: Stage, count: int = 1) -> list[str]:
    ids = [await play.start() for _ in range(count)]
    while play.fleet.status().workers[0].in_hand < count:  # noqa: ASYNC110 - the fleet tells no event for it
        await anyio.sleep(0.01)
    return ids


@pytest.mark.virtual_time
async def test_drain_finishes_what_runs_and_polls_no_more() -> None:
    async def work() -> str:
        await anyio.sleep(10)
        return "finished"

    async with stage(Worker("work", work, thread_count=5), inline=True) as play:
        await play.define("work")
        ids = await begin(play, 3)
        waiting = await play.start(name="flow")
        await anyio.sleep(1)
        drained_at = anyio.current_time()
        await play.fleet.drain()
        assert [poll for poll in play.tap.polls() if poll.at > drained_at] == []
        assert 8 <= anyio.current_time() - drained_at <= 11
        flows = [await play.client.get_workflow(workflow_id) for workflow_id in [*ids, waiting]]
    assert [flow.status for flow in flows] == ["COMPLETED"] * 4
    assert play.fleet.status().stage is FleetStage.ENDED
    assert play.fleet.status().is_everything_handed_over


@pytest.mark.virtual_time
async def test_idle_stop_takes_no_longer_than_the_waiting_poll() -> None:
    async with stage(Worker("idle", lambda: None), inline=True) as play:
        await anyio.sleep(60)
        began = anyio.current_time()
        await play.fleet.drain()
        assert anyio.current_time() - began <= 1.2


@pytest.mark.virtual_time
async def test_tasks_of_a_poll_under_way_are_handed_back_at_once() -> None:
    async with stage(Worker("work", lambda: 1), inline=True) as play:
        await play.define("work")
        await anyio.sleep(10.5)
        ended = play.fleet.drain()
        workflow_id = await play.start()
        await ended
        task = (await play.client.get_workflow(workflow_id)).tasks[0]
    assert task.status == "SCHEDULED"
    assert [json.loads(update.body)["status"] for update in play.tap.updates()] in ([], ["IN_PROGRESS"])


@pytest.mark.virtual_time
async def test_end_of_grace_hands_back_what_may_run_again() -> None:
    calls: list[int] = []

    async def work() -> str:
        calls.append(get_task_context().get_poll_count())
        get_task_context().add_log("was here")
        if len(calls) == 1:
            await anyio.sleep(3600)
        return "finished"

    async with stage(Worker("work", work), inline=True, grace=5) as play:
        await play.define("work")
        [workflow_id] = await begin(play)
        began = anyio.current_time()
        await play.fleet.drain()
        assert anyio.current_time() - began == pytest.approx(5, abs=0.1)
        handed_back = (await play.client.get_workflow(workflow_id)).tasks[0]
        assert handed_back.status == "SCHEDULED"
        assert play.fleet.status().is_everything_handed_over
    [update] = play.tap.updates()
    assert json.loads(update.body)["logs"][0]["log"] == "was here"


@pytest.mark.virtual_time
async def test_task_without_a_further_attempt_fails_at_the_end_of_grace() -> None:
    async with stage(Worker("work", anyio.sleep_forever), inline=True, grace=5) as play:
        await play.define("work", retry_count=0)
        [workflow_id] = await begin(play)
        await play.fleet.drain()
        task = (await play.client.get_workflow(workflow_id)).tasks[0]
    assert task.status == "FAILED"
    assert "shut down" in (task.reason_for_incompletion or "")


@pytest.mark.virtual_time
async def test_stop_cancels_at_once() -> None:
    async with stage(Worker("work", anyio.sleep_forever), inline=True) as play:
        await play.define("work")
        [workflow_id] = await begin(play)
        began = anyio.current_time()
        await play.fleet.stop()
        assert anyio.current_time() - began < 1.2
        assert (await play.client.get_workflow(workflow_id)).tasks[0].status == "SCHEDULED"


@pytest.mark.virtual_time
async def test_hand_backs_are_no_calls_and_leave_no_trace() -> None:
    """Two shutdowns in between, and the checkpoint still counts calls only."""
    seen: list[tuple[int, dict[str, Any]]] = []

    async def work() -> Any:
        context = get_task_context()
        seen.append((context.get_poll_count(), dict(context.task.output_data)))
        if len(seen) < 3:
            await anyio.sleep_forever()
        return {"polls": context.get_poll_count()}

    async with stage(Worker("work", work), inline=True) as play:
        await play.define("work")
        [workflow_id] = await begin(play)
        await play.fleet.stop()
        for _ in range(2):
            async with anyio.create_task_group() as tg:
                again = stage_again(play, Worker("work", work))
                tg.start_soon(again, workflow_id)
        workflow = await play.client.get_workflow(workflow_id)
    assert seen == [(1, {})] * 3
    assert workflow.output == {"polls": 1}


def stage_again(play: Stage, worker: Worker) -> Any:
    """Serve the same server once more, until the workflow ends or five seconds have passed."""
    import anyworker
    from anyworker.testing import run_inline

    async def serve(workflow_id: str) -> None:
        settings = anyworker.Configuration(server_api_url="http://devserver/api", transport=play.tap)
        async with anyworker.serving(worker, configuration=settings, run_sync=run_inline) as fleet:
            with anyio.move_on_after(5):
                await play.result(workflow_id)
            await fleet.stop()

    return serve


async def test_host_cancellation_hands_back_before_it_goes_on() -> None:
    workflow_id = ""
    with anyio.fail_after(10):
        with anyio.CancelScope() as host:
            async with stage(Worker("work", anyio.sleep_forever)) as play:
                await play.define("work")
                [workflow_id] = await begin(play)
                client = play.client
                host.cancel()
                await anyio.sleep_forever()
        assert host.cancelled_caught
        assert play.fleet.status().stage is FleetStage.ENDED
        async with client:
            assert (await client.get_workflow(workflow_id)).tasks[0].status == "SCHEDULED"


async def test_exception_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with stage(Worker("idle", lambda: None)):
            _ = 1 / 0


async def test_thread_that_cannot_be_stopped_is_named_with_its_stack(
    caplog: pytest.LogCaptureFixture,
) -> None:
    release = threading.Event()

    def stubborn() -> None:
        release.wait(20)

    with anyio.fail_after(15), caplog.at_level(logging.ERROR):
        async with stage(Worker("work", stubborn), grace=0.1) as play:
            await play.define("work")
            [workflow_id] = await begin(play)
            await play.fleet.drain()
            # Left to its lease: the thread may still act, so nobody else may have the task.
            assert (await play.client.get_workflow(workflow_id)).tasks[0].status == "IN_PROGRESS"
            status = play.fleet.status()
            release.set()
    assert play.tap.updates() == []
    assert not status.is_everything_handed_over
    assert status.workers[0].abandoned == 1
    assert "in stubborn" in caplog.text
