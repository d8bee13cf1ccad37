"""A process under measurement whose workers have nothing to do, until its standard input ends.

    python benchmarks/idle_subject.py --url http://127.0.0.1:PORT --types 10 [--backend trio] [--official]

With --official it is the official SDK's task handler, and its interpreter needs ``conductor-python``.
"""

import argparse
import logging
import sys

logging.disable(logging.INFO)


def nothing() -> None:
    """Be the function of a worker to which no task comes."""


def serve_anyworker(url: str, names: list[str], backend: str) -> None:
    """Serve with all workers in this process."""
    import anyio  # noqa: PLC0415 - the official SDK's interpreter has none of this
    from meter import BACKENDS  # noqa: PLC0415 - as above

    import anyworker  # noqa: PLC0415 - as above

    async def run() -> None:
        workers = [anyworker.Worker(name, nothing) for name in names]
        configuration = anyworker.Configuration(server_api_url=url, environ={})
        async with anyworker.serving(*workers, configuration=configuration):
            await anyio.to_thread.run_sync(sys.stdin.read)

    name, options = BACKENDS[backend]
    anyio.run(run, backend=name, backend_options=options)


def serve_official(url: str, names: list[str]) -> None:
    """Serve with a process for each worker."""
    from conductor.client.automator.task_handler import TaskHandler  # noqa: PLC0415 - only some have it
    from conductor.client.configuration.configuration import Configuration  # noqa: PLC0415 - as above
    from conductor.client.worker.worker import Worker  # noqa: PLC0415 - as above

    workers = [Worker(name, nothing) for name in names]
    configuration = Configuration(server_api_url=url)
    with TaskHandler(workers, configuration, scan_for_annotated_workers=False) as handler:
        handler.start_processes()
        sys.stdin.read()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--types", type=int, default=1)
    parser.add_argument("--backend", default="asyncio")
    parser.add_argument("--official", action="store_true")
    given = parser.parse_args()
    task_types = [f"idle{number}" for number in range(given.types)]
    if given.official:
        serve_official(f"{given.url}/api", task_types)
    else:
        serve_anyworker(f"{given.url}/api", task_types, given.backend)
