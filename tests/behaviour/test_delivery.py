"""Results: sent again where that can help, replaced where it cannot, never sent where it would do harm."""

import json
from collections.abc import Callable

import anyio
import attrs
import httpx
import pytest
from stage import Stage, is_update, stage

from anyworker import TaskInProgress, TaskRunnerEventsListener, TaskUpdateFailure, Worker, get_task_context

pytestmark = pytest.mark.virtual_time


class Lost(TaskRunnerEventsListener):
    """Keep what could not be delivered."""

    def __init__(self) -> None:
        self.events: list[TaskUpdateFailure] = []

    def on_task_update_failure(self, event: TaskUpdateFailure) -> None:
        self.events.append(event)


@attrs.define
class Script:
    """Answer the updates by a list: a status, an exception, or None for the real server."""

    answers: list[int | httpx.TransportError | None]
    after_the_effect: bool = False
    server: Callable[[httpx.Request], object] | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if not is_update(request) or not self.answers:
            return None
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            return None
        return httpx.Response(answer, json={"status": answer, "message": "scripted"})


async def one_task(script: Script, lost: Lost | None = None) -> tuple[Stage, str]:
    async with stage(
        Worker("work", lambda: {"worth": 1}), hook=script, event_listeners=[lost or Lost()], inline=True
    ) as play:
        await play.define("work", retry_count=0)
        workflow_id = await play.start()
        await anyio.sleep(100)
        return play, (await play.client.get_workflow(workflow_id)).status


async def test_result_is_accepted_at_the_fourth_attempt() -> None:
    play, status = await one_task(Script([500, 503, httpx.ConnectError("refused")]))
    assert status == "COMPLETED"
    assert len(play.tap.updates()) == 4


async def test_slot_is_held_until_the_result_is_accepted() -> None:
    async with stage(
        Worker("work", lambda: 1, thread_count=1), hook=Script([503, None]), inline=True
    ) as play:
        await play.define("work")
        await play.start()
        second = await play.start()
        await anyio.sleep(5)
        assert play.fleet.status().workers[0].in_hand == 1
        assert (await play.client.get_workflow(second)).status == "RUNNING"
        assert len(play.tap.updates()) == 1
        await anyio.sleep(10)
        assert (await play.client.get_workflow(second)).status == "COMPLETED"


async def test_answer_lost_after_the_effect_is_made_up_for_by_sending_again() -> None:
    """A terminal result may be sent twice: the server ignores the second."""
    play, status = await one_task(Script([httpx.ReadTimeout("slow"), None]))
    assert status == "COMPLETED"
    assert len(play.tap.updates()) == 2


async def test_unknown_task_is_given_up_at_once() -> None:
    lost = Lost()
    play, _ = await one_task(Script([404]), lost)
    assert len(play.tap.updates()) == 1
    assert lost.events[0].retry_count == 1
    assert lost.events[0].task_result.output_data == {"worth": 1}


async def test_rejected_result_becomes_a_failure_with_the_servers_reason_within_a_second() -> None:
    async with stage(Worker("work", lambda: {"worth": 1}), hook=Script([413]), inline=True) as play:
        await play.define("work", retry_count=0)
        began = anyio.current_time()
        workflow = await play.play()
        assert anyio.current_time() - began < 1
    first, second = (json.loads(update.body) for update in play.tap.updates())
    assert (first["status"], second["status"]) == ("COMPLETED", "FAILED")
    assert "the server rejected the result" in second["reasonForIncompletion"]
    assert "scripted" in second["reasonForIncompletion"]
    assert workflow.status == "FAILED"


async def test_result_rejected_twice_is_surfaced() -> None:
    lost = Lost()
    play, _ = await one_task(Script([400, 400]), lost)
    assert len(play.tap.updates()) == 2
    assert len(lost.events) == 1


