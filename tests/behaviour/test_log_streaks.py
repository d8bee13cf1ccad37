"""A streak of one failure is one line at its start and one at its end, however long it is."""

import logging
import shutil
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from stage import is_update, stage

from anyworker import AuthenticationSettings, Worker
from anyworker.conductor.auth import Authentication
from anyworker.errors import TransportError
from anyworker.observe.exposition import Exposition
from anyworker.observe.ledger import Ledger
from anyworker.observe.textfile import textfile


class Trouble:
    """Answers requests to a path by a status, for as long as it has one."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.status: int | None = None
        self.times = 0

    async def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if self.status is None or not request.url.path.startswith(self.path):
            return None
        self.times += 1
        if self.status == 0:
            raise httpx.ConnectError("no way")
        return httpx.Response(self.status, json={"message": "trouble", "status": self.status})


def lines(caplog: pytest.LogCaptureFixture, word: str) -> list[str]:
    return [
        f"{record.levelname} {record.getMessage()}"
        for record in caplog.records
        if word in record.getMessage()
    ]


@pytest.mark.virtual_time
async def test_failing_polls_are_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/tasks/poll/")
    async with stage(Worker("work", lambda: 1), hook=trouble, inline=True):
        await anyio.sleep(5)
        trouble.status = 503
        await anyio.sleep(600)
        trouble.status, times = None, trouble.times
        await anyio.sleep(60)
    first, last = lines(caplog, "Polling work")
    assert times > 10
    assert first.startswith("WARNING Polling work fails, going on with backoff: ")
    assert last == f"INFO Polling work works again after {times} failed polls"


@pytest.mark.virtual_time
async def test_failing_polls_are_two_lines_also_where_the_worker_ends_first(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/tasks/poll/")
    trouble.status = 503
    async with stage(Worker("work", lambda: 1), hook=trouble, inline=True):
        await anyio.sleep(300)
    _, last = lines(caplog, "Polling work")
    assert last == f"INFO Polling work ended without an answer to its last {trouble.times} polls"


@pytest.mark.virtual_time
async def test_results_never_accepted_are_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/tasks")

    async def hook(request: httpx.Request) -> httpx.Response | None:
        return await trouble(request) if is_update(request) else None

    async with stage(Worker("work", lambda: 1), hook=hook, inline=True) as play:
        await play.define("work")
        trouble.status = 500
        await play.start()
        await anyio.sleep(15)
    _, last = lines(caplog, "Results of work")
    assert last == f"INFO Results of work were not accepted to the end, {trouble.times} attempts failed"


@pytest.mark.virtual_time
async def test_another_failure_in_a_streak_is_a_line_of_its_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/tasks/poll/")
    async with stage(Worker("work", lambda: 1), hook=trouble, inline=True):
        await anyio.sleep(5)
        trouble.status = 0
        await anyio.sleep(100)
        trouble.status, away = 401, trouble.times
        await anyio.sleep(200)
        trouble.status = None
        await anyio.sleep(100)
    first, second, last = lines(caplog, "Polling work")
    assert "no way" in first
    assert f"otherwise than the {away} polls before" in second
    assert "401" in second
    assert last == f"INFO Polling work works again after {trouble.times} failed polls"


@pytest.mark.virtual_time
async def test_results_that_are_not_accepted_are_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/tasks")
    trouble.path = "/api/tasks"

    async def hook(request: httpx.Request) -> httpx.Response | None:
        return await trouble(request) if is_update(request) else None

    async with stage(Worker("work", lambda: 1, thread_count=5), hook=hook, inline=True) as play:
        await play.define("work")
        trouble.status = 500
        ids = [await play.start() for _ in range(5)]
        await anyio.sleep(15)
        trouble.status = None
        for each in [*ids, await play.start()]:
            await play.result(each)
    first, last = lines(caplog, "Results of work")
    assert trouble.times >= 5
    assert first.startswith("WARNING Results of work are not accepted, the first of task ")
    assert last == f"INFO Results of work are accepted again after {trouble.times} failed attempts"


@pytest.mark.virtual_time
@pytest.mark.parametrize("is_mended", [True, False])
async def test_heartbeats_that_fail_are_two_lines_however_many_tasks_there_are(
    is_mended: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/tasks")

    async def hook(request: httpx.Request) -> httpx.Response | None:
        return await trouble(request) if b'"extendLease":true' in await request.aread() else None

    async def work() -> None:
        await anyio.sleep(100)

    worker = Worker("work", work, thread_count=20, lease_extend_enabled=True)
    async with stage(worker, hook=hook, inline=True) as play:
        await play.define("work", response_timeout_seconds=60, timeout_seconds=600)
        ids = [await play.start() for _ in range(20)]
        await anyio.sleep(70)
        trouble.status = 503
        await anyio.sleep(20)
        trouble.status = None if is_mended else 503
        for each in ids:
            await play.result(each)
        await anyio.sleep(200)
    first, last = lines(caplog, "eartbeat")
    assert trouble.times >= 20
    assert first.startswith("WARNING Heartbeats of work fail, the first for task ")
    end = "Heartbeats of work are accepted again after %d failed ones"
    if not is_mended:
        end = "No task of work in hand is short of a heartbeat any more, %d have failed"
    assert last == f"INFO {end % trouble.times}"


@pytest.mark.virtual_time
async def test_registration_in_vain_is_counted_in_the_line_of_its_success(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/metadata/")
    trouble.status = 503
    async with stage(Worker("work", lambda: 1, register_task_def=True), hook=trouble, inline=True):
        await anyio.sleep(60)
        trouble.status, times = None, trouble.times
        await anyio.sleep(60)
    assert times > 2
    [line] = lines(caplog, "Task definition 'work'")
    assert line == f"INFO Task definition 'work' created (after {times} failed attempts)"


@pytest.mark.virtual_time
async def test_token_that_cannot_be_renewed_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    is_away = False
    attempts: list[Any] = []

    async def fetch() -> str:
        attempts.append(is_away)
        if is_away:
            raise TransportError("away", method="POST", path="/token", may_have_arrived=False)
        return "abc"

    authentication = Authentication(b"", fetch, ttl=10_000, jitter=lambda: 0.0)
    await authentication.grant()
    is_away = True
    await anyio.sleep(9_100)
    for _ in range(50):
        await authentication.grant()
        await anyio.sleep(10)
    is_away = False
    await anyio.sleep(60)
    await authentication.grant()
    first, last = lines(caplog, "token")
    assert first.startswith("WARNING The token is not renewed, and used as long as it is good: ")
    assert last == f"INFO The token is renewed after {sum(attempts)} failed attempts"


@pytest.mark.virtual_time
async def test_registration_in_vain_to_the_end_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/metadata/")
    trouble.status = 503
    async with stage(Worker("work", lambda: 1, register_task_def=True), hook=trouble, inline=True):
        await anyio.sleep(1200)
    first, last = lines(caplog, "Task definition 'work'")
    assert first.startswith("WARNING Task definition 'work' not registered, its worker polls all the same: ")
    assert (
        last == f"INFO Task definition 'work' was not registered to the end, {trouble.times} attempts failed"
    )


@pytest.mark.virtual_time
async def test_token_never_renewed_is_two_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    trouble = Trouble("/api/token")
    settings = {
        "authentication_settings": AuthenticationSettings("key", "secret"),
        "auth_token_ttl_min": 60.0,
    }

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.startswith("/api/token"):
            return None
        return await trouble(request) or httpx.Response(200, json={"token": "abc"})

    async with stage(Worker("work", lambda: 1), hook=hook, inline=True, configuration=settings):
        await anyio.sleep(5)
        trouble.status = 500
        await anyio.sleep(3600 - 30)
    first, last = lines(caplog, "token")
    assert first.startswith("WARNING The token is not renewed, and used as long as it is good: ")
    assert last == f"INFO The token was not renewed to the end, {trouble.times} attempts failed"


@pytest.mark.parametrize("is_mended", [True, False])
def test_metrics_that_cannot_be_written_are_two_lines(
    is_mended: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "anyworker")
    file = tmp_path / "metrics" / "metrics.prom"
    told = threading.Event()
    caplog.handler.addFilter(lambda record: told.set() or True)
    with textfile(file, Exposition(Ledger()), 0.01):
        shutil.rmtree(file.parent)
        assert told.wait(10)
        if is_mended:
            file.parent.mkdir()
    first, last = lines(caplog, "Metrics")
    assert first.startswith(f"ERROR Metrics cannot be written to {file}: ")
    ending = (
        "Metrics are written to %s again after" if is_mended else "Metrics were not written to %s to the end"
    )
    assert last.startswith(f"INFO {ending % file}")
