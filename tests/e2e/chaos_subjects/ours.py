"""Workers of a chaos run: ours.py PREFIX PROCESSES JOURNAL OUTBOX BACKEND DELAY..."""

import logging
import sys
import time

import anyio
from journal import Journal

import anyworker
from anyworker import OutboxSettings, get_task_context, worker_task

PREFIX, PROCESSES, JOURNAL, OUTBOX, BACKEND, *DELAYS = sys.argv[1:]
journal = Journal(JOURNAL)


@worker_task(f"{PREFIX}_double", thread_count=10)
async def double(number: int, seconds: float) -> int:
    with journal.execution(get_task_context().get_task_id()):
        await anyio.sleep(seconds)
        return 2 * number


@worker_task(f"{PREFIX}_add", thread_count=10)
def add(number: int, seconds: float) -> int:
    with journal.execution(get_task_context().get_task_id()):
        time.sleep(seconds)  # noqa: TID251 - a function of a user's, in its thread
        return number + 1


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(process)d %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    anyworker.run(
        backend=BACKEND,
        processes=int(PROCESSES),
        # Here a task that is in hand at several deaths is not what kills its process.
        outbox=OutboxSettings(OUTBOX, write_ahead=True, max_deaths=0),
        update_retry_delays=[float(delay) for delay in DELAYS],
    )
