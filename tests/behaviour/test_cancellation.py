"""Tasks that ended on the server, and functions that are told so."""

import itertools
import threading
from typing import Any

import anyio
import httpx
import pytest
from stage import Seen, Stage, stage

from anyworker import TaskCancelled, Worker, check_cancelled, get_task_context
from anyworker.errors import CallCancelled
from anyworker.policy.cancellation import CancelReason, LeaseLost, Terminated, TimedOut, TimeoutExceeded


class Heard:
    """Keep the cancellations."""

    def __init__(self) -> None:
        self.events: list[TaskCancelled] = []
        self.on_task_cancelled = self.events.append


def looks(play: Stage) -> list[Seen]:
    return [seen for seen in play.tap.seen if seen.method == "GET" and seen.path.count("/") == 2]


class Endless:
    """A function that goes on until it is cancelled and keeps the reason."""

    def __init__(self) -> None:
        self.reasons: list[CancelReason | None] = []
        self.cancelled_at: list[float] = []

    async def __call__(self) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            self.reasons.append(get_task_context().cancel_reason)
            self.cancelled_at.append(anyio.current_time())


@pytest.mark.virtual_time
@pytest.mark.parametrize("extends", [True, False])
async def test_terminated_workflow_cancels_the_function_and_sends_nothing(extends: bool) -> None:
    work, heard = Endless(), Heard()
    worker = Worker("work", work, lease_extend_enabled=extends)
    async with stage(worker, event_listeners=[heard], inline=True) as play:
        await play.define("work", response_timeout_seconds=30)
        workflow_id = await play.start()
        await anyio.sleep(20)
        await play.client.terminate_workflow(workflow_id, reason="not needed")
        await anyio.sleep(15)
        assert play.fleet.status().workers[0].in_hand == 0
    [reason] = work.reasons
    assert isinstance(reason, Terminated)
    assert [event.reason for event in heard.events] == [reason]
    assert heard.events[0].late_result is None
    assert [seen for seen in play.tap.updates() if b'extendLease":true' not in seen.body] == []


@pytest.mark.virtual_time
async def test_task_that_the_server_gave_away_is_noticed_without_leases() -> None:
    work = Endless()
    async with stage(Worker("work", work, thread_count=1), inline=True) as play:
        await play.define("work", response_timeout_seconds=5, retry_count=0)
        await play.start()
        await anyio.sleep(25)
    assert isinstance(work.reasons[0], TimedOut)


@pytest.mark.virtual_time
async def test_short_tasks_are_not_looked_up() -> None:
    async def work() -> None:
        await anyio.sleep(7.9)

    async with stage(Worker("work", work, thread_count=20), inline=True) as play:
        await play.define("work")
        ids = [await play.start() for _ in range(20)]
        for workflow_id in ids:
            await play.result(workflow_id)
    assert looks(play) == []


@pytest.mark.virtual_time
async def test_looks_are_bounded_however_many_tasks_run() -> None:
    async with stage(Worker("work", Endless(), thread_count=300), inline=True) as play:
        await play.define("work", timeout_seconds=0)
        for _ in range(300):
            await play.start()
        await anyio.sleep(100)
        times = [seen.at for seen in looks(play)]
        await play.fleet.stop()
    assert len(times) > 600
    assert all(len([at for at in times if second <= at < second + 1]) <= 11 for second in range(100))


@pytest.mark.virtual_time
async def test_look_that_fails_or_hangs_changes_nothing() -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if request.method == "GET" and request.url.path.count("/") == 3:
            answers.append(1)
            if len(answers) == 1:
                await anyio.sleep_forever()
            return httpx.Response(500, json={"message": "broken"})
        return None

    async def work() -> str:
        await anyio.sleep(60)
        return "done"

    answers: list[int] = []
    async with stage(Worker("work", work), hook=hook, inline=True) as play:
        await play.define("work")
        assert (await play.play()).status == "COMPLETED"
    assert len(answers) > 2


