"""Results whose answers bring the next task (update-v2): when they are sent, what becomes of the tasks."""

import json
from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from stage import Stage, both_kinds, is_update, stage

from anyworker import Worker, get_task_context
from anyworker.devserver import DevServer

pytestmark = pytest.mark.virtual_time

HOUR = 3600
V2 = "POST /tasks/update-v2"
V2_PATH = "/tasks/update-v2"


async def work() -> dict[str, int]:
    return {"calls": get_task_context().get_poll_count()}


def v2_updates(play: Stage) -> int:
    return sum(seen.path == V2_PATH for seen in play.tap.seen)


async def finish(play: Stage, workflows: list[str], within: float = 30) -> None:
    with anyio.fail_after(within):
        for workflow in workflows:
            assert (await play.result(workflow)).status == "COMPLETED"


async def chains(play: Stage, count: int, steps: int = 6) -> list[str]:
    await play.define(*["work"] * steps, response_timeout_seconds=HOUR)
    return [await play.start() for _ in range(count)]


@pytest.mark.parametrize("function", both_kinds(lambda: {"calls": get_task_context().get_poll_count()}))
async def test_next_step_of_a_chain_comes_with_the_answer_to_the_last_one(
    function: Callable[..., Any],
) -> None:
    async with stage(Worker("work", function, thread_count=3), inline=True) as play:
        await finish(play, await chains(play, 30))
        done = 30 * 6
        assert len(play.tap.updates()) == done
        assert v2_updates(play) > 0.8 * done
        assert len(play.tap.updates() + play.tap.polls()) <= 1.2 * done
        await anyio.sleep(0.2)  # the server looks for successors of the last ones for a while
        [runner] = play.fleet._runners
        assert (runner.finished, runner.in_hand) == (done, 0)


async def test_polls_that_bring_many_tasks_at_once_are_kept() -> None:
    async def work() -> None:
        await anyio.sleep(1)  # so that all slots become free together

    async with stage(Worker("work", work, thread_count=30), inline=True) as play:
        await finish(play, await chains(play, 100, steps=3))
        assert v2_updates(play) < 0.1 * 300
        assert len(play.tap.polls()) < 0.3 * 300


async def test_task_without_a_successor_does_not_ask_for_one() -> None:
    async with stage(Worker("work", work, thread_count=10), inline=True) as play:
        await play.define("work")
        for _ in range(20):
            await finish(play, [await play.start()])
            await anyio.sleep(1)
        assert v2_updates(play) == 0


async def test_each_task_is_run_once_and_no_more_at_a_time_than_slots() -> None:
    ran: list[str] = []
    most = now = 0

    async def count() -> None:
        nonlocal most, now
        ran.append(get_task_context().get_task_id())
        now += 1
        most = max(most, now)
        await anyio.sleep(0.01)
        now -= 1

    async with stage(Worker("work", count, thread_count=3), inline=True) as play:
        await finish(play, await chains(play, 20))
        assert v2_updates(play) > 60
    assert len(ran) == len(set(ran)) == 120
    assert most == 3


