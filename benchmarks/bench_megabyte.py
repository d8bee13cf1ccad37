"""Measure how long an event loop stands still while a megabyte is converted or encoded.

    python benchmarks/bench_megabyte.py [--runs 5]

For each kind of input and output: the time from the task to the bytes of its result, and the longest time
between two turns of the event loop meanwhile, medians of several runs. The mark: a loop that stands still for
less than 50 ms.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel

from anyworker import Task, Worker
from anyworker.options import resolve_all
from anyworker.policy.outcome import Draft, to_result
from anyworker.runner.assembly import executor_of
from anyworker.runner.calling.execution import Execution
from anyworker.runner.threads import thread_runner

MARK = 0.05


@dataclass
class Point:
    x: int
    y: int


@dataclass
class Segment:
    x: int
    length: int


POINTS = [{"x": number, "y": number} for number in range(45_000)]
BAD_POINTS = [{"x": "1", "y": "2"} for _ in range(45_000)]
INPUTS: dict[str, tuple[Any, Any]] = {
    "any": (Any, POINTS),
    "list[Point]": (list[Point], POINTS),
    "list[Point], all bad": (list[Point], BAD_POINTS),
    "list[Point | Segment]": (list[Point | Segment], POINTS),
    "list[date | datetime | str]": (list[date | datetime | str], ["abcd"] * 125_000),
    "list[Path]": (list[Path], ["path"] * 120_000),
    "list[list[int]]": (list[list[int]], [[1] for _ in range(200_000)]),
    "dict[str, int | None]": (dict[str, int | None], {str(number): number for number in range(70_000)}),
    "str": (str, "x" * 1_000_000),
}
OUTPUTS: dict[str, Callable[[], Any]] = {
    "JSON": lambda: POINTS,
    "dataclasses": lambda: [Point(1, 2) for _ in range(50_000)],
    "tuples": lambda: [(1, 2)] * 150_000,
    "set of texts": lambda: {str(number) for number in range(100_000)},
    "datetimes": lambda: [datetime(2024, 2, 29, tzinfo=UTC)] * 41_000,
    "NaN at the end": lambda: [1.5] * 200_000 + [float("nan")],
}


async def timed(function: Callable[..., Any], given: dict[str, Any]) -> tuple[float, float]:
    """Return the seconds that a task took, and the longest pause of the event loop meanwhile."""
    executor = executor_of(resolve_all([Worker("work", function)], {}).workers[0], thread_runner())
    execution = Execution(Draft.of(Task(task_id="t", input_data=given), "me"), 1)
    pauses: list[float] = []

    async def beat() -> None:
        last = time.perf_counter()
        while True:
            await anyio.lowlevel.checkpoint()
            now = time.perf_counter()
            pauses.append(now - last)
            last = now

    async with anyio.create_task_group() as group:
        group.start_soon(beat)
        await anyio.lowlevel.checkpoint()
        began = time.perf_counter()
        with anyio.CancelScope() as scope:
            outcome: Any = await executor.execute(execution, scope)
        result = to_result(outcome, execution.draft, now_ms=lambda: 0)
        await executor.packer.pack(result, 1, execution.draft)
        took = time.perf_counter() - began
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    return took, max(pauses)


def cases() -> dict[str, tuple[Callable[..., Any], dict[str, Any]]]:
    """Return a function and an input for every kind."""
    made: dict[str, tuple[Callable[..., Any], dict[str, Any]]] = {}
    for name, (annotation, value) in INPUTS.items():

        async def take(x: object) -> None: ...

        take.__annotations__["x"] = annotation
        made[f"input: {name}"] = (take, {"x": value})
    for name, make in OUTPUTS.items():

        async def give(value: object = make()) -> object:
            return value

        give.__annotations__.clear()
        made[f"output: {name}"] = (give, {})
    return made


def main() -> None:
    """Print the medians and whether the mark is kept."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    missed: list[str] = []
    print(f"{'milliseconds':38}{'task':>8}{'longest pause':>16}")
    for name, (function, given) in cases().items():
        samples = [anyio.run(timed, function, given) for _ in range(runs)]
        took, pause = (statistics.median(column) for column in zip(*samples, strict=True))
        print(f"{name:38}{took * 1000:>8.1f}{pause * 1000:>16.1f}")
        if pause >= MARK:
            missed.append(name)
    sys.exit(f"the mark is missed: {', '.join(missed)}" if missed else 0)


if __name__ == "__main__":
    main()
