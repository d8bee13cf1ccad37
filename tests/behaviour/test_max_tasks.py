"""A cap over all workers of a process: never exceeded, shared fairly, cheap to wait for."""

from collections import Counter

import anyio
import pytest
from stage import Stage, stage

from anyworker import ConfigurationError, Worker, serving

pytestmark = pytest.mark.virtual_time


class Gauge:
    """What runs at once, and how often what ran."""

    def __init__(self) -> None:
        self.running = self.most = 0
        self.ran: Counter[str] = Counter()

    def worker(self, name: str, seconds: float = 0.1, **options: int) -> Worker:
        async def work() -> None:
            self.running += 1
            self.most = max(self.most, self.running)
            await anyio.sleep(seconds)
            self.running -= 1
            self.ran[name] += 1

        return Worker(name, work, thread_count=options.pop("thread_count", 10), **options)


async def queue(play: Stage, **counts: int) -> None:
    """Register a workflow of one task for each type, and start it so many times."""
    for name, count in counts.items():
        await play.define(name, name=name)
        for _ in range(count):
            await play.start(name=name)


async def test_all_workers_together_have_no_more_in_hand_and_use_every_place() -> None:
    gauge = Gauge()
    workers = [gauge.worker(name) for name in "abc"]
    async with stage(*workers, inline=True, max_tasks=4) as play:
        in_hand = 0
        await queue(play, a=40, b=40, c=40)
        for _ in range(600):
            await anyio.sleep(0.01)
            in_hand = max(in_hand, sum(worker.in_hand for worker in play.fleet.status().workers))
    assert gauge.most == in_hand == 4
    assert gauge.ran == {"a": 40, "b": 40, "c": 40}


async def test_one_busy_worker_gets_nearly_all_of_it_while_the_others_idle() -> None:
    gauge = Gauge()
    async with stage(*map(gauge.worker, "abcdef"), inline=True, max_tasks=4) as play:
        await anyio.sleep(30)
        await queue(play, a=400)
        await anyio.sleep(11)
        assert gauge.most == 4
        assert gauge.ran["a"] >= 360


async def test_worker_with_many_slots_and_a_long_queue_does_not_starve_the_others() -> None:
    gauge = Gauge()
    greedy = gauge.worker("greedy", 1.0, thread_count=100)
    modest = gauge.worker("modest", 0.01, thread_count=1)
    async with stage(greedy, modest, inline=True, max_tasks=2) as play:
        await queue(play, greedy=100)
        await anyio.sleep(10)
        await queue(play, modest=1)
        await anyio.sleep(3)
        assert gauge.ran["modest"] == 1
        assert gauge.ran["greedy"] >= 20


async def test_more_workers_than_places_are_all_polled_again_and_again_at_no_great_cost() -> None:
    gauge = Gauge()
    names = [f"worker{number}" for number in range(12)]
    async with stage(*map(gauge.worker, names), inline=True, max_tasks=1) as play:
        await anyio.sleep(60)
        before = len(play.tap.polls())
        await anyio.sleep(60)
        polls = play.tap.polls()[before:]
        counts = Counter(seen.path.rpartition("/")[2] for seen in polls)
        assert counts.keys() == set(names)
        assert len(polls) <= 12 * 60 * 1.3
        await queue(play, worker7=3)
        await anyio.sleep(5)
        assert gauge.ran["worker7"] == 3


async def test_alone_under_the_cap_a_worker_still_waits_at_the_server() -> None:
    gauge = Gauge()
    async with stage(gauge.worker("a"), inline=True, max_tasks=1) as play:
        await anyio.sleep(100)
        assert {seen.params["timeout"] for seen in play.tap.polls()[-10:]} == {"1000"}
        assert len(play.tap.polls()) < 130


async def test_poll_that_waits_for_a_place_is_not_sent_once_the_fleet_is_quiet_or_drains() -> None:
    gauge = Gauge()
    async with stage(gauge.worker("a", 5.0), gauge.worker("b"), inline=True, max_tasks=1) as play:
        await queue(play, a=2, b=1)
        await anyio.sleep(1)
        play.fleet.quiet()
        polls = len(play.tap.polls())
        await anyio.sleep(30)
        assert (len(play.tap.polls()), sum(gauge.ran.values())) == (polls, 1)
        play.fleet.resume()
        await anyio.sleep(1)
        started = anyio.current_time()
        await play.fleet.drain()
        assert anyio.current_time() - started <= 5.0
        polls = len(play.tap.polls())
    assert len(play.tap.polls()) == polls


async def test_worker_that_waits_for_a_place_ends_at_once_when_the_fleet_drains() -> None:
    gauge = Gauge()
    async with stage(gauge.worker("a", 5.0), gauge.worker("b"), inline=True, max_tasks=1) as play:
        await queue(play, a=1)
        await anyio.sleep(3)
        play.fleet.drain()
        await anyio.sleep(0.1)
        assert [runner._slots.are_retired for runner in play.fleet._runners] == [False, True]


async def test_idle_workers_look_for_tasks_no_more_often_where_places_are_scarce() -> None:
    gauge = Gauge()
    workers = [gauge.worker("a", 0.01), *map(gauge.worker, "bcdef")]
    async with stage(*workers, inline=True, max_tasks=2) as play:
        await anyio.sleep(30)
        await queue(play, a=2000)
        await anyio.sleep(2)
        before = len(play.tap.polls())
        await anyio.sleep(5)
        polls = [seen for seen in play.tap.polls()[before:] if not seen.path.endswith("/a")]
        assert gauge.ran["a"] > 1000
        assert {seen.path[-1] for seen in polls} == set("bcdef")
        assert len(polls) <= 5 * 5 * 1.4


async def test_status_and_startup_line_tell_of_the_limits(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "anyworker")
    worker = Worker("a", lambda: None, rate_limit="7/m")
    async with stage(worker, inline=True, max_tasks=5) as play:
        [status] = play.fleet.status().workers
        assert (status.max_tasks, status.rate_limit) == (5, "7/m")
    assert "rate_limit=7/m, max_tasks=5, " in caplog.text


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "3"])
async def test_cap_that_is_no_number_of_tasks_is_refused(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^max_tasks=.*expected a whole number, 1 or more, or None"):
        async with serving(Worker("a", lambda: None), max_tasks=value):  # type: ignore[arg-type]
            pass
