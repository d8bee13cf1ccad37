"""The same workers by the official SDK, which has one process each: official.py PREFIX PROCESSES JOURNAL"""

import asyncio
import sys
import time

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.context import get_task_context
from conductor.client.worker.worker import Worker
from journal import Journal

PREFIX, PROCESSES, JOURNAL = sys.argv[1:4]
journal = Journal(JOURNAL)


async def double(number: int, seconds: float) -> int:
    with journal.execution(get_task_context().get_task_id()):
        await asyncio.sleep(seconds)
        return 2 * number


def add(number: int, seconds: float) -> int:
    with journal.execution(get_task_context().get_task_id()):
        time.sleep(seconds)  # noqa: TID251 - a function of a user's, in its thread
        return number + 1


def main() -> None:
    workers = [
        Worker(f"{PREFIX}_{function.__name__}", function, thread_count=10)
        for function in (double, add)
        for _ in range(int(PROCESSES))
    ]
    with TaskHandler(
        workers=workers, configuration=Configuration(), scan_for_annotated_workers=False
    ) as handler:
        handler.start_processes()
        handler.join_processes()


if __name__ == "__main__":
    main()
