"""One process with an event loop beside several processes: which is faster for what.

    python examples/comparing.py

Waiting costs no processor, so one event loop does it for all; computing needs processes. It runs 20 tasks of
each on a development server of its own; ``python examples/comparing.py 100`` takes 100.
"""

import sys
import time

import anyio

from anyworker import Configuration, TaskHandler, Worker
from anyworker.client import ConductorClient
from anyworker.conductor.models import WorkflowDef, WorkflowTask
from anyworker.devserver.serve import serve_in_thread


async def wait() -> str:
    """Wait for a service, as it were."""
    await anyio.sleep(0.2)
    return "waited"


def compute() -> int:
    """Compute for some tens of milliseconds."""
    return sum(number * number for number in range(500_000))


WORKERS = {
    "wait": Worker("wait", wait, thread_count=50),
    "compute": Worker("compute", compute, thread_count=4),
}


async def seconds_for(kind: str, tasks: int, configuration: Configuration) -> float:
    """Return how long so many tasks of a kind take."""
    flow = WorkflowDef(name=kind, tasks=[WorkflowTask(name=kind, task_reference_name=kind)])
    async with ConductorClient(configuration) as client:
        await client.register_workflow_def(flow, overwrite=True)
        # The first one waits until the processes are up.
        await client.wait_for_workflow(await client.start_workflow(name=kind))
        began = time.perf_counter()
        ids = [await client.start_workflow(name=kind) for _ in range(tasks)]
        for workflow_id in ids:
            await client.wait_for_workflow(workflow_id)
        return time.perf_counter() - began


def main(tasks: int) -> None:
    """Print a line for each kind of task."""
    print(f"{tasks} tasks of each{'1 process':>14}{'2 processes':>14}")
    for kind, worker in WORKERS.items():
        found = []
        for processes in (1, 2):
            with serve_in_thread() as url:
                configuration = Configuration(server_api_url=url)
                with TaskHandler([worker], configuration, processes=processes) as handler:
                    handler.start_processes()
                    found.append(anyio.run(seconds_for, kind, tasks, configuration))
        print(f"{kind:18}{found[0]:>10.2f} s{found[1]:>12.2f} s")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
