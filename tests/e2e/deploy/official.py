"""The same workers by the official SDK: python official.py TASK_TYPE PROCESSES BEGUN."""

import asyncio
import sys

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.worker.worker import Worker

TASK_TYPE, PROCESSES, BEGUN = sys.argv[1:]


async def work(seconds: float) -> str:
    with open(BEGUN, "ab", buffering=0) as file:  # noqa: ASYNC230 - a byte
        file.write(b".")
    await asyncio.sleep(seconds)
    return "done"


def main() -> None:
    workers = [Worker(TASK_TYPE, work, thread_count=7) for _ in range(int(PROCESSES))]
    with TaskHandler(
        workers=workers, configuration=Configuration(), scan_for_annotated_workers=False
    ) as handler:
        handler.start_processes()
        handler.join_processes()


if __name__ == "__main__":
    main()
