"""One process under measurement, with metrics and without: two fleets that take turns in it.

    python benchmarks/metrics_subject.py --url http://127.0.0.1:PORT --backend trio --mode async --pairs 100

Started by `bench_metrics.py`. It prints microseconds of CPU per task, one number for each turn. With
``--remote`` it counts as a process of a fleet does: at the end of each turn it writes what is new to its
standard output, as it would to its parent.
"""

import argparse
import gc
import json
import os
import sys
import time
from typing import Any

import anyio
import attrs
import msgspec
from meter import BACKENDS

import anyworker
from anyworker.fleet.fleet import Fleet
from anyworker.fleet.processes.orders import Counted
from anyworker.observe.metrics import Remote

WARM_UP = 100
"""Tasks of a turn before those that are measured."""
SLOTS = 10


@attrs.define(eq=False)
class Side:
    """One of the two fleets, and how many tasks it has had."""

    fleet: Fleet | None = None
    done: int = 0
    goal: int = 0
    is_there: anyio.Event = attrs.field(factory=anyio.Event)
    samples: list[float] = attrs.field(factory=list)

    def worker(self, mode: str) -> anyworker.Worker:
        async def greet_async(name: str) -> str:
            self.tick()
            return name

        def greet(name: str) -> str:
            anyio.from_thread.run_sync(self.tick)
            return name

        return anyworker.Worker("greet", greet_async if mode == "async" else greet, thread_count=SLOTS)

    def tick(self) -> None:
        self.done += 1
        if self.done == self.goal:
            self.is_there.set()

    async def until(self, more: int) -> int:
        """Return the number of tasks done once there are so many more."""
        self.goal, self.is_there = self.done + more, anyio.Event()
        await self.is_there.wait()
        return self.done

    async def turn(self, tasks: int, remote: Remote | None) -> None:
        """Let it run for so many tasks, and keep what each has cost."""
        assert self.fleet is not None
        self.fleet.resume()
        before = await self.until(WARM_UP)
        cpu = time.process_time()
        after = await self.until(tasks)
        if remote is not None:
            sys.stdout.buffer.write(msgspec.json.encode(Counted(remote.news())) + b"\n")
            sys.stdout.buffer.flush()
        self.samples.append((time.process_time() - cpu) / (after - before) * 1e6)
        self.fleet.quiet()
        while self.fleet.status().workers[0].in_hand:  # noqa: ASYNC110 - a fleet tells no event of this
            await anyio.sleep(0.002)


async def run(given: argparse.Namespace) -> None:
    """Take turns, and print the numbers."""
    configuration = anyworker.Configuration(server_api_url=f"{given.url}/api", environ={})
    without, with_all = Side(), Side()
    remote = Remote() if given.remote else None
    settings: Any = remote or anyworker.MetricsSettings(http_port=0)
    async with (
        anyworker.serving(without.worker(given.mode), configuration=configuration) as first,
        anyworker.serving(
            with_all.worker(given.mode), configuration=configuration, metrics_settings=settings
        ) as second,
    ):
        for fleet in (first, second):
            fleet.quiet()
        without.fleet, with_all.fleet = first, second
        gc.collect()
        gc.freeze()
        for number in range(given.pairs + 1):
            turns = [(without, None), (with_all, remote)]
            for side, told in turns if number % 2 else reversed(turns):
                await side.turn(given.tasks, told)
        # The first pair was to warm up.
        print(json.dumps({"without": without.samples[1:], "with_all": with_all.samples[1:]}), flush=True)


def main() -> None:
    """Measure as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--backend", choices=BACKENDS, default="asyncio")
    parser.add_argument("--mode", choices=("async", "def"), default="async")
    parser.add_argument("--pairs", type=int, default=40)
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--remote", action="store_true")
    parser.add_argument("--core", type=int)
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    backend, backend_options = BACKENDS[given.backend]
    anyio.run(run, given, backend=backend, backend_options=backend_options)


if __name__ == "__main__":
    main()