LOSSES: dict[str, Callable[[DevServer], object]] = {
    "cut": lambda server: server.faults.drop(V2, after_effect=True, times=1, skip=5),
    "before": lambda server: server.faults.drop(V2, times=1, skip=5),
    "reset": lambda server: server.faults.drop(V2, after_effect=True, how="reset", times=1, skip=5),
    "garbage": lambda server: server.faults.garble(V2, after_effect=True, times=1, skip=5),
    "half": lambda server: server.faults.truncate(V2, times=1, skip=5),
    "gateway": lambda server: server.faults.answer(504, V2, after_effect=True, times=1, skip=5),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_task_of_a_lost_answer_runs_within_two_seconds_and_the_result_goes_at_once(loss: str) -> None:
    server = DevServer()
    async with stage(Worker("work", work, thread_count=2), server=server, inline=True) as play:
        fault: Any = LOSSES[loss](server)
        workflows = await chains(play, 4)
        await finish(play, workflows, within=4)
        assert fault.hits == 1
        flows = [await play.result(workflow) for workflow in workflows]
    outputs = [task.output_data for flow in flows for task in flow.tasks]
    assert outputs == [{"calls": 1}] * 24


@pytest.mark.parametrize(
    ("status", "message"), [(404, "No static resource api/tasks/update-v2."), (405, "no")]
)
async def test_server_without_it_is_told_the_same_result_at_once_and_asked_no_more(
    status: int, message: str
) -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("update-v2"):
            return httpx.Response(status, json={"status": status, "message": message})
        return None

    async with stage(Worker("work", work, thread_count=2), hook=hook, inline=True) as play:
        await finish(play, await chains(play, 4), within=2)
        assert v2_updates(play) in {1, 2}, "one for each slot that had not heard yet"


async def test_unknown_task_does_not_end_it() -> None:
    told: list[bytes] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if request.url.path.endswith("update-v2") and not told:
            told.append(request.content)
            text = f"No such task found by id: {json.loads(request.content)['taskId']}"
            return httpx.Response(404, json={"status": 404, "message": text})
        return None

    async with stage(Worker("work", work, thread_count=2), hook=hook, inline=True) as play:
        await chains(play, 4)
        await anyio.sleep(5)
        assert told
        assert v2_updates(play) > 5
        lost = json.loads(told[0])["taskId"]
        assert [json.loads(seen.body)["taskId"] for seen in play.tap.updates()].count(lost) == 1


async def test_task_that_comes_while_draining_is_handed_back() -> None:
    ran: list[str] = []
    play_: list[Stage] = []

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if not request.url.path.endswith("update-v2"):
            return None
        answer = await play_[0].tap.inner.handle_async_request(request)
        if answer.status_code == 200:
            play_[0].fleet.quiet()
            play_[0].tap.hook = None
            [runner] = play_[0].fleet._runners
            runner.drain()
        return answer

    async def note() -> None:
        ran.append(get_task_context().get_task_id())

    async with stage(Worker("work", note), hook=hook, inline=True) as play:
        play_.append(play)
        await chains(play, 1)
        await anyio.sleep(3)
        [runner] = play.fleet._runners
        assert runner.in_hand == 0
        last = [json.loads(seen.body) for seen in play.tap.updates()][-1]
        assert (last["status"], last.get("callbackAfterSeconds", 0)) == ("IN_PROGRESS", 0)
        assert last["taskId"] not in ran


async def test_paused_worker_asks_for_no_next_task() -> None:
    async def pause() -> None:
        if get_task_context().get_task_id():
            await anyio.sleep(0.01)

    async with stage(Worker("work", pause), inline=True) as play:
        workflows = await chains(play, 2)
        await anyio.sleep(0.08)
        assert v2_updates(play)
        play.fleet.quiet()
        await anyio.sleep(5)
        asked = v2_updates(play)
        assert play.fleet.status().workers[0].in_hand == 0
        play.fleet.resume()
        await finish(play, workflows)
        assert v2_updates(play) > asked


async def test_rate_holds_for_tasks_that_come_with_answers() -> None:
    times: list[float] = []

    async def note() -> None:
        times.append(anyio.current_time())

    async with stage(Worker("work", note, thread_count=4, rate_limit="10/s"), inline=True) as play:
        await finish(play, await chains(play, 10))
        assert v2_updates(play) > 20
    assert min(later - earlier for earlier, later in zip(times, times[10:], strict=False)) >= 1 - 1e-6


async def test_workers_that_share_places_take_turns() -> None:
    ran: list[str] = []

    def worker(name: str) -> Worker:
        async def note() -> None:
            ran.append(name)
            await anyio.sleep(0.01)

        return Worker(name, note, thread_count=2)

    async with stage(worker("a"), worker("b"), max_tasks=1, inline=True) as play:
        await play.define(*["a"] * 20, name="a")
        await play.define(*["b"] * 20, name="b")
        workflows = [await play.start(name=name) for name in ("a", "b")]
        await finish(play, workflows)
    assert {"a", "b"} <= set(ran[:20])


async def test_interim_results_ask_for_nothing() -> None:
    async def hook(request: httpx.Request) -> httpx.Response | None:
        if is_update(request) and json.loads(request.content).get("status") == "IN_PROGRESS":
            assert not request.url.path.endswith("update-v2")
        return None

    async def steps() -> Any:
        context = get_task_context()
        if context.get_poll_count() < 3:
            context.set_callback_after(1)
        return {}

    async with stage(Worker("work", steps, thread_count=2), hook=hook, inline=True) as play:
        await finish(play, await chains(play, 4, steps=3), within=60)
        assert v2_updates(play)