@pytest.mark.virtual_time
async def test_heartbeat_accepted_after_failures_is_not_taken_for_a_lease() -> None:
    """The server accepts it for a task that has ended, too; an old task is looked up once a minute only."""

    async def hook(request: httpx.Request) -> httpx.Response | None:
        is_heartbeat = b'"extendLease":true' in await request.aread()
        is_broken = is_heartbeat and 600 <= anyio.current_time() <= 640
        return httpx.Response(500, json={"message": "broken"}) if is_broken else None

    work = Endless()
    worker = Worker("work", work, lease_extend_enabled=True)
    async with stage(worker, hook=hook, inline=True) as play:
        await play.define("work", response_timeout_seconds=120, timeout_seconds=0)
        workflow_id = await play.start()
        await anyio.sleep(635)
        before = [seen.at for seen in looks(play)]
        await play.client.terminate_workflow(workflow_id)
        await anyio.sleep(60)
        await play.fleet.stop()
    assert all(pause > 40 for pause in [later - at for at, later in itertools.pairwise(before) if at > 400])
    assert 635 <= work.cancelled_at[0] <= 655


@pytest.mark.virtual_time
async def test_task_whose_id_no_url_can_hold_is_left_alone() -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.startswith("/api/tasks/poll") or given:
            return None
        given.append(1)
        return httpx.Response(200, json=[{"taskId": "a/b", "workflowInstanceId": "w", "taskDefName": "work"}])

    async def work() -> None:
        await anyio.sleep(30)

    given: list[int] = []
    async with stage(Worker("work", work), hook=hook, inline=True) as play:
        await anyio.sleep(60)
        assert play.fleet.status().workers[0].finished == 1


@pytest.mark.virtual_time
async def test_lost_lease_leaves_a_late_result_to_the_event() -> None:
    heard = Heard()

    async def hook(request: httpx.Request) -> httpx.Response | None:
        is_heartbeat = b'"extendLease":true' in await request.aread()
        return httpx.Response(500, json={"message": "broken"}) if is_heartbeat else None

    async def work() -> dict[str, int]:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(8)
        return {"worth": 1}

    worker = Worker("work", work, lease_extend_enabled=True)
    async with stage(worker, hook=hook, event_listeners=[heard], inline=True) as play:
        await play.define("work", response_timeout_seconds=5, retry_count=0)
        await play.start()
        await anyio.sleep(20)
    [event] = heard.events
    assert event.reason == LeaseLost()
    assert event.late_result is not None
    assert event.late_result.output_data == {"worth": 1}
    assert [seen for seen in play.tap.updates() if b'"extendLease":true' not in seen.body] == []


@pytest.mark.virtual_time
@pytest.mark.parametrize("options", [{"timeout": 20}, {}], ids=["timeout", "terminated"])
async def test_function_that_swallows_its_cancellation_is_named(
    options: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    async def stubborn() -> str:
        for _ in range(60):
            try:
                await anyio.sleep(1)
            except anyio.get_cancelled_exc_class():
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(1)
        return "too late"

    async with stage(Worker("work", stubborn, **options), inline=True) as play:
        await play.define("work", retry_count=0)
        workflow_id = await play.start()
        await anyio.sleep(15)
        if not options:
            await play.client.terminate_workflow(workflow_id)
        await anyio.sleep(120)
        task = (await play.client.get_workflow(workflow_id)).tasks[0]
    named = [record.getMessage() for record in caplog.records if "swallows" in record.getMessage()]
    assert len(named) == 1
    assert "type work" in named[0]
    assert task.status == ("FAILED" if options else "CANCELED")
    assert task.output_data == {}


async def test_plain_function_sees_that_it_is_cancelled_and_its_thread_ends() -> None:
    seen: list[object] = []
    ended = threading.Event()

    def work() -> None:
        try:
            while True:
                check_cancelled()
                ended.wait(0.01)
        except CallCancelled as cancelled:
            seen.extend([get_task_context().cancelled, cancelled.reason, str(cancelled)])
            raise

    with anyio.fail_after(10):
        async with stage(Worker("work", work, timeout=0.1)) as play:
            await play.define("work", retry_count=0)
            workflow = await play.play()
            while play.fleet.status().workers[0].threads:  # noqa: ASYNC110 - threads tell no event
                await anyio.sleep(0.01)
    assert workflow.tasks[0].reason_for_incompletion == "took longer than timeout=0.1 seconds"
    assert seen == [True, TimeoutExceeded(0.1), f"cancelled: {TimeoutExceeded(0.1)}"]


@pytest.mark.virtual_time
async def test_function_that_is_not_cancelled_passes_the_check() -> None:
    def work() -> str:
        check_cancelled()
        return "fine"

    async with stage(Worker("work", work), inline=True) as play:
        await play.define("work")
        assert (await play.play()).status == "COMPLETED"
