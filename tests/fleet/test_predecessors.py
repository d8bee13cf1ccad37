"""What becomes of the tasks of processes that died with nobody left who knew of them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import attrs
import pytest
from salvage_scene import DEAD, Scene, scene, status

from anyworker.configuration import Configuration
from anyworker.events import Publisher
from anyworker.fleet.estates.predecessors import LOOK_SECONDS, Predecessors
from anyworker.runner.outbox.presence import Member, Will, Word, left
from anyworker.runner.threads import run_inline

pytestmark = [pytest.mark.virtual_time, pytest.mark.blocking]

URL = "http://devserver/api"
LIVING = "host-2-living"


def will(server: str = URL) -> Will:
    return Will(server, (Member("work", DEAD),))


@attrs.frozen
class Poller:
    has_lost_polls: bool = False


@asynccontextmanager
async def looking(play: Scene, outbox: Path, *, has_lost_polls: bool = False) -> AsyncIterator[None]:
    """Run a process that shares the outbox, for the block."""
    configuration = Configuration(server_api_url=URL, transport=play.server.transport())
    process = Predecessors(outbox, configuration, Publisher(()), run_sync=run_inline, draw=lambda: 0.0)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(process.run, [status(LIVING)], [Poller(), Poller(has_lost_polls)])
        yield
        tasks.cancel_scope.cancel()


async def test_tasks_of_a_fleet_that_was_killed_are_given_back_by_the_next(tmp_path: Path) -> None:
    outbox = tmp_path / "results.db"
    async with scene() as play:
        task = await play.held()
        Word.leave(outbox, DEAD, will()).close()
        async with looking(play, outbox):
            await anyio.sleep(1)
            assert (await play.client.get_task(task.task_id)).status == "SCHEDULED"
            await anyio.sleep(10)
            assert [path.name for path in left(outbox)] == [LIVING]
    assert not list(left(outbox))


async def test_process_that_dies_later_is_found_within_seconds(tmp_path: Path) -> None:
    outbox = tmp_path / "results.db"
    async with scene() as play:
        word = Word.leave(outbox, DEAD, will())
        async with looking(play, outbox):
            task = await play.held()
            await anyio.sleep(20)
            assert (await play.client.get_task(task.task_id)).status == "IN_PROGRESS"
            word.close()
            await anyio.sleep(LOOK_SECONDS + 0.5)
            assert (await play.client.get_task(task.task_id)).status == "SCHEDULED"


async def test_what_was_left_for_another_server_is_left_to_others(tmp_path: Path) -> None:
    outbox = tmp_path / "results.db"
    async with scene() as play:
        task = await play.held()
        Word.leave(outbox, DEAD, will("http://other/api")).close()
        async with looking(play, outbox):
            await anyio.sleep(20)
        assert (await play.client.get_task(task.task_id)).status == "IN_PROGRESS"
        [path] = left(outbox)
        word = Word.take(path)
        assert word is not None
        word.close()


async def test_heir_that_dies_before_it_has_seen_to_all_leaves_it_to_the_next(tmp_path: Path) -> None:
    outbox = tmp_path / "results.db"
    async with scene() as play:
        Word.leave(outbox, DEAD, will()).close()
        play.server.faults.drop("GET /tasks/search-v2", lasting=10)
        async with looking(play, outbox):
            await anyio.sleep(5)
        assert [path.name for path in left(outbox)] == [DEAD]
        task = await play.held()
        async with looking(play, outbox):
            await anyio.sleep(30)
        assert (await play.client.get_task(task.task_id)).status == "SCHEDULED"


async def test_place_that_cannot_be_written_and_word_that_cannot_be_read_stop_nobody(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outbox = tmp_path / "results.db"
    Word.leave(outbox, DEAD, will()).close()
    [path] = left(outbox)
    path.write_text("no word")
    async with scene() as play:
        async with looking(play, outbox):
            await anyio.sleep(30)
        assert caplog.text.count("cannot be read") == 1
        async with looking(play, tmp_path / "nowhere" / "results.db"):
            await anyio.sleep(1)
    assert "tasks wait for their response timeout" in caplog.text


async def test_supervisor_leaves_to_others_what_they_see_to(tmp_path: Path) -> None:
    outbox = tmp_path / "results.db"
    async with scene(outbox) as play:
        task = await play.held()
        word = Word.leave(outbox, DEAD, will())
        await play.give_back()
        assert (await play.client.get_task(task.task_id)).status == "IN_PROGRESS"
        word.close()
        await play.give_back()
        assert (await play.client.get_task(task.task_id)).status == "SCHEDULED"
    assert not list(left(outbox))


async def test_process_that_could_not_find_what_its_polls_have_lost_leaves_it_to_others(
    tmp_path: Path,
) -> None:
    outbox = tmp_path / "results.db"
    async with scene() as play:
        async with looking(play, outbox, has_lost_polls=True):
            task = await play.held(LIVING)
        assert [path.name for path in left(outbox)] == [LIVING]
        [path] = left(outbox)
        path.rename(path.with_name("host-3-gone"))
        async with looking(play, outbox):
            await anyio.sleep(1)
        assert (await play.client.get_task(task.task_id)).status == "SCHEDULED"
