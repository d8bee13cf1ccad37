"""What becomes of the tasks of a process that died."""

from pathlib import Path

import anyio
import pytest
from salvage_scene import DEAD, scene, status

from anyworker.client import TaskResult
from anyworker.fleet.estates.salvage import LAST_SECONDS
from anyworker.runner.outbox.file import OutboxFile
from anyworker.runner.outbox.storage import StoredResult

pytestmark = pytest.mark.virtual_time


async def test_task_that_may_run_again_is_given_back_at_once_and_counts_as_no_call() -> None:
    async with scene() as play:
        task = await play.held()
        await play.client.update_task(
            TaskResult(
                task_id=task.task_id,
                workflow_instance_id=task.workflow_instance_id,
                status="IN_PROGRESS",
                output_data={"done": 1},
            )
        )
        await play.client.poll("work", count=1, timeout=0, worker_id=DEAD)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.give_back)
            await anyio.sleep(0.5)
            found = await play.client.get_task(task.task_id)
            assert (found.status, found.callback_after_seconds) == ("SCHEDULED", 0)
            assert found.output_data["done"] == 1
            assert sum(value == 1 for value in found.output_data.values()) == 2
    [event] = play.events
    assert (event.outcome, event.worker_id) == ("handed_back", DEAD)
    assert event.waited_ms < 500
    [back] = play.handed_back
    assert (back.reason, back.was_running, back.task_id) == ("death", None, task.task_id)
    assert (back.task_type, back.worker_id) == ("work", DEAD)
    assert back.workflow_instance_id == task.workflow_instance_id


async def test_task_that_may_not_run_again_is_named_and_left(caplog: pytest.LogCaptureFixture) -> None:
    async with scene() as play:
        task = await play.held(retry_count=0, response_timeout_seconds=77)
        await play.give_back()
        assert (await play.client.get_task(task.task_id)).status == "IN_PROGRESS"
    assert [event.outcome for event in play.events] == ["left"]
    assert not play.handed_back
    assert f"Task {task.task_id} " in caplog.text
    assert "response timeout (77 s)" in caplog.text


@pytest.mark.parametrize("restartable", [True, False])
async def test_worker_says_more_than_the_definition(
    restartable: bool, caplog: pytest.LogCaptureFixture
) -> None:
    async with scene() as play:
        task = await play.held(retry_count=0 if restartable else 3)
        await play.give_back(status(restartable=restartable))
        assert (await play.client.get_task(task.task_id)).status == (
            "SCHEDULED" if restartable else "IN_PROGRESS"
        )
    assert [event.outcome for event in play.events] == ["handed_back" if restartable else "left"]
    assert ("restartable=False" in caplog.text) is not restartable


async def test_tasks_of_the_living_and_of_shared_ids_are_left_alone() -> None:
    async with scene() as play:
        task = await play.held("alive")
        await play.give_back()
        await play.give_back(status("alive", is_unique=False))
        assert (await play.client.get_task(task.task_id)).status == "IN_PROGRESS"
    assert not play.events


async def test_task_that_a_poll_of_the_dead_still_takes_is_given_back_again() -> None:
    async with scene() as play:
        await play.held()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.give_back)
            await anyio.sleep(0.05)
            await play.client.poll("work", count=1, timeout=3, worker_id=DEAD)
        task = await play.client.get_task(play.events[0].task_id)
    assert (task.status, task.poll_count) == ("SCHEDULED", 2)
    assert [event.outcome for event in play.events] == ["handed_back"] * 2


@pytest.mark.parametrize("epoch", [1e9, 4e9])
async def test_task_that_comes_after_the_death_is_given_back_whatever_its_attempts(epoch: float) -> None:
    """Nothing can have begun it; the server's clock may say what it will."""
    async with scene(epoch=epoch) as play:
        old = await play.held(retry_count=0)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.give_back)
            await anyio.sleep(0.05)
            new = await play.held(retry_count=0)
        assert (await play.client.get_task(old.task_id)).status == "IN_PROGRESS"
        assert (await play.client.get_task(new.task_id)).status == "SCHEDULED"
    assert {event.task_id: event.outcome for event in play.events} == {
        old.task_id: "left",
        new.task_id: "handed_back",
    }


async def test_task_that_would_time_out_if_it_were_given_back_is_left() -> None:
    async with scene() as play:
        task = await play.held(poll_timeout_seconds=60, timeout_policy="TIME_OUT_WF")
        await anyio.sleep(61)
        await play.give_back()
        found = await play.client.get_task(task.task_id)
        assert found.status == "IN_PROGRESS"
        assert (await play.client.get_workflow(task.workflow_instance_id)).status == "RUNNING"
    assert [event.outcome for event in play.events] == ["left"]


async def test_later_turn_of_a_task_may_have_begun_before_the_death() -> None:
    async with scene() as play:
        task = await play.held(retry_count=0)
        result = TaskResult(
            task_id=task.task_id, workflow_instance_id=task.workflow_instance_id, status="IN_PROGRESS"
        )
        await play.client.update_task(result)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.give_back)
            await anyio.sleep(0.05)
            await play.client.poll("work", count=1, timeout=0, worker_id=DEAD)
        assert (await play.client.get_task(task.task_id)).status == "IN_PROGRESS"
    assert [event.outcome for event in play.events] == ["left"]


async def test_server_that_is_away_is_asked_again() -> None:
    async with scene() as play:
        task = await play.held()
        play.server.faults.drop("GET /tasks/search-v2", lasting=15)
        await play.give_back()
        assert (await play.client.get_task(task.task_id)).status == "SCHEDULED"


async def test_fleet_that_ends_waits_for_seconds_only() -> None:
    async with scene() as play:
        play.server.faults.drop("GET /tasks/search-v2")
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(play.give_back)
            await anyio.sleep(1)
            play.salvage.hasten()
            began = anyio.current_time()
        assert anyio.current_time() - began <= LAST_SECONDS
        began = anyio.current_time()
        await play.give_back()
        assert anyio.current_time() - began <= LAST_SECONDS


@pytest.mark.blocking  # the test itself writes the file
async def test_task_whose_result_is_in_the_outbox_is_not_given_back(tmp_path: Path) -> None:
    path = tmp_path / "outbox.db"
    async with scene(path) as play:
        task = await play.held()
        stored = StoredResult(
            task_type="work",
            task_id=task.task_id,
            workflow_id=task.workflow_instance_id,
            worker_id=DEAD,
            status="COMPLETED",
            poll_count=1,
            body=b"{}",
            stored_at=0.0,
        )
        file = OutboxFile(path, server="http://devserver/api", owner=DEAD)
        file.open()
        file.apply([file.adding(stored, is_ahead=True)])
        file.close()
        await play.salvage.give_back("process 1 of 2", [status()])
        assert (await play.client.get_task(task.task_id)).status == "IN_PROGRESS"
    assert not play.events
