"""Measure what metrics cost: CPU microseconds per task with all of them on, less those with none.

    python benchmarks/bench_metrics.py [--pairs 60] [--backend asyncio] [--processes 3] [--json FILE]

Two fleets of `fleet_subject.py`, one with metrics and one without, share one core and take turns of part of a
second, the other one stopped; the stub server, whose backlog has no end, has another core. A fleet's
number is what all its processes have used in its turn, the one that exposes the metrics included, for each
task. Turns are that short because the speed of a machine with neighbours changes from second to second. The
table has the median over the turns of either fleet, and as cost the median of the differences of turns that
stood next to each other, with its quartiles.

Mark: less than 6 us, in one process and in three.

The exit status is 0 whatever the verdicts; on a busy machine look at the spread first.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
from bench_fleet import session_of
from bench_task import CLIENT_CORE, HERE, MODES, STUB_CORE, Stub, environment, stub_server
from meter import BACKENDS

MOST_US = 6.0
SLOTS = 10
PROCESSES = (1, 3)
WARM_UP_TASKS = 1000
TURN_SECONDS = 0.25
PATIENCE = 60.0


@attrs.frozen
class Case:
    """One line of the table."""

    processes: int
    backend: str
    mode: str


@attrs.define
class Samples:
    """Microseconds of CPU per task, one for each turn."""

    without: list[float] = attrs.field(factory=list)
    with_all: list[float] = attrs.field(factory=list)

    @property
    def costs(self) -> list[float]:
        """The differences of neighbours."""
        return [more - less for more, less in zip(self.with_all, self.without, strict=True)]


@attrs.frozen
class Subject:
    """A fleet that is stopped, except in its turns."""

    stub: Stub
    pids: list[int]

    def turn(self) -> float:
        """Let it run for a moment and return microseconds of CPU per task."""
        self.signal(signal.SIGCONT)
        cpu, done = _cpu(self.pids), _done(self.stub)
        threading.Event().wait(TURN_SECONDS)
        cpu, done = _cpu(self.pids) - cpu, _done(self.stub) - done
        self.signal(signal.SIGSTOP)
        return cpu / done * 1e6

    def signal(self, signum: int) -> None:
        """Send a signal to all its processes."""
        for pid in self.pids:
            os.kill(pid, signum)


@contextlib.contextmanager
def subject(stub: Stub, case: Case, *, has_metrics: bool) -> Iterator[Subject]:
    """Start a fleet, wait until all its processes are warm, stop it."""
    command = [sys.executable, str(HERE / "fleet_subject.py"), "--core", str(CLIENT_CORE)]
    command += ["--backend", case.backend, "--mode", case.mode, "--slots", str(SLOTS)]
    command += ["--processes", str(case.processes), *(["--metrics"] if has_metrics else [])]
    leader = subprocess.Popen(
        command, env={**os.environ, "CONDUCTOR_SERVER_URL": f"{stub.url}/api"}, start_new_session=True
    )
    expected = case.processes + (case.processes > 1)
    try:
        goal, ended = _done(stub) + WARM_UP_TASKS * case.processes, time.monotonic() + PATIENCE
        while len(pids := session_of(leader.pid)) < expected or _done(stub) < goal:
            threading.Event().wait(TURN_SECONDS)
            if leader.poll() is not None or time.monotonic() > ended:
                sys.exit("the fleet did not begin")
        found = Subject(stub, pids)
        found.signal(signal.SIGSTOP)
        yield found
    finally:
        for pid in session_of(leader.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        leader.wait()


def measure(stub: Stub, case: Case, pairs: int) -> Samples:
    """Let two fleets take so many turns each."""
    samples = Samples()
    stub.refill(-1)
    with (
        subject(stub, case, has_metrics=False) as without,
        subject(stub, case, has_metrics=True) as with_all,
    ):
        for number in range(pairs):
            turns = [(without, samples.without), (with_all, samples.with_all)]
            for fleet, found in turns if number % 2 else reversed(turns):
                found.append(fleet.turn())
    return samples


def _done(stub: Stub) -> int:
    return int(stub.stats()["updates"].get("COMPLETED", 0))


def _cpu(pids: list[int]) -> float:
    """Return the seconds of CPU of processes, to the nanosecond: the clocks of clock_getcpuclockid(3)."""
    return sum(time.clock_gettime(~pid << 3 | 2) for pid in pids)


def _line(case: Case, samples: Samples) -> str:
    low, middle, high = statistics.quantiles(samples.costs, n=4)
    verdict = "reached" if middle < MOST_US else "MISSED"
    return (
        f"{case.processes:>9}  {case.backend:8}{case.mode:6}{statistics.median(samples.without):>10.1f}"
        f"{statistics.median(samples.with_all):>10.1f}{middle:>13.1f} ({low:.1f} to {high:.1f})"
        f"  < {MOST_US:g} {verdict}"
    )


def main() -> None:
    """Measure as the command line says and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pairs", type=int, default=60)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--mode", action="append", choices=MODES)
    parser.add_argument("--processes", action="append", type=int)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    cases = [
        Case(processes, backend, mode)
        for processes in given.processes or PROCESSES
        for backend in given.backend or BACKENDS
        for mode in given.mode or MODES
    ]
    print("  ".join(f"{name} {value}" for name, value in environment().items()))
    print(f"{'processes':>9}  {'backend':8}{'mode':6}{'without':>10}{'with all':>10}{'us per task':>13}")
    rows = []
    with stub_server(STUB_CORE) as stub:
        for case in cases:
            samples = measure(stub, case, given.pairs)
            print(_line(case, samples), flush=True)
            rows.append({**attrs.asdict(case), **attrs.asdict(samples)})
    if given.json is not None:
        given.json.write_text(json.dumps({"environment": environment(), "rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
