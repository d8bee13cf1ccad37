"""Measure what a task costs: CPU microseconds of anyworker beside the floor, in a table with a verdict.

    python benchmarks/bench_task.py [--tasks 5000] [--rounds 5] [--backend trio] [--mode async] [--json FILE]
        [--official /path/to/venv/bin/python]

For each backend, mode and number of slots a child process pinned to one core works off a backlog at the
stub server, which has another core; then `floor.py` does as many polls and updates by hand; then anyworker
again, and so on: rounds interleave, so that a machine that slows down slows both. The number is CPU time of
the whole process, all threads, user and system, between the first and the last task after a warm-up; the
table has the median of the rounds with the least and the greatest, and as ratio the median of each round's
own, whose two runs had the same neighbours on the machine. A run in which a task was not executed
exactly once stops the benchmark.

With --official, an interpreter that has ``conductor-python``, each round has a run of the official SDK as
well, and the table tells how many times anyworker's cost its worker's process takes: `official_subject.py`.

Marks: for ``async def`` at most 2 times the floor on asyncio, 3 times on uvloop and trio, whose floor is
lower; at most 15 % more with 100 slots than with 10. The official SDK is to cost at least 10 times as much
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
from meter import BACKENDS

HERE = Path(__file__).parent
MODES = ("async", "def")
SLOTS = (10, 100)
LARGEST_RATIO = {"asyncio": 2.0, "uvloop": 3.0, "trio": 3.0}
LARGEST_GROWTH = 0.15
LEAST_GAIN = {
    **{("def", backend): {10: 6, 100: 6} for backend in BACKENDS},
    **{("async", backend): {10: 10, 100: 20} for backend in BACKENDS},
    ("async", "asyncio"): {10: 8, 100: 15},
}
CLIENT_CORE, STUB_CORE = 0, 1
WARM_UP = 500
RUN_SECONDS = 120
PACKAGES = ("anyio", "trio", "uvloop", "httptools", "httpx", "msgspec", "attrs")


class Stub:
    """The stub server in its process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def refill(self, tasks: int) -> None:
        """Begin anew with so many tasks."""
        self._ask(f"/backlog/{tasks}", b"")

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
class Case:
    """One line of the table."""

    backend: str
    mode: str
    slots: int


@attrs.define
class Samples:
    """What the rounds of a case gave, in microseconds of CPU per task."""

    anyworker: list[float] = attrs.field(factory=list)
    floor: list[float] = attrs.field(factory=list)
    official: list[float] = attrs.field(factory=list)
    """Empty where it is not measured."""
    polls_per_task: list[float] = attrs.field(factory=list)
    """Polls that brought something."""
    requests_per_task: list[float] = attrs.field(factory=list)


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
        self.stub.refill(total)
        command = [python, str(HERE / program), "--url", self.stub.url, "--core", str(CLIENT_CORE)]
        command += ["--backend", case.backend, "--mode", case.mode, "--slots", str(case.slots)]
        command += ["--tasks", str(self.tasks), "--warm-up", str(WARM_UP), *more]
        done = subprocess.run(command, stdout=subprocess.PIPE, timeout=RUN_SECONDS, check=True)
        self._check_exactly_once(program, total)
        return float(json.loads(done.stdout)["us_per_task"])

    def _check_exactly_once(self, program: str, total: int) -> None:
        stats = self.stub.stats()
        is_exact = stats["given"] == total and stats["updates"] == {"COMPLETED": total}
        if not is_exact or stats["out"] or stats["duplicate_updates"] or stats["unknown_updates"]:
            sys.exit(f"{program}: {total} tasks were not executed exactly once: {stats}")


@attrs.frozen
class Row:
    """A case with its verdicts."""

    case: Case
    samples: Samples
    growth: float | None
    """From the fewest slots to these, as a fraction."""

    @property
    def cost(self) -> float:
        """Microseconds per task."""
        return statistics.median(self.samples.anyworker)

    @property
    def floor(self) -> float:
        """Microseconds per task."""
        return statistics.median(self.samples.floor)

    @property
    def ratio(self) -> float:
        """How many times the floor: the median of the rounds' own ratios."""
        pairs = zip(self.samples.anyworker, self.samples.floor, strict=True)
        return statistics.median(cost / floor for cost, floor in pairs)

    @property
    def gain(self) -> float | None:
        """How many times this cost the official SDK has: the median of the rounds' own ratios."""
        if not self.samples.official:
            return None
        pairs = zip(self.samples.official, self.samples.anyworker, strict=True)
        return statistics.median(theirs / ours for theirs, ours in pairs)

    @property
    def verdict(self) -> str:
        """What became of the marks that this case has."""
        marks = []
        if self.case.mode == "async":
            largest = LARGEST_RATIO[self.case.backend]
            marks.append(f"ratio <= {largest:g} {_reached(self.ratio <= largest)}")
        if self.growth is not None:
            marks.append(f"growth <= {LARGEST_GROWTH:.0%} {_reached(self.growth <= LARGEST_GROWTH)}")
        if self.gain is not None:
            least = LEAST_GAIN[self.case.mode, self.case.backend][self.case.slots]
            marks.append(f"gain >= {least} {_reached(self.gain >= least)}")
        return ", ".join(marks)

    def line(self) -> str:
        """Return it as a line of the table."""
        growth = "" if self.growth is None else f"{self.growth:+.0%}"
        requests = statistics.median(self.samples.requests_per_task)
        official = _spread(self.samples.official) if self.samples.official else ""
        gain = "" if self.gain is None else f"{self.gain:.1f}"
        case = self.case
        return (
            f"{case.backend:8}{case.mode:6}{case.slots:>6}{_spread(self.samples.anyworker):>21}"
            f"{_spread(self.samples.floor):>21}{self.ratio:>7.2f}{growth:>8}{requests:>7.2f}"
            f"{official:>21}{gain:>7}  {self.verdict}"
        )

    def as_json(self) -> dict[str, object]:
        """Return it with every sample."""
        return {
            **attrs.asdict(self.case),
            **attrs.asdict(self.samples),
            "us_per_task": self.cost,
            "floor_us_per_task": self.floor,
            "ratio": self.ratio,
            "growth": self.growth,
            "gain": self.gain,
            "verdict": self.verdict,
        }


HEADING = (
    f"{'backend':8}{'mode':6}{'slots':>6}{'anyworker us/task':>21}{'floor us/task':>21}"
    f"{'ratio':>7}{'growth':>8}{'req/t':>7}{'official us/task':>21}{'gain':>7}  marks"
)


def _reached(is_reached: bool) -> str:
    return "reached" if is_reached else "MISSED"


def _spread(samples: list[float]) -> str:
    return f"{statistics.median(samples):.1f} ({min(samples):.0f}-{max(samples):.0f})"


def rows_of(results: dict[Case, Samples]) -> list[Row]:
    """Return the lines of the table in order."""
    rows = []
    for case, samples in results.items():
        few = results.get(attrs.evolve(case, slots=SLOTS[0]))
        growth = None
        if few is not None and case.slots != SLOTS[0]:
            pairs = zip(samples.anyworker, few.anyworker, strict=True)
            growth = statistics.median(many / less for many, less in pairs) - 1
        rows.append(Row(case, samples, growth))
    return rows


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
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    print("  ".join(f"{name} {value}" for name, value in environment().items()))
    results = {
        Case(backend, mode, slots): Samples()
        for backend in given.backend or BACKENDS
        for mode in given.mode or MODES
        for slots in SLOTS
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
