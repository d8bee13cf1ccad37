"""anyworker itself under measurement: a worker whose function does nothing, until the backlog is done.

    python benchmarks/subject.py --url http://127.0.0.1:PORT --backend trio --mode async --slots 10

The backlog must hold exactly the tasks that are asked for; `bench_task.py` sees to it. It prints what
`floor.py` prints.
"""

import threading

import anyio
import anyio.from_thread
from meter import Meter, Settings, main

import anyworker


def worker_of(settings: Settings, meter: Meter, is_done: anyio.Event) -> anyworker.Worker:
    """Return a worker that converts one argument, counts, and returns it."""

    turns, seconds = [None] * settings.turns, settings.io_ms / 1000

    async def greet_async(name: str) -> str:
        if seconds:
            await anyio.sleep(seconds)
        if meter.tick():
            is_done.set()
        for _ in turns:
            pass
        return name

    def greet(name: str) -> str:
        if seconds:
            threading.Event().wait(seconds)
        if meter.tick():
            anyio.from_thread.run_sync(is_done.set)
        return name

    function = greet_async if settings.mode == "async" else greet
    return anyworker.Worker("greet", function, thread_count=settings.slots)


async def run(settings: Settings, meter: Meter) -> None:
    """Serve until the last task has been executed, then drain."""
    is_done = anyio.Event()
    configuration = anyworker.Configuration(server_api_url=f"{settings.url}/api", environ={})
    async with anyworker.serving(worker_of(settings, meter, is_done), configuration=configuration):
        await is_done.wait()


if __name__ == "__main__":
    main(run, __doc__)
