"""Measure what metrics cost: CPU microseconds per task with all of them on, less those with none.

    python benchmarks/bench_metrics.py [--pairs 40] [--backend asyncio] [--processes 3] [--json FILE]

In each process two fleets, one with metrics and one without, take turns of two thousand tasks, less than a
second: see `metrics_subject.py`. Turns are that short because the speed of a machine with neighbours changes
always, and in one process because two processes differ by more than what is looked for. With three
processes, which share a core, a turn takes about the second after which a fleet's processes tell what they
counted: each tells this one after every turn, and what taking it in costs here is added. The stub server has
a core of its own.

The table has the median over the turns, and as cost the median of the differences of turns that stood next
to each other, with its quartiles.

Mark: less than 6 us, in one process and in three.

The exit status is 0 whatever the verdicts; on a busy machine look at the spread first.
"""

import argparse
import json
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import attrs
from bench_task import CLIENT_CORE, HERE, MODES, STUB_CORE, Stub, environment, stub_server
from meter import BACKENDS

from anyworker.fleet.processes.orders import REPORTS, Counted
from anyworker.observe.ledger import Account

MOST_US = 6.0
PROCESSES = (1, 3)
TASKS = 2000
PATIENCE = 600.0


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
    taking: list[float] = attrs.field(factory=list)
    """What it costs the parent."""

    @property
    def costs(self) -> list[float]:
        """The differences of neighbours, with the parent's share."""
        parent = statistics.median(self.taking) if self.taking else 0.0
        return [more - less + parent for more, less in zip(self.with_all, self.without, strict=True)]


def measure(stub: Stub, case: Case, pairs: int) -> Samples:
    """Run a case's processes, all at once."""
    stub.refill(-1)
    command = [
        sys.executable,
        str(HERE / "metrics_subject.py"),
        "--url",
        stub.url,
        "--core",
        str(CLIENT_CORE),
    ]
    command += ["--backend", case.backend, "--mode", case.mode, "--pairs", str(pairs), "--tasks", str(TASKS)]
    command += ["--remote"] if case.processes > 1 else []
    samples, account = Samples(), Account()
    running = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(case.processes)]
    readers = [threading.Thread(target=_listen, args=(process, samples, account)) for process in running]
    for reader in readers:
        reader.start()
    for process, reader in zip(running, readers, strict=True):
        process.wait(PATIENCE)
        reader.join()
    return samples


def _listen(process: subprocess.Popen[bytes], samples: Samples, account: Account) -> None:
    """Take in what a process tells, as the parent of a fleet does, and at last its numbers."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(b'{"without"'):
            found = json.loads(line)
            samples.without += found["without"]
            samples.with_all += found["with_all"]
            return
        began = time.thread_time()
        report = REPORTS.decode(line)
        assert isinstance(report, Counted)
        account.take(report.news, time.monotonic())
        samples.taking.append((time.thread_time() - began) / TASKS * 1e6)


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
    parser.add_argument("--pairs", type=int, default=40)
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
