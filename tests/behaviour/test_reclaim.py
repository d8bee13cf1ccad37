"""Tasks that the server gave to polls whose answers were lost: found, and run or handed back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from ear import Ear
from stage import Stage, stage

from anyworker import TaskHandedBack, TaskInProgress, TaskReclaimed, Worker, get_task_context
from anyworker.devserver import DevServer
from anyworker.runner.outbox.presence import left

pytestmark = pytest.mark.virtual_time

POLL = "GET /tasks/poll/batch/{type}"
SEARCH, IDS = "/tasks/search-v2", "/tasks/search"
HOUR = 3600


class Recorder:
    """Keep what was found."""

    def __init__(self) -> None:
        self.events: list[TaskReclaimed] = []
        self.on_task_reclaimed = self.events.append

    @property
    def outcomes(self) -> list[str]:
        return [event.outcome for event in self.events]


def work() -> dict[str, Any]:
    return {"calls": get_task_context().get_poll_count()}


def searches(play: Stage, path: str = SEARCH) -> list[float]:
    return [seen.at for seen in play.tap.seen if seen.path == path]


async def results(play: Stage, workflows: list[str], within: float) -> None:
    """Wait until workflows have ended, well before a response timeout."""
    with anyio.fail_after(within):
        for workflow in workflows:
            assert (await play.result(workflow)).status == "COMPLETED"


LOSSES: dict[str, Callable[[DevServer], object]] = {
    "cut": lambda server: server.faults.drop(POLL, after_effect=True, times=1, skip=1),
    "reset": lambda server: server.faults.drop(POLL, after_effect=True, how="reset", times=1, skip=1),
    "garbage": lambda server: server.faults.garble(POLL, after_effect=True, times=1, skip=1),
    "half": lambda server: server.faults.truncate(POLL, times=1, skip=1),
    "gateway": lambda server: server.faults.answer(504, POLL, after_effect=True, times=1, skip=1),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_task_of_a_lost_answer_runs_within_two_seconds_after_one_search(loss: str) -> None:
    server, recorder = DevServer(), Recorder()
    async with stage(
        Worker("work", work, thread_count=5), server=server, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        fault: Any = LOSSES[loss](server)
        workflow = await play.start()
        await results(play, [workflow], within=3)
        assert fault.hits == 1
        await anyio.sleep(30)
        assert recorder.outcomes in (["run"], [])
        output = (await play.client.get_workflow(workflow)).tasks[0].output_data
    assert output == {"calls": 1}
    if recorder.events:
        assert recorder.events[0].waited_ms < 2000
        assert len(searches(play)) == 1


async def test_streak_of_lost_answers_is_searched_for_once() -> None:
    server, recorder = DevServer(), Recorder()
    async with stage(
        Worker("work", work, thread_count=10), server=server, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await anyio.sleep(1)
        server.faults.drop(POLL, after_effect=True, times=4)
        workflows = [await play.start() for _ in range(8)]
        await results(play, workflows, within=12)
        await anyio.sleep(30)
    assert len(searches(play)) == 1
    # One that is found while a poll holds all free slots is given back, and comes with the next.
    assert set(recorder.outcomes) in ({"run"}, {"run", "handed_back"})
    assert len({event.task_id for event in recorder.events}) == len(recorder.events)


async def test_no_more_tasks_are_in_hand_than_slots() -> None:
    server, recorder = DevServer(), Recorder()
    most = now = 0

    async def slow() -> None:
        nonlocal most, now
        now += 1
        most = max(most, now)
        await anyio.sleep(5)
        now -= 1

    async with stage(Worker("work", slow, thread_count=2), server=server, event_listeners=[recorder]) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await anyio.sleep(1)
        server.faults.drop(POLL, after_effect=True, times=2)
        workflows = [await play.start() for _ in range(8)]
        await results(play, workflows, within=60)
    assert most == 2
    assert recorder.events


async def test_poll_that_finds_nothing_because_it_had_no_effect_is_forgotten() -> None:
    server = DevServer()
    async with stage(Worker("work", work), server=server, inline=True) as play:
        await play.define("work")
        await anyio.sleep(1)
        server.faults.drop(POLL, times=1)
        await anyio.sleep(60)
        assert 1 <= len(searches(play)) <= 3
        assert (await play.play()).status == "COMPLETED"


async def test_refused_connections_are_no_loss() -> None:
    server = DevServer()
    async with stage(Worker("work", work), server=server, inline=True) as play:
        await play.define("work")
        server.faults.drop(POLL, how="refuse", times=5)
        await anyio.sleep(60)
    assert not searches(play)


async def test_configured_worker_id_is_never_searched_for() -> None:
    server, recorder = DevServer(), Recorder()
    worker = Worker("work", work, worker_id="shared")
    async with stage(worker, server=server, event_listeners=[recorder], inline=True) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await anyio.sleep(1)
        server.faults.drop(POLL, after_effect=True, times=1)
        workflow = await play.start()
        await anyio.sleep(60)
        assert (await play.client.get_workflow(workflow)).status == "RUNNING"
    assert not searches(play)
    assert not recorder.events


async def test_tasks_of_others_are_left_alone() -> None:
    server, recorder = DevServer(), Recorder()
    async with stage(
        Worker("work", work, thread_count=5), server=server, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        play.fleet.quiet()
        await anyio.sleep(2)
        theirs = await play.start()
        await play.client.poll("work", count=1, timeout=0, worker_id="somebody")
        play.fleet.resume()
        server.faults.drop(POLL, after_effect=True, times=1)
        await anyio.sleep(60)
        assert (await play.client.get_workflow(theirs)).status == "RUNNING"
    assert not recorder.events


async def test_poll_lost_while_draining_is_handed_back() -> None:
    server, recorder, ear = DevServer(), Recorder(), Ear(TaskHandedBack)
    ran: list[str] = []
    async with stage(
        Worker("work", lambda: ran.append("ran"), poll_timeout=1000),
        server=server,
        event_listeners=[recorder, ear],
        inline=True,
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await anyio.sleep(2.5)
        server.faults.drop(POLL, after_effect=True)
        play.fleet.drain()
        workflow = await play.start()
        with anyio.fail_after(10):
            await play.fleet.wait()
        task = (await play.client.get_workflow(workflow)).tasks[0]
    assert (task.status, task.poll_count) == ("SCHEDULED", 1)
    assert recorder.outcomes == ["handed_back"]
    assert [(event.reason, event.was_running) for event in ear.of(TaskHandedBack)] == [("shutdown", False)]
    assert not ran


async def test_lost_poll_does_not_hold_up_a_drain_from_a_server_that_is_gone() -> None:
    gone = False

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if gone:
            message = "cut"
            raise httpx.ReadError(message)
        return None

    async with stage(Worker("work", work), hook=hook, inline=True) as play:
        await play.define("work")
        await anyio.sleep(1)
        gone = True
        await anyio.sleep(1)
        began = anyio.current_time()
        await play.fleet.drain()
        assert anyio.current_time() - began < 10


@pytest.mark.blocking  # the outbox's file, inline
@pytest.mark.parametrize("is_gone", [True, False])
async def test_what_lost_polls_have_taken_is_left_to_others_where_a_drain_cannot_find_it(
    tmp_path: Path, *, is_gone: bool
) -> None:
    server, outbox = DevServer(), tmp_path / "results.db"
    async with stage(Worker("work", work), server=server, inline=True, outbox=outbox) as play:
        await play.define("work")
        await anyio.sleep(1)
        if is_gone:
            server.faults.drop(POLL)
            server.faults.drop("GET /tasks/search-v2")
        await anyio.sleep(1)
        await play.fleet.drain()
    assert len(list(left(outbox))) == is_gone


async def test_ids_are_searched_for_where_whole_tasks_cannot_be() -> None:
    """As on PostgreSQL, whose search for whole tasks always answers 500."""
    server, recorder = DevServer(), Recorder()
    server.faults.answer(500, "GET /tasks/search-v2")
    async with stage(
        Worker("work", work, thread_count=5), server=server, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        for _ in range(2):
            await anyio.sleep(1)
            server.faults.drop(POLL, after_effect=True, times=1)
            await results(play, [await play.start()], within=4)
    assert recorder.outcomes == ["run", "run"]
    assert len(searches(play)) == 1
    assert len(searches(play, IDS)) == 2


async def test_search_is_repeated_for_an_index_that_lags() -> None:
    server, recorder = DevServer(), Recorder()
    server.faults.answer(200, "GET /tasks/search-v2", body={"totalHits": 0, "results": []}, times=2)
    worker = Worker("work", work, thread_count=5)
    async with stage(worker, server=server, event_listeners=[recorder], inline=True) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await anyio.sleep(1)
        server.faults.drop(POLL, after_effect=True, times=1)
        await results(play, [await play.start()], within=8)
    assert recorder.outcomes == ["run"]


async def test_index_that_is_behind_does_not_bring_back_what_has_ended() -> None:
    """It says that a task is in progress whose result the server has."""
    server, calls = DevServer(), []
    stale: list[Any] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if request.url.path == "/api/tasks/search-v2":
            return httpx.Response(200, json={"totalHits": len(stale), "results": stale})
        return None

    worker = Worker("work", lambda: calls.append(1), thread_count=5)
    async with stage(worker, hook=hook, server=server, inline=True) as play:
        await play.define("work")
        done = (await play.play()).tasks[0]
        stale.append({"taskId": done.task_id, "status": "IN_PROGRESS", "workerId": done.worker_id})
        server.faults.drop(POLL, after_effect=True, times=1)
        await anyio.sleep(60)
    assert searches(play)
    assert calls == [1]


@pytest.mark.parametrize("status", [404, 405, 400])
async def test_server_without_a_search_is_asked_once(status: int) -> None:
    server = DevServer()
    server.faults.answer(status, "GET /tasks/search-v2")
    async with stage(Worker("work", work), server=server, inline=True) as play:
        await play.define("work")
        for _ in range(3):
            await anyio.sleep(20)
            server.faults.drop(POLL, times=1)
    assert len(searches(play)) == 1


async def test_task_lost_before_a_long_outage_runs_after_it() -> None:
    server, recorder = DevServer(), Recorder()
    async with stage(
        Worker("work", work, thread_count=5), server=server, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        fault: Any = LOSSES["cut"](server)
        workflow = await play.start()
        while not fault.hits:  # noqa: ASYNC110 - it tells no event
            await anyio.sleep(0.001)
        server.faults.drop(POLL, how="refuse", lasting=120)
        server.faults.drop("GET /tasks/search-v2", how="refuse", lasting=120)
        await anyio.sleep(119)
        assert not recorder.events
        await results(play, [workflow], within=40)
        assert set(recorder.outcomes) <= {"run", "handed_back"}


async def test_search_that_is_answered_by_garbage_is_repeated() -> None:
    server, recorder = DevServer(), Recorder()
    async with stage(
        Worker("work", work, thread_count=10), server=server, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await anyio.sleep(1)
        server.faults.drop(POLL, after_effect=True, times=4)
        garbled = server.faults.garble("GET /tasks/search-v2", times=1)
        await results(play, [await play.start() for _ in range(8)], within=20)
        assert recorder.events
        assert garbled.hits == 1


async def test_task_whose_result_waits_in_the_outbox_is_not_run_again() -> None:
    server, recorder = DevServer(), Recorder()
    calls: list[int] = []
    async with stage(
        Worker("work", lambda: calls.append(1)), server=server, event_listeners=[recorder], inline=True
    ) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        with server.faults.answer(503, "POST /tasks"):
            workflow = await play.start()
            await anyio.sleep(120)
            assert play.fleet.outbox.waiting == 1
            server.faults.drop(POLL, after_effect=True, times=1)
            await anyio.sleep(60)
            assert searches(play)
        await results(play, [workflow], within=60)
    assert calls == [1]
    assert not recorder.events


async def test_task_that_is_in_hand_is_not_run_twice() -> None:
    server, recorder = DevServer(), Recorder()
    calls: list[int] = []

    async def long() -> None:
        calls.append(1)
        await anyio.sleep(60)

    async with stage(Worker("work", long, thread_count=3), server=server, event_listeners=[recorder]) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        workflow = await play.start()
        await anyio.sleep(5)
        server.faults.drop(POLL, after_effect=True, times=1)
        await results(play, [workflow], within=120)
    assert searches(play)
    assert calls == [1]
    assert not recorder.events


async def play_slow_answer(poll_takes: float, read_takes: float) -> tuple[list[int], list[str]]:
    """Let a poll beside a lost one bring a task late; return the calls and what became of found tasks.

    Args:
        poll_takes: Seconds that its answer takes.
        read_takes: Seconds that the answer takes which confirms the task.
    """
    recorder, calls = Recorder(), list[int]()
    is_bad = False

    async def hook(request: httpx.Request) -> httpx.Response | None:
        path = request.url.path
        is_poll, is_read = (
            path.startswith("/api/tasks/poll/"),
            request.method == "GET" and path.count("/") == 3,
        )
        if not is_bad or "search" in path or not (is_poll or is_read):
            return None
        if is_poll and request.url.params["timeout"] == "0":
            message = "cut"
            raise httpx.ReadError(message)
        answer = await play.tap.inner.handle_async_request(request)
        await anyio.sleep(poll_takes if is_poll else read_takes)
        return answer

    async def quick(n: int) -> None:
        calls.append(n)
        await anyio.sleep(3 if n == 0 else 0)

    async with stage(Worker("work", quick, thread_count=3), hook=hook, event_listeners=[recorder]) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await play.start({"n": 0})
        await anyio.sleep(1)
        is_bad = True
        await anyio.sleep(1)
        workflow = await play.start({"n": 1})
        await anyio.sleep(25)
        assert (await play.client.get_workflow(workflow)).status == "COMPLETED"
        is_bad = False
        await anyio.sleep(60)
    return calls, recorder.outcomes


async def test_answer_that_comes_after_its_task_was_found_runs_nothing() -> None:
    assert await play_slow_answer(poll_takes=30, read_takes=0) == ([0, 1], ["run"])


async def test_task_that_comes_and_goes_while_it_is_looked_up_is_not_run_again() -> None:
    assert await play_slow_answer(poll_takes=12, read_takes=8) == ([0, 1], [])


async def test_task_that_one_poll_brought_and_a_later_one_lost_is_found() -> None:
    """All while a search is under way, which knows what polls have brought meanwhile."""
    server, recorder, searching = DevServer(), Recorder(), anyio.Event()

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if "search" in request.url.path:
            searching.set()
            await anyio.sleep(5)
        if not request.url.path.startswith("/api/tasks/poll/"):
            return None
        answer = await play.tap.inner.handle_async_request(request)
        if any(task["pollCount"] == 2 for task in json.loads(await answer.aread())):
            message = "cut"
            raise httpx.ReadError(message)
        return answer

    def twice() -> TaskInProgress | dict[str, int]:
        turn = get_task_context().get_poll_count()
        return {"turns": turn} if turn == 2 else TaskInProgress(callback_after_seconds=1)

    worker = Worker("work", twice, thread_count=3)
    async with stage(worker, hook=hook, server=server, event_listeners=[recorder], inline=True) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        await anyio.sleep(1)
        server.faults.drop(POLL, times=1)
        await searching.wait()
        workflow = await play.start()
        await results(play, [workflow], within=20)
        assert (await play.client.get_workflow(workflow)).output == {"turns": 2}
    assert recorder.outcomes == ["run"]


async def test_checkpoints_by_poll_count_do_each_item_once_through_hand_backs_and_lost_polls() -> None:
    """The chunk of a turn is found by its number, so that neither may count as a turn."""
    server, recorder = DevServer(), Recorder()
    done: list[int] = []

    async def process() -> TaskInProgress | dict[str, int]:
        turn = get_task_context().get_poll_count()
        await anyio.sleep(0.5)
        done.extend(range((turn - 1) * 100, turn * 100))
        return TaskInProgress(callback_after_seconds=1) if turn < 5 else {"items": len(done)}

    async with stage(Worker("work", process), server=server, event_listeners=[recorder]) as play:
        await play.define("work", response_timeout_seconds=HOUR)
        workflow = await play.start()
        for _ in range(3):
            await anyio.sleep(1.2)
            server.faults.drop(POLL, after_effect=True, times=2)
        with anyio.fail_after(60):
            result = await play.result(workflow)
        polls = result.tasks[0].poll_count
    assert done == list(range(500))
    assert result.output == {"items": 500}
    assert recorder.events
    assert polls == 5 + recorder.outcomes.count("handed_back")
