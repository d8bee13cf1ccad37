"""Results that the attempts could not deliver: kept, sent again in the background, surfaced in the end."""

import json
from typing import Any

import anyio
import httpx
import pytest
from stage import is_update, stage

from anyworker import (
    ResultRefused,
    ResultReplayed,
    ResultStored,
    TaskInProgress,
    TaskResult,
    TaskUpdateFailure,
    Worker,
    get_task_context,
)

pytestmark = pytest.mark.virtual_time

HOUR = 3600


class Recorder:
    """Keep what happens to results."""

    def __init__(self) -> None:
        self.events: list[Any] = []
        self.on_result_stored = self.events.append
        self.on_result_replayed = self.events.append
        self.on_result_refused = self.events.append
        self.on_task_update_failure = self.events.append

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


class Outage:
    """A server that is away while it is on."""

    def __init__(self, *, only_updates: bool = False) -> None:
        self.is_on = False
        self.only_updates = only_updates

    async def __call__(self, request: httpx.Request) -> httpx.Response | None:
        is_result = is_update(request)
        if self.is_on and (is_result or not self.only_updates):
            message = "refused"
            raise httpx.ConnectError(message)
        return None


async def test_outage_of_an_hour_loses_no_result_and_frees_the_slots() -> None:
    outage, recorder = Outage(only_updates=True), Recorder()
    async with stage(
        Worker("work", lambda: {"worth": 1}, thread_count=2),
        hook=outage,
        event_listeners=[recorder],
        inline=True,
    ) as play:
        await play.define("work", response_timeout_seconds=2 * HOUR)
        outage.is_on = True
        workflows = [await play.start() for _ in range(6)]
        await anyio.sleep(HOUR)
        worker = play.fleet.status().workers[0]
        assert (worker.in_hand, worker.undelivered, worker.finished) == (0, 0, 6)
        outage.is_on = False
        await anyio.sleep(40)
        states = [(await play.client.get_workflow(each)).status for each in workflows]
    assert states == ["COMPLETED"] * 6
    assert len(recorder.of(ResultStored)) == len(recorder.of(ResultReplayed)) == 6
    assert not any(event.is_persistent for event in recorder.of(ResultStored))
    assert recorder.of(ResultReplayed)[0].waited_ms > HOUR / 2 * 1000
    assert play.fleet.status().is_everything_handed_over


