"""What both programs under measurement share: their command line, and the CPU time between two tasks."""

import argparse
import gc
import itertools
import json
import os
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

BACKENDS: dict[str, tuple[str, dict[str, bool]]] = {
    "asyncio": ("asyncio", {}),
    "uvloop": ("asyncio", {"use_uvloop": True}),
    "trio": ("trio", {}),
}


PAYLOAD = 3
"""Characters of a task's input and output, unless more are asked for."""


@dataclass(frozen=True)
class Settings:
    """One measurement; a dataclass, because the official SDK's interpreter has no attrs."""

    url: str
    """The stub server, without path."""
    backend: str
    mode: str
    """``async`` or ``def``."""
    slots: int
    warm_up: int
    """Tasks before the first that is measured."""
    tasks: int
    """Tasks measured."""
    tasks_per_poll: float = 1.0
    """For the floor."""
    io_ms: float = 0.0
    """Milliseconds that each task waits."""
    payload: int = PAYLOAD
    """Characters of a task's input and output."""
    turns: int = 0
    """Of an empty loop that each task goes through, to slow it down."""

    @property
    def total(self) -> int:
        """All tasks: behind the measured ones come some more, so that those, too, run beside others."""
        return self.warm_up + self.tasks + 2 * self.slots


class Meter:
    """Take the process's CPU time, of all its threads, at the first and behind the last measured task."""

    def __init__(self, settings: Settings) -> None:
        self._first = settings.warm_up
        self._last = settings.warm_up + settings.tasks
        self._total = settings.total
        self._tasks = settings.tasks
        # Unlike a plain += this loses nothing between threads.
        self._numbers = itertools.count(1)
        self._cpu = self._wall = 0.0
        self.us_per_task = self.wall_us_per_task = 0.0

    def tick(self) -> bool:
        """Count a task and return whether it is the last of all."""
        number = next(self._numbers)
        if number == self._first:
            self._cpu, self._wall = time.process_time(), time.perf_counter()
        elif number == self._last:
            self.us_per_task = (time.process_time() - self._cpu) / self._tasks * 1e6
            self.wall_us_per_task = (time.perf_counter() - self._wall) / self._tasks * 1e6
        return number == self._total

    def figures(self) -> dict[str, float]:
        """Return what was measured."""
        return {"us_per_task": self.us_per_task, "wall_us_per_task": self.wall_us_per_task}


def settings_of_command_line(description: str | None) -> Settings:
    """Return what the command line asks for, having pinned this process to its core."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", required=True)
    parser.add_argument("--backend", choices=BACKENDS, default="asyncio")
    parser.add_argument("--mode", choices=("async", "def"), default="async")
    parser.add_argument("--slots", type=int, default=10)
    parser.add_argument("--warm-up", type=int, default=500)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--tasks-per-poll", type=float, default=1.0)
    parser.add_argument("--io-ms", type=float, default=0.0)
    parser.add_argument("--payload", type=int, default=PAYLOAD)
    parser.add_argument("--turns", type=int, default=0)
    parser.add_argument("--core", type=int)
    given = vars(parser.parse_args())
    core = given.pop("core")
    if core is not None:
        os.sched_setaffinity(0, {core})
    return Settings(**given)


def main(run: Callable[[Settings, Meter], Awaitable[None]], description: str | None) -> None:
    """Run the exchanges as the command line says and print what they cost."""
    settings = settings_of_command_line(description)
    meter = Meter(settings)
    backend, backend_options = BACKENDS[settings.backend]
    # As `anyworker.run` does in a worker's process.
    gc.collect()
    gc.freeze()
    anyio.run(run, settings, meter, backend=backend, backend_options=backend_options)
    print(json.dumps(meter.figures()))
