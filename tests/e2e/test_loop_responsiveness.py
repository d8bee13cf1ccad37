"""A megabyte is converted while the event loop goes on."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from anyworker import Task, Worker
from anyworker.options import resolve_all
from anyworker.policy.outcome import Completed, Draft, Sent, Terminal, to_result
from anyworker.runner.assembly import executor_of
from anyworker.runner.in_hand import Execution
from anyworker.runner.threads import thread_runner
from anyworker.values.payload import output_size

LONGEST = 0.05
"""Seconds for which a loop may stand still."""
TRIES = 5
"""The machine may be busy with something else; the best of so many counts."""


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

INPUTS: list[tuple[Any, object, type]] = [
    (list[Point], POINTS, Completed),
    (list[Point], BAD_POINTS, Terminal),
    (list[Point | Segment | None], POINTS, Completed),
    (list[Point | Segment], BAD_POINTS, Terminal),
    (list[date | datetime | str], ["abcd"] * 125_000, Completed),
    (list[Path], ["path"] * 100_000, Completed),
    (list[list[int]], [[1] for _ in range(200_000)], Completed),
    (dict[str, int | str | None], {str(number): number for number in range(70_000)}, Completed),
    (Decimal, "1" * 1_000_000 + "x", Terminal),
]
OUTPUTS: list[Callable[[], object]] = [
    lambda: POINTS,
    lambda: [Point(1, 2) for _ in range(50_000)],
    lambda: [(1, 2)] * 150_000,
    lambda: {str(number) for number in range(100_000)},
    lambda: {(number, str(number)) for number in range(60_000)},
    lambda: [1.5] * 200_000 + [float("nan")],
    lambda: "x" * 1_000_000,
]


async def longest_pause(work: Callable[[], Awaitable[None]]) -> float:
    """Return the longest time between two turns of the event loop while something is done."""
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
        await work()
        group.cancel_scope.cancel()
    return max(pauses)


async def pause_of(function: Any, given: dict[str, Any], expected: type) -> float:
    """Return the longest pause while a function is run and its result packed."""
    executor = executor_of(resolve_all([Worker("work", function)], {}).workers[0], thread_runner())

    async def work() -> None:
        execution = Execution(Draft.of(Task(task_id="t", input_data=given), "me"), 1)
        with anyio.CancelScope() as scope:
            outcome = await executor.execute(execution, scope)
        assert type(outcome) is expected
        assert isinstance(outcome, Sent)
        result = to_result(outcome, execution.draft, now_ms=lambda: 0)
        parcel = await executor.packer.pack(result, 1, execution.draft)
        assert output_size(parcel.result, parcel.body) > 0

    shortest = float("inf")
    for _ in range(TRIES):
        shortest = min(shortest, await longest_pause(work))
        if shortest < LONGEST:
            break
    return shortest


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"], indirect=True)
@pytest.mark.parametrize(("annotation", "value", "expected"), INPUTS)
async def test_loop_goes_on_while_a_large_input_is_converted(
    annotation: Any, value: object, expected: type
) -> None:
    async def work(x: object) -> None: ...

    work.__annotations__["x"] = annotation
    assert await pause_of(work, {"x": value}, expected) < LONGEST


@pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"], indirect=True)
@pytest.mark.parametrize("output", OUTPUTS)
async def test_loop_goes_on_while_a_large_output_is_encoded(output: Callable[[], object]) -> None:
    value = output()

    async def work() -> object:
        return value

    assert await pause_of(work, {}, Completed) < LONGEST
