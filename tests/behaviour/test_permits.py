"""Polls that wait at the server: how many at once, and that every worker has its turn."""

from collections import Counter
from itertools import pairwise

import anyio
import httpx
import pytest
from stage import Stage, stage

from anyworker import Worker
from anyworker.policy.congestion import BOUND, FIRST_PERMITS, MOST_PERMITS

pytestmark = pytest.mark.virtual_time

NAMES = [f"worker{number}" for number in range(100)]


class Gate:
    """Count the polls that wait at the server, and make it late."""

    def __init__(self) -> None:
        self.late = 0.0
        self.is_down = False
        self.now = self.most = 0
        self.inner: httpx.AsyncBaseTransport | None = None

    async def __call__(self, request: httpx.Request) -> httpx.Response | None:
        if self.is_down:
            raise httpx.ConnectError("no way")
        if "/poll/" not in request.url.path or request.url.params.get("timeout") == "0":
            return None
        self.now += 1
        self.most = max(self.most, self.now)
        try:
            assert self.inner is not None
            answer = await self.inner.handle_async_request(request)
            await anyio.sleep(self.late)
        finally:
            self.now -= 1
        return answer


def idle_workers() -> list[Worker]:
    return [Worker(name, lambda: None) for name in NAMES]


def longest_pauses(play: Stage, since: float) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [since] for name in NAMES}
    for seen in play.tap.polls():
        if seen.at >= since:
            times[seen.path.rpartition("/")[2]].append(seen.at)
    return {name: max(b - a for a, b in pairwise([*at, anyio.current_time()])) for name, at in times.items()}


async def test_a_hundred_idle_types_share_the_permits_and_none_goes_unpolled_for_long() -> None:
    gate = Gate()
    async with stage(*idle_workers(), hook=gate, inline=True) as play:
        gate.inner = play.tap.inner
        await anyio.sleep(35)
        since = anyio.current_time()
        await anyio.sleep(10)
        assert gate.most == MOST_PERMITS
        # From the start of one poll to that of the next: its own wait, others' turns, and the pause between.
        assert max(longest_pauses(play, since).values()) <= BOUND + 0.2


async def test_fifty_idle_types_ask_no_more_than_sixty_times_a_second() -> None:
    async with stage(*idle_workers()[:50], inline=True) as play:
        await anyio.sleep(10)
        before = len(play.tap.seen)
        await anyio.sleep(20)
        assert len(play.tap.seen) - before <= 20 * 60


async def test_no_more_wait_at_first_than_there_are_permits() -> None:
    gate = Gate()
    async with stage(*idle_workers(), hook=gate, inline=True) as play:
        gate.inner = play.tap.inner
        await anyio.sleep(0.05)
        assert gate.most == FIRST_PERMITS
        assert play.fleet._runners[0]._slots.places.permits.waiting == len(NAMES) - FIRST_PERMITS


async def test_late_answers_leave_fewer_polls_waiting_and_prompt_ones_bring_them_back(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate = Gate()
    async with stage(*idle_workers(), hook=gate, inline=True) as play:
        gate.inner = play.tap.inner
        permits = play.fleet._runners[0]._slots.places.permits
        gate.late = 3.0
        await anyio.sleep(60)
        assert permits.total <= 4
        assert "too many requests wait at it" in caplog.text
        gate.late, gate.most = 0.0, 0
        since = anyio.current_time()
        await anyio.sleep(10)
        assert gate.most <= 4 + 10
        assert max(longest_pauses(play, since).values()) <= BOUND + 3
        await anyio.sleep(10)
        assert permits.total >= FIRST_PERMITS // 2


async def test_end_of_an_outage_brings_no_burst() -> None:
    gate = Gate()
    async with stage(*idle_workers(), hook=gate, inline=True) as play:
        gate.inner = play.tap.inner
        gate.is_down = True
        await anyio.sleep(300)
        gate.is_down = False
        since = anyio.current_time()
        await anyio.sleep(35)
        assert gate.most <= MOST_PERMITS
        in_seconds = Counter(int(seen.at - since) for seen in play.tap.polls() if seen.at >= since)
        assert max(in_seconds.values()) <= 150
        assert {seen.path.rpartition("/")[2] for seen in play.tap.polls() if seen.at >= since} == set(NAMES)


async def test_poll_that_waits_for_a_permit_does_not_hold_up_the_end() -> None:
    async with stage(*idle_workers(), inline=True) as play:
        await anyio.sleep(5)
        assert play.fleet._runners[0]._slots.places.permits.waiting
        began = anyio.current_time()
        await play.fleet.drain()
        assert anyio.current_time() - began <= 1.2


async def test_task_of_a_type_that_waits_for_a_permit_is_there_in_time() -> None:
    async with stage(*idle_workers(), inline=True) as play:
        await play.define(NAMES[-1])
        await anyio.sleep(5)
        with anyio.fail_after(BOUND + 1.5):
            assert (await play.play()).status == "COMPLETED"
