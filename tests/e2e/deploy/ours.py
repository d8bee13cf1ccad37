"""Workers of a deployment: python ours.py TASK_TYPE BACKEND PROCESSES BEGUN."""

import sys

import anyio

import anyworker
from anyworker import worker_task

TASK_TYPE, BACKEND, PROCESSES, BEGUN = sys.argv[1:]


@worker_task(TASK_TYPE, thread_count=7)
async def work(seconds: float) -> str:
    with open(BEGUN, "ab", buffering=0) as file:  # noqa: ASYNC230 - a byte
        file.write(b".")
    await anyio.sleep(seconds)
    return "done"


if __name__ == "__main__":
    anyworker.run(backend=BACKEND, processes=int(PROCESSES))