async def test_retry_after_is_honoured() -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request) and not refused:
            refused.append(anyio.current_time())
            return httpx.Response(429, headers={"Retry-After": "45"}, json={"message": "slow down"})
        return None

    refused: list[float] = []
    async with stage(Worker("work", lambda: 1), hook=hook, inline=True) as play:
        await play.define("work")
        await play.play()
    times = [update.at for update in play.tap.updates()]
    assert times[1] - times[0] == pytest.approx(45, abs=0.1)


async def test_progress_whose_answer_was_lost_is_not_sent_again_once_somebody_has_polled_the_task() -> None:
    """A second IN_PROGRESS would give the task to two workers."""
    calls = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request) and not swallowed:
            swallowed.append(1)
            await play.tap.inner.handle_async_request(request)
            message = "answer lost"
            raise httpx.ReadError(message)
        return None

    async def work() -> object:
        calls.append(get_task_context().get_poll_count())
        return TaskInProgress(0, {"turn": len(calls)}) if len(calls) == 1 else {"turns": len(calls)}

    swallowed: list[int] = []
    async with stage(Worker("work", work, thread_count=2), hook=hook, inline=True) as play:
        await play.define("work")
        workflow = await play.play()
        await anyio.sleep(100)
    statuses = [json.loads(update.body)["status"] for update in play.tap.updates()]
    assert statuses == ["IN_PROGRESS", "COMPLETED"]
    assert calls == [1, 2]
    assert workflow.output == {"turns": 2}


async def test_progress_that_never_arrived_is_sent_again() -> None:
    calls = []

    async def work() -> object:
        calls.append(1)
        return TaskInProgress(0) if len(calls) == 1 else {"turns": len(calls)}

    async with stage(
        Worker("work", work), hook=Script([httpx.ReadTimeout("lost on the way")]), inline=True
    ) as play:
        await play.define("work")
        workflow = await play.play()
    statuses = [json.loads(update.body)["status"] for update in play.tap.updates()]
    assert statuses == ["IN_PROGRESS", "IN_PROGRESS", "COMPLETED"]
    assert workflow.output == {"turns": 2}


@pytest.mark.parametrize(
    "ending", [httpx.Response(404, json={"message": "no such task"}), "terminated"], ids=["404", "terminated"]
)
async def test_progress_that_never_arrived_is_surfaced_where_its_task_has_ended(
    ending: httpx.Response | str,
) -> None:
    lost = Lost()

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request):
            message = "lost on the way"
            raise httpx.ReadTimeout(message)
        is_look = "/tasks/" in request.url.path and "/poll/" not in request.url.path
        return ending if is_look and isinstance(ending, httpx.Response) else None

    async with stage(
        Worker("work", lambda: TaskInProgress(0, {"page": 7})), hook=hook, event_listeners=[lost], inline=True
    ) as play:
        await play.define("work")
        workflow_id = await play.start()
        await anyio.sleep(5)
        if ending == "terminated":
            await play.client.terminate_workflow(workflow_id)
        await anyio.sleep(100)
        assert len(play.tap.updates()) == 1
    assert {str(event.task_result.output_data) for event in lost.events} == {"{'page': 7}"}
    assert play.fleet.status().workers[0].undelivered == 1


async def test_progress_answered_by_a_proxys_page_is_not_sent_again_where_it_arrived() -> None:
    pages: list[httpx.Response] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if not is_update(request) or pages:
            return None
        await play.tap.inner.handle_async_request(request)
        pages.append(httpx.Response(200, html="<!doctype html><title>Sign in</title>"))
        return pages[0]

    async with stage(Worker("work", lambda: TaskInProgress(3600)), hook=hook, inline=True) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(100)
        assert len(play.tap.updates()) == 1


async def test_attempts_and_their_delays_are_configurable() -> None:
    script = Script([503, 503])
    async with stage(Worker("work", lambda: 1), hook=script, inline=True, update_retry_delays=(1, 1)) as play:
        await play.define("work")
        began = anyio.current_time()
        await play.play()
        assert anyio.current_time() - began < 3
    assert len(play.tap.updates()) == 3
