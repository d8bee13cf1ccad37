"""Measure what a task costs: CPU microseconds of anyworker beside the floor, in a table with a verdict.

    python benchmarks/bench_task.py [--tasks 5000] [--rounds 5] [--backend trio] [--mode async] [--json FILE]
        [--slots 1000] [--io-ms 50] [--payload 100000] [--official /path/to/venv/bin/python]

For each backend, mode and number of slots a child process pinned to one core works off a backlog at the
stub server, which has another core; then `floor.py` does as many polls and updates by hand; then anyworker
again, and so on: rounds interleave, so that a machine that slows down slows both. The number is CPU time of
the whole process, all threads, user and system, between the first and the last task after a warm-up; the
table has the median of the rounds with the least and the greatest, and as ratio the median of each round's
own, whose two runs had the same neighbours on the machine. A run in which a task was not executed
exactly once stops the benchmark.

With --io-ms each task waits so long, with --payload its input and its output have so many characters; those
and --slots, --backend, --mode may be given more than once. Cases with either have no marks.

With --official, an interpreter that has ``conductor-python``, each round has a run of the official SDK as
well, and the table tells how many times anyworker's cost its worker's process takes: `official_subject.py`.

Marks: for ``async def`` at most 1.75 times the floor on asyncio, 2.5 times on uvloop and trio, whose floor is
lower; at most 10 % more with more slots than with 10. The official SDK is to cost at least 10 times as much
with 10 slots and 20 times with 100, on plain asyncio 8 and 15 times, and 6 times for ``def``. The floor's own
number depends on how many tasks a poll brings, and so on the slots.

The exit status is 0 whatever the verdicts; on a busy machine look at the spread first.
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
from meter import BACKENDS, PAYLOAD
from task_table import HEADING, SLOTS, Case, Samples, rows_of

HERE = Path(__file__).parent
MODES = ("async", "def")
CLIENT_CORE, STUB_CORE = 0, 1
WARM_UP = 500
RUN_SECONDS = 120
PACKAGES = ("anyio", "trio", "uvloop", "httptools", "httpx", "msgspec", "attrs")


class Stub:
    """The stub server in its process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def refill(self, tasks: int, payload: int = PAYLOAD) -> None:
        """Begin anew with so many tasks."""
        self._ask(f"/backlog/{tasks}/{payload}", b"")

    def stats(self) -> dict[str, Any]:
        """Return what happened since."""
        stats: dict[str, Any] = json.loads(self._ask("/stats"))
        return stats

    def _ask(self, path: str, body: bytes | None = None) -> bytes:
        with urllib.request.urlopen(self.url + path, body, timeout=10) as answer:
            content: bytes = answer.read()
        return content


@contextlib.contextmanager
def stub_server(core: int) -> Iterator[Stub]:
    """Run the stub server on a core of its own."""
    command = [sys.executable, str(HERE / "stub_server.py"), "--until-eof", "--core", str(core)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        with process.stdin:
            yield Stub(f"http://127.0.0.1:{int(process.stdout.readline())}")


@attrs.frozen
class Bench:
    """How the cases are measured."""

    stub: Stub
    tasks: int
    official: str | None
    """An interpreter with the official SDK."""

    def add_round(self, case: Case, samples: Samples) -> None:
        """Run anyworker, then the floor with as many polls."""
        samples.anyworker.append(self._run("subject.py", case))
        stats = self.stub.stats()
        hits = stats["polls"] - stats["empty_polls"]
        updates = sum(stats["updates"].values())
        samples.polls_per_task.append(hits / stats["given"])
        samples.requests_per_task.append((stats["polls"] + updates) / stats["given"])
        ratio = statistics.mean(samples.polls_per_task)
        samples.floor.append(self._run("floor.py", case, "--tasks-per-poll", str(1 / ratio)))
        if self.official is not None:
            samples.official.append(self._run("official_subject.py", case, python=self.official))

    def _run(self, program: str, case: Case, *more: str, python: str = sys.executable) -> float:
        total = WARM_UP + self.tasks + 2 * case.slots
        self.stub.refill(total, case.payload)
        command = [python, str(HERE / program), "--url", self.stub.url, "--core", str(CLIENT_CORE)]
        command += ["--backend", case.backend, "--mode", case.mode, "--slots", str(case.slots)]
        command += ["--io-ms", str(case.io_ms), "--payload", str(case.payload)]
        command += ["--tasks", str(self.tasks), "--warm-up", str(WARM_UP), *more]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=RUN_SECONDS, check=True)
        self._check_exactly_once(program, total)
        return float(json.loads(done.stdout)["us_per_task"])

    def _check_exactly_once(self, program: str, total: int) -> None:
        stats = self.stub.stats()
        is_exact = stats["given"] == total and stats["updates"] == {"COMPLETED": total}
        if not is_exact or stats["out"] or stats["duplicate_updates"] or stats["unknown_updates"]:
            sys.exit(f"{program}: {total} tasks were not executed exactly once: {stats}")


def environment() -> dict[str, str]:
    """Return what the numbers depend on besides the code."""
    found = {"python": platform.python_version(), "system": platform.platform(), "load": str(os.getloadavg())}
    for package in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def main() -> None:
    """Measure as the command line says and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--slots", action="append", type=int)
    parser.add_argument("--io-ms", action="append", type=float)
    parser.add_argument("--payload", action="append", type=int)
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    print("  ".join(f"{name} {value}" for name, value in environment().items()))
    results = {
        Case(backend, mode, slots, io_ms, payload): Samples()
        for backend in given.backend or BACKENDS
        for mode in given.mode or MODES
        for slots in given.slots or SLOTS
        for io_ms in given.io_ms or [0.0]
        for payload in given.payload or [PAYLOAD]
    }
    with stub_server(STUB_CORE) as stub:
        bench = Bench(stub, given.tasks, given.official)
        for number in range(given.rounds):
            for case, samples in results.items():
                bench.add_round(case, samples)
            print(f"round {number + 1} of {given.rounds}", file=sys.stderr)
    rows = rows_of(results)
    print(HEADING)
    for row in rows:
        print(row.line())
    if given.json is not None:
        content = {
            "environment": environment(),
            "tasks": given.tasks,
            "rows": [row.as_json() for row in rows],
        }
        given.json.write_text(json.dumps(content, indent=2) + "\n")


if __name__ == "__main__":
    main()
