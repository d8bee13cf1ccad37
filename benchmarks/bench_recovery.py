"""Measure how long a fleet works more slowly after one of its processes was killed.

    python benchmarks/bench_recovery.py [--processes 3] [--kills 8] [--backend trio]

A fleet takes tasks of some 0.1 s from a server that never runs out of them, as many at once as keep the
machine far from busy. Every few seconds one of its processes gets SIGKILL. Throughput is back at the end of
the last second in which fewer than nine tenths of the usual number of tasks were done. Tasks of one length
would end in step, and a second that holds one step less would look like a fall.
Mark: 2 s, on two idle cores.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

LARGEST_SECONDS = 2.0
WINDOW, STEP = 1.0, 0.05
SETTLING, REST = 3.0, 4.0
"""Seconds before the usual throughput is measured, and between two kills."""
PROGRAM = """
import random
import sys
import anyio
import anyworker

@anyworker.worker_task("greet", thread_count=5)
async def greet(name: str) -> str:
    await anyio.sleep(random.uniform(0.05, 0.15))
    return name

if __name__ == "__main__":
    anyworker.run(processes=int(sys.argv[1]), backend=sys.argv[2])
"""


@contextlib.contextmanager
def stub() -> Iterator[str]:
    """Run a server with a backlog that has no end; give its URL."""
    command = [sys.executable, str(Path(__file__).with_name("stub_server.py")), "--until-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = f"http://127.0.0.1:{int(process.stdout.readline().split()[-1])}"
        urllib.request.urlopen(urllib.request.Request(f"{url}/backlog/-1", data=b"")).read()
        yield url


def done(url: str) -> int:
    """Return how many results the server has."""
    with urllib.request.urlopen(f"{url}/stats") as answer:
        return sum(json.load(answer)["updates"].values())


def children(pid: int) -> list[int]:
    """Return the processes of the fleet."""
    found = Path(f"/proc/{pid}/task").glob("*/children")
    return sorted(int(child) for each in found for child in each.read_text().split())


def sampled(url: str, seconds: float) -> list[tuple[float, int]]:
    """Return how many results there were when, in seconds from now."""
    began, samples = time.monotonic(), []
    while (passed := time.monotonic() - began) < seconds:
        samples.append((passed, done(url)))
        threading.Event().wait(STEP)
    return samples


def rate(samples: list[tuple[float, int]]) -> float:
    """Return tasks per second from the first sample to the last."""
    (began, before), (ended, after) = samples[0], samples[-1]
    return (after - before) / (ended - began)


def recovery(samples: list[tuple[float, int]], usual: float) -> float:
    """Return the seconds until the throughput was back for good, 0 where it never fell."""
    count = round(WINDOW / STEP)
    windows = [samples[at : at + count + 1] for at in range(len(samples) - count)]
    return max((window[-1][0] for window in windows if rate(window) < 0.9 * usual), default=0.0)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--processes", type=int, default=3)
    parser.add_argument("--kills", type=int, default=8)
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory, stub() as url:
        Path(directory, "program.py").write_text(PROGRAM)
        fleet = subprocess.Popen(
            [sys.executable, "program.py", str(given.processes), given.backend],
            cwd=directory,
            env={**os.environ, "CONDUCTOR_SERVER_URL": f"{url}/api"},
            stderr=subprocess.DEVNULL,
        )
        try:
            threading.Event().wait(SETTLING)
            usual = rate(sampled(url, REST))
            seconds = []
            for number in range(given.kills):
                os.kill(children(fleet.pid)[number % given.processes], signal.SIGKILL)
                seconds.append(recovery(sampled(url, REST), usual))
        finally:
            fleet.terminate()
            fleet.wait()
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {usual:.0f} tasks/s")
    print("s until the throughput was back:", " ".join(f"{each:.2f}" for each in seconds))
    median = statistics.median(seconds)
    verdict = "reached" if median <= LARGEST_SECONDS else "MISSED"
    print(f"median: {median:.2f}, <= {LARGEST_SECONDS:g} {verdict}")


if __name__ == "__main__":
    main()
