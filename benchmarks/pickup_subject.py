"""A worker under measurement that returns when its function began, until its standard input ends.

    python benchmarks/pickup_subject.py --url http://127.0.0.1:8080/api --type TYPE [--backend trio]
        [--official]

With --official it is the official SDK's, and its interpreter needs ``conductor-python``.
"""

import argparse
import logging
import sys
from datetime import UTC, datetime

SLOTS = 10

logging.disable(logging.INFO)


async def tell() -> dict[str, float]:
    """Return the epoch milliseconds at the first line of the function."""
    return {"began": datetime.now(UTC).timestamp() * 1000}


def serve_anyworker(url: str, task_type: str, backend: str) -> None:
    """Serve in this process."""
    import anyio  # noqa: PLC0415 - the official SDK's interpreter has none of this
    from meter import BACKENDS  # noqa: PLC0415 - as above

    import anyworker  # noqa: PLC0415 - as above

    async def run() -> None:
        worker = anyworker.Worker(task_type, tell, thread_count=SLOTS)
        configuration = anyworker.Configuration(server_api_url=url, environ={})
        async with anyworker.serving(worker, configuration=configuration):
            await anyio.to_thread.run_sync(sys.stdin.read)

    name, options = BACKENDS[backend]
    anyio.run(run, backend=name, backend_options=options)


def serve_official(url: str, task_type: str) -> None:
    """Serve by the task handler."""
    from conductor.client.automator.task_handler import TaskHandler  # noqa: PLC0415 - only some have it
    from conductor.client.configuration.configuration import Configuration  # noqa: PLC0415 - as above
    from conductor.client.worker.worker import Worker  # noqa: PLC0415 - as above

    worker = Worker(task_type, tell, thread_count=SLOTS)
    configuration = Configuration(server_api_url=url)
    with TaskHandler([worker], configuration, scan_for_annotated_workers=False) as handler:
        handler.start_processes()
        sys.stdin.read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--type", required=True)
    parser.add_argument("--backend", default="asyncio")
    parser.add_argument("--official", action="store_true")
    given = parser.parse_args()
    if given.official:
        serve_official(given.url, given.type)
    else:
        serve_anyworker(given.url, given.type, given.backend)
