"""Measure what workers cost that have nothing to do: processes, CPU, memory, requests.

    python benchmarks/bench_idle.py [--types 1 10 50] [--seconds 20] [--backend trio] [--json FILE]
        [--official /path/to/venv/bin/python]

A process with so many workers polls the stub server, which holds polls as Conductor does. Once it has been
idle for a while, so that its polls wait as long as they ever will, the table tells over some seconds: the
processes of its tree, their CPU time as a share of a core, their memory with its share of what is shared
(PSS), and the polls that the server has counted. With --official the official SDK's handler is measured, too.

Marks for one process: at most 45 MB with 10 types; at most 60 MB, 1 % of a core and 60 requests a second
with 50.

The exit status is 0 whatever the verdicts.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import attrs
from bench_task import HERE, Stub, stub_server
from meter import BACKENDS

SETTLE_SECONDS = 8.0
MARKS = {10: {"pss_mb": 45.0}, 50: {"pss_mb": 60.0, "cpu_percent": 1.0, "requests_per_second": 60.0}}
TICKS = os.sysconf("SC_CLK_TCK")


@attrs.frozen
class Idle:
    """One line of the table."""

    types: int
    subject: str
    processes: int
    cpu_percent: float
    pss_mb: float
    requests_per_second: float

    @property
    def verdict(self) -> str:
        """Whether its marks are reached, empty where there is none."""
        marks = MARKS.get(self.types, {}) if self.subject != "official" else {}
        missed = [name for name, most in marks.items() if getattr(self, name) > most]
        return f"MISSED: {', '.join(missed)}" if missed else "reached" if marks else ""


def tree_of(pid: int) -> list[int]:
    """Return a process and all below it."""
    found = [pid]
    for parent in found:
        with contextlib.suppress(OSError):
            found += map(int, Path(f"/proc/{parent}/task/{parent}/children").read_text().split())
    return found


def cpu_of(pids: list[int]) -> float:
    """Return the CPU seconds that processes have taken."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICKS


def pss_of(pids: list[int]) -> float:
    """Return the memory of processes in MB, what they share divided among those who share it."""
    rollups = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
    return sum(int(each.split("\nPss:")[1].split()[0]) for each in rollups) / 1000


def measure(stub: Stub, types: int, subject: str, seconds: float, python: str) -> Idle:
    """Run a subject, let it become idle, and look at it for so many seconds."""
    stub.refill(0)
    command = [python, str(HERE / "idle_subject.py"), "--url", stub.url, "--types", str(types)]
    command += ["--official"] if subject == "official" else ["--backend", subject]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdin is not None
        with process.stdin:
            threading.Event().wait(SETTLE_SECONDS)
            pids, began, before = tree_of(process.pid), time.monotonic(), stub.stats()["polls"]
            cpu = cpu_of(pids)
            threading.Event().wait(seconds)
            took = time.monotonic() - began
            return Idle(
                types=types,
                subject=subject,
                processes=len(pids),
                cpu_percent=(cpu_of(pids) - cpu) / took * 100,
                pss_mb=pss_of(pids),
                requests_per_second=(stub.stats()["polls"] - before) / took,
            )


def main() -> None:
    """Measure as the command line says and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--types", type=int, nargs="+", default=[1, 10, 50])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    subjects: list[str] = [*(given.backend or BACKENDS), *(["official"] if given.official else [])]
    rows: list[dict[str, Any]] = []
    print(f"{'types':>5}  {'':10}{'processes':>10}{'% of a core':>13}{'PSS MB':>9}{'requests/s':>12}")
    with stub_server(core=1) as stub:
        for types in given.types:
            for subject in subjects:
                python = given.official if subject == "official" else sys.executable
                idle = measure(stub, types, subject, given.seconds, python)
                print(
                    f"{types:>5}  {subject:10}{idle.processes:>10}{idle.cpu_percent:>13.2f}"
                    f"{idle.pss_mb:>9.1f}{idle.requests_per_second:>12.1f}  {idle.verdict}",
                    flush=True,
                )
                rows.append(attrs.asdict(idle))
    if given.json is not None:
        given.json.write_text(json.dumps({"rows": rows}, indent=2) + "\n")


if __name__ == "__main__":
    main()
