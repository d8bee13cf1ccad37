"""A worker's rate limit: what starts in a window, and what is polled meanwhile."""

import anyio
import httpx
import pytest
from stage import stage

from anyworker import Worker

pytestmark = pytest.mark.virtual_time


def most_in_a_window(times: list[float], seconds: float) -> int:
    return max(sum(start <= at < start + seconds for at in times) for start in times)


async def test_no_window_sees_more_starts_than_the_rate_and_the_rate_is_reached() -> None:
    times: list[float] = []

    async def work() -> None:
        times.append(anyio.current_time())

    async with stage(Worker("work", work, thread_count=50, rate_limit="10/s"), inline=True) as play:
        await play.define("work")
        started = anyio.current_time()
        for _ in range(100):
            await play.start()
        await anyio.sleep(12)
    assert len(times) == 100
    assert most_in_a_window(times, 1.0) == 10
    assert times[-1] - started == pytest.approx(9, abs=0.5)


async def test_polls_ask_for_no_more_than_is_left_and_none_is_sent_while_nothing_is() -> None:
    async def work() -> None:
        pass

    async with stage(Worker("work", work, thread_count=50, rate_limit="5/m"), inline=True) as play:
        await play.define("work")
        for _ in range(12):
            await play.start()
        await anyio.sleep(50)
        assert max(int(poll.params["count"]) for poll in play.tap.polls()) <= 5
        polls = len(play.tap.polls())
        [runner] = play.fleet._runners
        wakeups = runner.wakeups
        await anyio.sleep(5)
        assert (runner.finished, len(play.tap.polls()), runner.wakeups) == (5, polls, wakeups)
        await anyio.sleep(60)
        assert runner.finished == 10


async def test_tasks_that_a_plain_worker_beside_it_runs_do_not_count() -> None:
    async def work() -> None:
        pass

    workers = [Worker("slow", work, rate_limit="1/h"), Worker("fast", work, thread_count=5)]
    async with stage(*workers, inline=True) as play:
        await play.define("slow", name="slow")
        await play.define("fast", name="fast")
        for name in ("slow", "fast"):
            for _ in range(5):
                await play.start(name=name)
        await anyio.sleep(60)
        assert [runner.finished for runner in play.fleet._runners] == [1, 5]


async def test_poll_that_fails_uses_nothing_of_the_rate() -> None:
    times: list[float] = []
    failures = iter(range(3))

    async def hook(request: httpx.Request) -> httpx.Response | None:
        if "/poll/" in request.url.path and next(failures, None) is not None:
            return httpx.Response(500)
        return None

    async def work() -> None:
        times.append(anyio.current_time())

    async with stage(Worker("work", work, rate_limit="1/h"), hook=hook, inline=True) as play:
        await play.define("work")
        await play.start()
        await anyio.sleep(60)
    assert len(times) == 1
