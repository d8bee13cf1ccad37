"""Quiet: nothing is polled, what runs goes on, and there is a way back."""

import anyio
import pytest
from stage import stage

from anyworker import Worker
from anyworker.fleet.status import FleetStage


@pytest.mark.virtual_time
async def test_quiet_fleet_finishes_what_runs_and_polls_no_more_until_it_is_resumed() -> None:
    async def work() -> str:
        await anyio.sleep(10)
        return "finished"

    async with stage(Worker("work", work, thread_count=5), inline=True) as play:
        await play.define("work")
        running = await play.start()
        await anyio.sleep(2)
        play.fleet.quiet()
        quiet_at = anyio.current_time()
        await anyio.sleep(2)
        waiting = await play.start(name="flow")
        await anyio.sleep(30)
        assert [poll for poll in play.tap.polls() if poll.at > quiet_at] == []
        assert play.fleet.status().stage is FleetStage.QUIET
        assert (await play.client.get_workflow(running)).status == "COMPLETED"
        assert (await play.client.get_workflow(waiting)).tasks[0].status == "SCHEDULED"
        play.fleet.resume()
        await anyio.sleep(11)
        assert (await play.client.get_workflow(waiting)).status == "COMPLETED"
        assert play.fleet.status().stage is FleetStage.RUNNING


@pytest.mark.virtual_time
async def test_resumed_fleet_leaves_a_paused_worker_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_WORKER_IDLE_PAUSED", "true")
    async with stage(Worker("idle", lambda: None), inline=True) as play:
        play.fleet.quiet()
        play.fleet.resume()
        await anyio.sleep(10)
        assert play.tap.polls() == []


@pytest.mark.virtual_time
async def test_quiet_fleet_drains() -> None:
    async with stage(Worker("idle", lambda: None), inline=True) as play:
        play.fleet.quiet()
        await play.fleet.drain()
        play.fleet.resume()
        assert play.fleet.status().stage is FleetStage.ENDED
