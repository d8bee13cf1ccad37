"""What a function comes to although its call was given up: nobody takes it, an event carries it."""

import threading
from collections.abc import Iterator

import anyio
import httpx
import pytest
from stage import Stage, stage

from anyworker import ResultRefused, TaskCancelled, Worker, check_cancelled
from anyworker.policy.cancellation import TimeoutExceeded


class Heard:
    """Keep the results that nobody takes."""

    def __init__(self) -> None:
        self.refused: list[ResultRefused] = []
        self.cancelled: list[TaskCancelled] = []
        self.on_result_refused = self.refused.append
        self.on_task_cancelled = self.cancelled.append


@pytest.fixture
def release() -> Iterator[threading.Event]:
    event = threading.Event()
    yield event
    event.set()


async def until_leaked(play: Stage, count: int) -> None:
    while play.fleet.status().workers[0].leaked != count:  # noqa: ASYNC110 - threads tell no event
        await anyio.sleep(0.01)


async def broken_heartbeats(request: httpx.Request) -> httpx.Response | None:
    is_heartbeat = b'"extendLease":true' in await request.aread()
    return httpx.Response(500, json={"message": "broken"}) if is_heartbeat else None


async def test_result_of_a_thread_whose_lease_was_lost_is_told(release: threading.Event) -> None:
    def work() -> dict[str, int]:
        release.wait(20)
        return {"worth": 1}

    heard = Heard()
    worker = Worker("work", work, lease_extend_enabled=True)
    with anyio.fail_after(20):
        async with stage(worker, hook=broken_heartbeats, event_listeners=[heard]) as play:
            await play.define("work", response_timeout_seconds=1, retry_count=0)
            await play.start()
            await until_leaked(play, 1)
            assert [event.late_result for event in heard.cancelled] == [None]
            release.set()
            await until_leaked(play, 0)
    [event] = heard.refused
    assert (event.task_type, event.is_persistent) == ("work", False)
    assert event.task_result.output_data == {"worth": 1}
    assert event.task_result.status == "COMPLETED"
    assert "the lease of the task was lost" in event.reason
    assert [seen for seen in play.tap.updates() if b'"extendLease":true' not in seen.body] == []


@pytest.mark.parametrize("ends", ["returns", "raises", "obeys"])
async def test_end_of_a_thread_beyond_its_timeout_is_told_unless_it_obeys(
    ends: str, release: threading.Event
) -> None:
    def work() -> str:
        release.wait(20)
        if ends == "obeys":
            check_cancelled()
        if ends == "raises":
            raise LookupError("no such card")
        return "too late"

    heard = Heard()
    with anyio.fail_after(20):
        async with stage(Worker("work", work, timeout=0.1), event_listeners=[heard]) as play:
            await play.define("work", retry_count=0)
            await play.play()
            await until_leaked(play, 1)
            release.set()
            await until_leaked(play, 0)
    told = [(event.task_result.status, event.task_result.output_data) for event in heard.refused]
    assert (
        told
        == {
            "returns": [("COMPLETED", {"result": "too late"})],
            "raises": [("FAILED", {})],
            "obeys": [],
        }[ends]
    )
    assert len(play.tap.updates()) == 1


@pytest.mark.virtual_time
async def test_result_of_a_coroutine_after_its_timeout_is_in_the_cancellation() -> None:
    async def work() -> str:
        with anyio.CancelScope(shield=True):
            await anyio.sleep(3)
        return "too late"

    heard = Heard()
    async with stage(Worker("work", work, timeout=1), event_listeners=[heard], inline=True) as play:
        await play.define("work", retry_count=0)
        workflow = await play.play()
    assert workflow.tasks[0].status == "FAILED"
    [event] = heard.cancelled
    assert event.reason == TimeoutExceeded(1.0)
    assert event.late_result is not None
    assert event.late_result.output_data == {"result": "too late"}
