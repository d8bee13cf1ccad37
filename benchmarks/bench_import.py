"""Measure what importing costs: anyworker, and what runs its workers, beside the official SDK's handler.

    python benchmarks/bench_import.py --official /path/to/venv/bin/python [--runs 15] [--json FILE]

The other interpreter is one that has ``conductor-python`` installed, best the same Python version. Fresh
processes take turns, so that a machine that slows down slows both; files are in the page cache and compiled
after the first, uncounted run. The import alone is timed, not the interpreter's start, and as CPU time too.
The mark: at most half of the official SDK's. Without ``--official`` anyworker stands alone.

With ``--top N`` it also prints the N modules of anyworker's import that cost most by themselves, from
``python -X importtime``.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import attrs

LARGEST_RATIO = 0.5
OURS, THEIRS = "anyworker", "conductor.client.automator.task_handler"
RUNNING = "anyworker.fleet.handler"
"""What brings all that runs workers, as theirs does."""
PROGRAM = """
import time
cpu, wall = time.process_time(), time.perf_counter()
import {module}
print((time.process_time() - cpu) * 1000, (time.perf_counter() - wall) * 1000)
"""


@attrs.define
class Samples:
    """Milliseconds, one each for a run."""

    module: str
    python: str
    cpu: list[float] = attrs.field(factory=list)
    wall: list[float] = attrs.field(factory=list)

    def add(self) -> None:
        """Import once in a fresh process."""
        cpu, wall = _import_ms(self.python, self.module)
        self.cpu.append(cpu)
        self.wall.append(wall)

    def line(self) -> str:
        """Return it as a line of the table."""
        return f"{self.module:45}{_spread(self.cpu):>22}{_spread(self.wall):>22}"


def _import_ms(python: str, module: str) -> tuple[float, float]:
    program = PROGRAM.format(module=module)
    # Compiled files are what users have, too.
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    command = [python, "-c", program]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=60, env=environ)
    cpu, wall = done.stdout.split()
    return float(cpu), float(wall)


def _spread(samples: list[float]) -> str:
    return f"{statistics.median(samples):.0f} ({min(samples):.0f}-{max(samples):.0f})"


def costliest(count: int) -> list[str]:
    """Return the lines of ``-X importtime`` with the most self time."""
    command = [sys.executable, "-X", "importtime", "-c", f"import {OURS}"]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=True, timeout=60)
    lines = [line.removeprefix("import time:") for line in done.stderr.splitlines()[1:]]
    return sorted(lines, key=lambda line: int(line.partition("|")[0]), reverse=True)[:count]


def main() -> None:
    """Measure as the command line says and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--top", type=int, default=0)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    compared = [Samples(OURS, sys.executable)]
    if given.official:
        compared.append(Samples(THEIRS, given.official))
    compared.append(Samples(RUNNING, sys.executable))
    for samples in compared:
        _import_ms(samples.python, samples.module)
    for _ in range(given.runs):
        for samples in compared:
            samples.add()
    print(f"{'import':45}{'CPU ms':>22}{'wall ms':>22}")
    for samples in compared:
        print(samples.line())
    if given.official:
        ours, theirs, _ = compared
        for name in ("cpu", "wall"):
            ratio = statistics.median(getattr(ours, name)) / statistics.median(getattr(theirs, name))
            reached = "reached" if ratio <= LARGEST_RATIO else "MISSED"
            print(f"{name} ratio {ratio:.2f}, <= {LARGEST_RATIO:g} {reached}")
    for line in costliest(given.top):
        print(line)
    if given.json is not None:
        given.json.write_text(json.dumps([attrs.asdict(samples) for samples in compared], indent=2) + "\n")


if __name__ == "__main__":
    main()
