"""An outbox in a file: what survives the process, what goes on without, who replays."""

import json
import sqlite3
import stat
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from stage import is_update, stage

from anyworker import OutboxFailure, OutboxSettings, ResultRefused, ResultReplayed, ResultStored, Worker
from anyworker.devserver import DevServer

pytestmark = [pytest.mark.virtual_time, pytest.mark.blocking]


class Recorder:
    """Keep what happens to results."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.on_result_stored = self.events.append
        self.on_result_replayed = self.events.append
        self.on_result_refused = self.events.append
        self.on_outbox_failure = self.events.append

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Outage:
    """Updates that fail while it is on."""

    def __init__(self) -> None:
        self.is_on = False
        self.updates = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if is_update(request):
            self.updates += 1
            if self.is_on:
                message = "refused"
                raise httpx.ConnectError(message)
        return None


def rows(path: Path, columns: str = "state") -> list[Any]:
    with sqlite3.connect(path) as connection:
        found = connection.execute(f"SELECT {columns} FROM results ORDER BY id").fetchall()
    connection.close()
    return [row[0] if len(row) == 1 else row for row in found]


@pytest.mark.parametrize("write_ahead", [False, True])
async def test_result_survives_the_process_and_is_replayed_at_the_next_start(
    tmp_path: Path, write_ahead: bool
) -> None:
    server, outage, recorder = DevServer(), Outage(), Recorder()
    settings = OutboxSettings(tmp_path / "outbox.db", write_ahead=write_ahead)
    worker = Worker("work", lambda: {"worth": 1})
    async with stage(
        worker, server=server, hook=outage, outbox=settings, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work")
        outage.is_on = True
        workflow_id = await play.start()
        await anyio.sleep(100)
    assert play.fleet.status().is_everything_handed_over
    assert [event.is_persistent for event in recorder.of(ResultStored)] == [True]
    assert rows(tmp_path / "outbox.db") == ["waiting"]
    assert stat.S_IMODE((tmp_path / "outbox.db").stat().st_mode) == 0o600
    async with stage(worker, server=server, outbox=settings, event_listeners=[recorder], inline=True) as play:
        await anyio.sleep(5)
        assert (await play.client.get_workflow(workflow_id)).output == {"worth": 1}
    assert len(recorder.of(ResultReplayed)) == 1
    assert rows(tmp_path / "outbox.db") == []


async def test_grace_that_ends_during_an_outage_leaves_the_result_in_the_file(tmp_path: Path) -> None:
    outage = Outage()
    path = tmp_path / "outbox.db"
    async with stage(Worker("work", lambda: 1), hook=outage, outbox=str(path), inline=True, grace=2) as play:
        await play.define("work")
        outage.is_on = True
        await play.start()
        await anyio.sleep(1)
    assert rows(path) == ["waiting"]
    assert play.fleet.status().is_everything_handed_over


async def test_written_ahead_before_the_first_attempt_and_forgotten_after_acceptance(tmp_path: Path) -> None:
    path, seen = tmp_path / "outbox.db", []

    async def hook(request: httpx.Request) -> None:
        if is_update(request):
            seen.extend(rows(path, "state, body"))

    async with stage(
        Worker("work", lambda: {"worth": 1}),
        hook=hook,
        outbox=OutboxSettings(path, write_ahead=True),
        inline=True,
    ) as play:
        await play.define("work")
        await play.play()
        await anyio.sleep(1)
        assert rows(path) == []
    [(state, body)] = seen
    assert state == "ahead"
    assert json.loads(body)["outputData"] == {"worth": 1}


async def test_refused_result_is_kept_with_the_servers_words(tmp_path: Path) -> None:
    outage, recorder, path = Outage(), Recorder(), tmp_path / "outbox.db"
    async with stage(
        Worker("work", lambda: 1), hook=outage, outbox=path, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work")
        outage.is_on = True
        workflow_id = await play.start()
        await anyio.sleep(100)
        await play.client.terminate_workflow(workflow_id, reason="not needed")
        outage.is_on = False
        await anyio.sleep(60)
    [(state, error)] = rows(path, "state, error")
    assert state == "refused"
    assert "CANCELED" in error
    assert [event.is_persistent for event in recorder.of(ResultRefused)] == [True]
    assert play.fleet.status().is_everything_handed_over


async def test_unknown_task_is_kept_as_refused_at_once(tmp_path: Path) -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request):
            return httpx.Response(404, json={"status": 404, "message": "No such task found by id: x"})
        return None

    path = tmp_path / "outbox.db"
    async with stage(Worker("work", lambda: 1), hook=hook, outbox=path, inline=True) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(10)
    [(state, error)] = rows(path, "state, error")
    assert state == "refused"
    assert "No such task" in error


def corrupt(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)


def newer(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(
        f"PRAGMA application_id = {0x616E7977}; PRAGMA user_version = 999; CREATE TABLE results (id);"
    )
    connection.close()


def foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE customers (name)")
    connection.close()


def directory(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (corrupt, "not a database"),
        (newer, "newer anyworker"),
        (foreign, "something else"),
        (directory, "cannot be opened"),
    ],
)
async def test_worker_goes_on_without_a_file_that_cannot_be_used_and_says_so(
    spoil: Any, words: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    outage, recorder, path = Outage(), Recorder(), tmp_path / "outbox.db"
    spoil(path)
    async with stage(
        Worker("work", lambda: {"worth": 1}),
        hook=outage,
        outbox=OutboxSettings(path, write_ahead=True),
        event_listeners=[recorder],
        inline=True,
    ) as play:
        await play.define("work")
        outage.is_on = True
        workflow_id = await play.start()
        await anyio.sleep(100)
        assert [event.is_persistent for event in recorder.of(ResultStored)] == [False]
        assert words in (play.fleet.outbox.trouble or "")
        outage.is_on = False
        assert (await play.result(workflow_id)).output == {"worth": 1}
    [event] = recorder.of(OutboxFailure)
    assert words in str(event.cause)
    assert words in caplog.text


async def test_file_that_becomes_usable_takes_over_what_is_in_memory(tmp_path: Path) -> None:
    outage, path = Outage(), tmp_path / "later" / "outbox.db"
    async with stage(Worker("work", lambda: 1), hook=outage, outbox=path, inline=True) as play:
        await play.define("work")
        outage.is_on = True
        await play.start()
        await anyio.sleep(100)
        assert play.fleet.outbox.waiting == 1
        path.parent.mkdir()
        await anyio.sleep(40)
        assert play.fleet.outbox.trouble is None
    assert rows(path) == ["waiting"]


async def test_one_of_two_fleets_on_one_file_replays(tmp_path: Path) -> None:
    server, outage, recorders = DevServer(), Outage(), [Recorder(), Recorder()]
    path = tmp_path / "outbox.db"
    worker = Worker("work", lambda: 1, thread_count=2)
    async with (
        stage(
            worker,
            server=server,
            hook=outage,
            outbox=path,
            event_listeners=[recorders[0]],
            inline=True,
        ) as first,
        stage(worker, server=server, hook=outage, outbox=path, event_listeners=[recorders[1]], inline=True),
    ):
        await first.define("work")
        outage.is_on = True
        workflows = [await first.start() for _ in range(4)]
        await anyio.sleep(150)
        outage.is_on, before = False, outage.updates
        await anyio.sleep(60)
        assert outage.updates - before == 4
        for each in workflows:
            assert (await first.client.get_workflow(each)).status == "COMPLETED"
    assert sorted(len(recorder.of(ResultReplayed)) for recorder in recorders) == [0, 4]
    assert rows(path) == []


async def test_cancelled_host_leaves_results_in_the_file(tmp_path: Path) -> None:
    outage, path = Outage(), tmp_path / "outbox.db"
    with anyio.CancelScope() as scope:
        async with stage(
            Worker("work", lambda: 1, thread_count=2), hook=outage, outbox=path, inline=True
        ) as play:
            await play.define("work")
            outage.is_on = True
            await play.start()
            await anyio.sleep(100)
            await play.start()
            await anyio.sleep(1)
            scope.cancel()
            await anyio.sleep(1)
    assert rows(path) == ["waiting", "waiting"]
    assert play.fleet.status().is_everything_handed_over


async def test_result_whose_delivery_never_ends_is_in_the_file_in_the_end(tmp_path: Path) -> None:
    async def hook(request: httpx.Request) -> None:
        if is_update(request):
            await anyio.sleep(1000)

    path = tmp_path / "outbox.db"
    async with stage(Worker("work", lambda: 1), hook=hook, outbox=path, inline=True, grace=1) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(2)
    assert rows(path) == ["waiting"]
    assert play.fleet.status().workers[0].undelivered == 0


async def test_results_for_another_server_are_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    outage, path = Outage(), tmp_path / "outbox.db"
    async with stage(Worker("work", lambda: 1), hook=outage, outbox=path, inline=True, grace=0) as play:
        await play.define("work")
        outage.is_on = True
        await play.start()
        await anyio.sleep(1)
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE results SET server = 'http://moved/api'")
    connection.close()
    async with stage(Worker("work", lambda: 1), outbox=path, inline=True):
        await anyio.sleep(20)
    assert "1 results in the outbox" in caplog.text
    assert "http://moved/api" in caplog.text
    assert rows(path) == ["waiting"]


async def test_many_results_in_memory_are_in_the_file_soon_after_it_is_there(tmp_path: Path) -> None:
    """Not only at the end, which SIGKILL would not wait for."""
    outage, path = Outage(), tmp_path / "later" / "outbox.db"
    worker = Worker("work", lambda: 1, thread_count=100)
    async with stage(worker, hook=outage, outbox=path, inline=True, update_retry_delays=()) as play:
        await play.define("work")
        outage.is_on = True
        for _ in range(1200):
            await play.start()
        await anyio.sleep(20)
        assert play.fleet.outbox.waiting == 1200
        path.parent.mkdir()
        await anyio.sleep(60)
        assert play.fleet.outbox.waiting == 0
        assert len(rows(path)) == 1200
        outage.is_on = False
        await anyio.sleep(120)
        assert rows(path) == []


async def test_disk_with_room_again_at_the_end_takes_what_is_in_memory(tmp_path: Path) -> None:
    outage, path = Outage(), tmp_path / "later" / "outbox.db"
    async with stage(
        Worker("work", lambda: 1), hook=outage, outbox=path, inline=True, update_retry_delays=()
    ) as play:
        await play.define("work")
        outage.is_on = True
        await play.start()
        await anyio.sleep(31)
        path.parent.mkdir()
    assert rows(path) == ["waiting"]
    assert play.fleet.status().is_everything_handed_over


def remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink()


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_results_of_a_file_that_is_removed_while_in_use_are_delivered_all_the_same(
    tmp_path: Path, is_replaced: bool
) -> None:
    outage, recorder, path = Outage(), Recorder(), tmp_path / "outbox.db"
    worker = Worker("work", lambda: 1, thread_count=3)
    async with stage(
        worker,
        hook=outage,
        outbox=path,
        inline=True,
        update_retry_delays=(),
        event_listeners=[recorder],
    ) as play:
        await play.define("work")
        outage.is_on = True
        ids = [await play.start() for _ in range(3)]
        await anyio.sleep(10)
        remove(path)
        if is_replaced:
            path.touch()
        await anyio.sleep(10)
        assert "removed or replaced while in use" in (play.fleet.outbox.trouble or "")
        assert play.fleet.outbox.waiting == 3
        await anyio.sleep(200)
        outage.is_on = False
        await anyio.sleep(100)
        assert {(await play.client.get_workflow(each)).status for each in ids} == {"COMPLETED"}
    assert len(recorder.of(OutboxFailure)) == 1
    assert play.fleet.status().is_everything_handed_over
