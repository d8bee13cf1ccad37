"""Guard what a task costs: instructions as multiples of the floor's, against limits; exit status 1 beyond.

    python benchmarks/bench_instructions.py [--backend trio] [--self-test]

CPU time on a machine that others use tells no change of a tenth; the number of instructions does, whatever
else runs. Valgrind counts them (Debian's `valgrind`) over two runs of a program with different numbers of
tasks, whose difference leaves out start and end: for `subject.py` with 100 slots, and for `floor.py` with as
many tasks to a poll as anyworker was seen to take. What the kernel does is not counted, and an instruction is
not a time: for those there is `bench_task.py`.

With --self-test a worker that does a fifth more for each task is measured on the first backend as well, which
has to be found.

Exit status 77: there is no valgrind here.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import attrs
from bench_task import Stub, stub_server
from meter import BACKENDS, Settings

HERE = Path(__file__).parent
LARGEST_RATIO = {"asyncio": 1.85, "uvloop": 2.45, "trio": 2.65}
"""By how much a task may exceed the floor: about a twelfth above what was counted, on Python 3.11."""
SLOTS = 100
WARM_UP = 200
FEW, MANY = 400, 1600
SLOWDOWN = 0.2
TURNS = 2000
"""Of an empty loop, to find out what one costs."""
NO_VALGRIND = 77
RUN_SECONDS = 300
ATTEMPTS = 3


@attrs.frozen
class Count:
    """What a program took for a task."""

    instructions: float
    tasks_per_poll: float


class Counter:
    """Count the instructions of programs that work for a stub server."""

    def __init__(self, stub: Stub, valgrind: str) -> None:
        self._stub = stub
        self._valgrind = valgrind

    def count(self, program: str, backend: str, *, tasks_per_poll: float = 1.0, turns: int = 0) -> Count:
        """Return what a task takes.

        Args:
            program: ``subject.py`` or ``floor.py``.
            backend: Of `BACKENDS`.
            tasks_per_poll: For the floor.
            turns: Of an empty loop that each task goes through as well.
        """
        more = ["--tasks-per-poll", str(tasks_per_poll)] if program == "floor.py" else ["--turns", str(turns)]
        few, many = self._few_and_many(program, backend, more)
        stats = self._stub.stats()
        polls = stats["polls"] - stats["empty_polls"]
        return Count((many - few) / (MANY - FEW), stats["given"] / polls)

    def _few_and_many(self, program: str, backend: str, more: list[str]) -> tuple[int, int]:
        for _ in range(ATTEMPTS):
            few, many = (self._run(program, backend, tasks, more) for tasks in (FEW, MANY))
            if many > few:
                return few, many
            # A run that waited for something in a loop of its own; no difference of it means anything.
            print(f"{program} on {backend}: {FEW} tasks took {few:,}, {MANY} took {many:,}; counted again")
        sys.exit(f"{program} on {backend}: fewer tasks took more, {ATTEMPTS} times")

    def _run(self, program: str, backend: str, tasks: int, more: list[str]) -> int:
        settings = Settings(self._stub.url, backend, "async", SLOTS, WARM_UP, tasks)
        self._stub.refill(settings.total)
        command = [self._valgrind, "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
        command += [sys.executable, str(HERE / program), "--url", settings.url, "--backend", backend]
        command += ["--slots", str(SLOTS), "--warm-up", str(WARM_UP), "--tasks", str(tasks), *more]
        # Hashes decide how often dictionaries collide.
        environment = {**os.environ, "PYTHONHASHSEED": "0"}
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
        )
        found = re.search(r"I\s+refs:\s+([\d,]+)", done.stderr)
        given = self._stub.stats()["given"]
        if done.returncode or found is None or given != settings.total:
            sys.exit(f"{program} did {given} of {settings.total} tasks:\n{done.stderr[-3000:]}")
        return int(found[1].replace(",", ""))


def is_within(backend: str, cost: Count, floor: Count, label: str) -> bool:
    """Print a line of the table and return whether the limit holds."""
    ratio, largest = cost.instructions / floor.instructions, LARGEST_RATIO[backend]
    verdict = "holds" if ratio <= largest else "EXCEEDED"
    print(
        f"{backend:8}{label:22}{cost.instructions:>12,.0f}{floor.instructions:>12,.0f}{ratio:>7.2f}"
        f"  limit {largest:g} {verdict}",
        flush=True,
    )
    return ratio <= largest


def finds_a_slowdown(counter: Counter, backend: str, cost: Count, floor: Count) -> bool:
    """Return whether a fifth more for each task exceeds the limit."""
    turn = (counter.count("subject.py", backend, turns=TURNS).instructions - cost.instructions) / TURNS
    slowed = counter.count("subject.py", backend, turns=round(SLOWDOWN * cost.instructions / turn))
    slowdown = slowed.instructions / cost.instructions - 1
    return not is_within(backend, slowed, floor, f"slowed by {slowdown:.0%}")


def main() -> None:
    """Count as the command line says and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--self-test", action="store_true")
    given = parser.parse_args()
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        print("no valgrind here: the instructions of a task are not counted", file=sys.stderr)
        sys.exit(NO_VALGRIND)
    print(f"{'backend':8}{'':22}{'anyworker':>12}{'floor':>12}{'ratio':>7}")
    is_good = True
    with stub_server(core=1) as stub:
        counter = Counter(stub, valgrind)
        backends = given.backend or list(BACKENDS)
        for backend in backends:
            cost = counter.count("subject.py", backend)
            floor = counter.count("floor.py", backend, tasks_per_poll=cost.tasks_per_poll)
            is_good &= is_within(backend, cost, floor, "")
            if given.self_test and backend == backends[0]:
                is_good &= finds_a_slowdown(counter, backend, cost, floor)
    sys.exit(not is_good)


if __name__ == "__main__":
    main()
