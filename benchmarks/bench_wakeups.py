"""Count how often a worker that has nothing to do wakes up, and what that costs.

    python benchmarks/bench_wakeups.py [--seconds 5] [--slots 10] [--json FILE]

For each backend, in a process of its own: idle, with an empty queue, and at capacity, with every slot taken
by a task that waits. A wake-up is a voluntary context switch of the process: it had gone to sleep, so
something woke it. Idle, each poll costs one when its answer comes and one when the pause after it ends; at
capacity nothing happens, so nothing should wake it. Garbage collection and the kernel may add a few.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

import anyio
import attrs
from bench_task import CLIENT_CORE, STUB_CORE, stub_server
from meter import BACKENDS

import anyworker

SETTLE_SECONDS = 2.0
# Each sleep in the measured process ends with a wake-up of its own, the one that ends the measurement.
OWN_WAKE_UPS = 1


@attrs.frozen
class Count:
    """What happened within some seconds."""

    wake_ups: int
    cpu_ms: float


async def count(seconds: float) -> Count:
    """Count for so long."""
    switches, cpu = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw, time.process_time()
    await anyio.sleep(seconds)
    switches = resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - switches
    return Count(switches - OWN_WAKE_UPS, (time.process_time() - cpu) * 1000)


async def measure(url: str, slots: int, seconds: float) -> None:
    """Print the count of a worker whose tasks wait until it has been counted, and the polls' times."""
    is_counted = anyio.Event()

    async def wait(name: str) -> str:
        await is_counted.wait()
        return name

    worker = anyworker.Worker("greet", wait, thread_count=slots)
    configuration = anyworker.Configuration(server_api_url=f"{url}/api", environ={})
    async with anyworker.serving(worker, configuration=configuration):
        await anyio.sleep(SETTLE_SECONDS)
        print("begin", flush=True)
        counted = await count(seconds)
        print(json.dumps(attrs.asdict(counted)), flush=True)
        is_counted.set()


def row(backend: str, tasks: int, slots: int, seconds: float) -> dict[str, object]:
    """Return the count of one backend with so many tasks in the queue at the start."""
    with stub_server(STUB_CORE) as stub:
        stub.refill(tasks)
        command = [sys.executable, __file__, "--url", stub.url, "--backend", backend]
        command += ["--slots", str(slots), "--seconds", str(seconds)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            polls = stub.stats()["polls"]
            counted = json.loads(child.stdout.readline())
            polls = stub.stats()["polls"] - polls
    state = "at capacity" if tasks else "idle"
    return {"backend": backend, "state": state, "seconds": seconds, "polls": polls, **counted}


def main() -> None:
    """Measure as the command line says and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--url", help=argparse.SUPPRESS)
    parser.add_argument("--backend", choices=BACKENDS, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.url is not None:
        os.sched_setaffinity(0, {CLIENT_CORE})
        backend, options = BACKENDS[given.backend]
        anyio.run(measure, given.url, given.slots, given.seconds, backend=backend, backend_options=options)
        return
    rows = []
    print(f"{'backend':10}{'state':14}{'polls':>7}{'wake-ups':>10}{'per poll':>10}{'CPU ms/s':>10}")
    for backend in BACKENDS:
        for tasks in (0, given.slots):
            found = row(backend, tasks, given.slots, given.seconds)
            rows.append(found)
            polls, wake_ups = int(str(found["polls"])), int(str(found["wake_ups"]))
            per_poll = f"{wake_ups / polls:.2f}" if polls else ""
            cpu = float(str(found["cpu_ms"])) / given.seconds
            print(f"{backend:10}{found['state']:14}{polls:>7}{wake_ups:>10}{per_poll:>10}{cpu:>10.2f}")
    if given.json is not None:
        given.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