async def test_results_are_replayed_oldest_first() -> None:
    outage, recorder = Outage(), Recorder()
    order: list[str] = []

    async def work(n: int) -> dict[str, int]:
        await anyio.sleep(n)
        return {"n": n}

    async with stage(
        Worker("work", work, thread_count=5), hook=outage, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work")
        for n in (5, 4, 3, 2, 1):
            await play.start({"n": n})
        await anyio.sleep(0.5)
        outage.is_on = True
        await anyio.sleep(600)
        order = [event.task_id for event in recorder.of(ResultStored)]
        outage.is_on = False
        await anyio.sleep(60)
    # The first one shows that the server is back, the others follow side by side.
    replayed = [event.task_id for event in recorder.of(ResultReplayed)]
    assert replayed[0] == order[0]
    assert sorted(replayed) == sorted(order)
    assert len(order) == 5


async def test_server_that_is_away_is_asked_twice_a_minute_at_most_four_times() -> None:
    outage = Outage(only_updates=True)
    async with stage(Worker("work", lambda: 1, thread_count=3), hook=outage, inline=True) as play:
        await play.define("work")
        outage.is_on = True
        for _ in range(3):
            await play.start()
        await anyio.sleep(600)
        before = len(play.tap.updates())
        await anyio.sleep(600)
        assert 20 <= len(play.tap.updates()) - before <= 41
        outage.is_on = False


async def test_result_that_the_server_cannot_digest_does_not_hold_up_the_others() -> None:
    recorder = Recorder()

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if not is_update(request):
            return None
        if is_on or b'"poison"' in request.content:
            return httpx.Response(500, json={"message": "indigestible"})
        return None

    is_on = [1]
    async with stage(
        Worker("work", lambda name: {"name": name}, thread_count=2),
        hook=hook,
        event_listeners=[recorder],
        inline=True,
    ) as play:
        await play.define("work")
        await play.start({"name": "poison"})
        await anyio.sleep(1)
        good = await play.start({"name": "good"})
        await anyio.sleep(100)
        is_on.clear()
        await anyio.sleep(100)
        assert (await play.client.get_workflow(good)).status == "COMPLETED"
    assert play.fleet.status().workers[0].undelivered == 1


async def test_result_of_a_task_that_has_ended_is_refused_with_the_servers_words() -> None:
    outage, recorder = Outage(only_updates=True), Recorder()
    async with stage(
        Worker("work", lambda: {"worth": 1}), hook=outage, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", retry_count=0)
        outage.is_on = True
        workflow_id = await play.start()
        await anyio.sleep(100)
        await play.client.terminate_workflow(workflow_id, reason="not needed")
        outage.is_on = False
        before = len(play.tap.updates())
        await anyio.sleep(60)
        assert len(play.tap.updates()) == before
    [refused] = recorder.of(ResultRefused)
    assert "CANCELED" in refused.reason
    assert refused.task_result.output_data == {"worth": 1}
    assert refused.workflow_instance_id == workflow_id
    assert play.fleet.status().workers[0].undelivered == 1


async def test_result_whose_answer_was_lost_is_not_sent_again() -> None:
    recorder = Recorder()
    lost: list[int] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request) and len(lost) < 4:
            lost.append(1)
            if len(lost) == 4:
                await play.tap.inner.handle_async_request(request)
            message = "answer lost"
            raise httpx.ReadTimeout(message)
        return None

    async with stage(Worker("work", lambda: 1), hook=hook, event_listeners=[recorder], inline=True) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(100)
    assert len(play.tap.updates()) == 4
    assert len(recorder.of(ResultReplayed)) == 1
    assert play.fleet.status().is_everything_handed_over


async def test_progress_in_the_outbox_is_sent_only_while_nobody_else_has_the_task() -> None:
    outage, recorder = Outage(only_updates=True), Recorder()

    async def work() -> object:
        return TaskInProgress(0) if get_task_context().get_poll_count() == 1 else {"done": True}

    async with stage(Worker("work", work), hook=outage, event_listeners=[recorder], inline=True) as play:
        await play.define("work")
        outage.is_on = True
        workflow_id = await play.start()
        await anyio.sleep(100)
        assert len(recorder.of(ResultStored)) == 1
        outage.is_on = False
        assert (await play.result(workflow_id)).status == "COMPLETED"
    statuses = [json.loads(update.body)["status"] for update in play.tap.updates()]
    assert statuses[-2:] == ["IN_PROGRESS", "COMPLETED"]


async def test_what_is_left_at_the_end_has_one_last_attempt_and_is_surfaced() -> None:
    outage, recorder = Outage(only_updates=True), Recorder()
    async with stage(
        Worker("work", lambda: {"worth": 1}), hook=outage, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work")
        outage.is_on = True
        await play.start()
        await anyio.sleep(300)
        ending = anyio.current_time()
    assert play.tap.updates()[-1].at >= ending
    first, last = recorder.of(TaskUpdateFailure)
    assert first.retry_count == 4
    assert last.retry_count == len(play.tap.updates()) > 4
    assert last.task_result.output_data == {"worth": 1}
    assert play.fleet.status().workers[0].undelivered == 1
    assert not play.fleet.status().is_everything_handed_over


async def test_last_attempt_delivers_where_the_server_is_back() -> None:
    outage = Outage(only_updates=True)
    async with stage(Worker("work", lambda: 1, thread_count=20), hook=outage, inline=True) as play:
        await play.define("work")
        outage.is_on = True
        workflows = [await play.start() for _ in range(20)]
        await anyio.sleep(600)
        outage.is_on = False
    assert play.fleet.status().is_everything_handed_over
    assert workflows


@pytest.mark.parametrize("limit", ["MAX_RESULTS", "MAX_BYTES"])
async def test_outbox_that_is_full_refuses_the_newest_loudly(
    limit: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    outage, recorder = Outage(only_updates=True), Recorder()
    async with stage(Worker("work", lambda: 1), hook=outage, event_listeners=[recorder], inline=True) as play:
        storage = play.fleet.outbox._memory
        monkeypatch.setattr(storage, "_" + limit.lower(), {"MAX_RESULTS": 2, "MAX_BYTES": 500}[limit])
        await play.define("work")
        outage.is_on = True
        for _ in range(4):
            await play.start()
        await anyio.sleep(600)
        stored, failed = recorder.of(ResultStored), recorder.of(TaskUpdateFailure)
        assert 1 <= len(stored) < 4
        assert len(failed) == 4
        assert play.fleet.status().workers[0].undelivered == 4 - len(stored)
        assert "outbox is full" in caplog.text
        outage.is_on = False


async def test_result_under_a_worker_id_of_the_functions_own_is_recognised_after_a_lost_answer() -> None:
    recorder = Recorder()
    sent: list[int] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request):
            sent.append(1)
            await play.tap.inner.handle_async_request(request)
            message = "answer lost"
            raise httpx.ReadTimeout(message)
        return None

    def work() -> TaskResult:
        return TaskResult(status="COMPLETED", worker_id="somebody", output_data={"worth": 1})

    async with stage(Worker("work", work), hook=hook, event_listeners=[recorder], inline=True) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(100)
    assert len(recorder.of(ResultReplayed)) == 1
    assert not recorder.of(ResultRefused)
    assert len(sent) == 4
