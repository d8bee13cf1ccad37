"""A deploy under load: the old process gets SIGTERM while tasks run, the new one goes on; nothing is lost.

    python examples/graceful_deploy.py

Both are ``anyworker run`` of this file, on a development server of their own.
"""

import os
import signal
import subprocess
import sys
from collections import Counter

import anyio

from anyworker import Configuration, worker_task
from anyworker.client import ConductorClient, TaskDef
from anyworker.conductor.models import WorkflowDef, WorkflowTask
from anyworker.devserver.serve import serve_in_thread

TASKS = 20
GRACE = "0.5"
"""Seconds; tasks that take longer are handed back."""


@worker_task("pack", thread_count=5, restartable=True)
async def pack(seconds: float) -> dict[str, int]:
    """Pack a parcel."""
    await anyio.sleep(seconds)
    return {"pid": os.getpid()}


def start(url: str) -> subprocess.Popen[bytes]:
    """Start a process with the workers of this file."""
    command = [sys.executable, "-m", "anyworker", "run", __file__, "--grace", GRACE]
    return subprocess.Popen(
        command, env={**os.environ, "CONDUCTOR_SERVER_URL": url}, stderr=subprocess.DEVNULL
    )


async def deploy(url: str) -> None:
    """Start tasks, replace the process in the middle of them, and tell who did what."""
    task = WorkflowTask(
        name="pack", task_reference_name="pack", input_parameters={"seconds": "${workflow.input.seconds}"}
    )
    async with ConductorClient(Configuration(server_api_url=url)) as client:
        await client.register_task_defs([TaskDef(name="pack", retry_count=3)])
        await client.register_workflow_def(WorkflowDef(name="parcel", tasks=[task]))
        # Every fifth takes longer than the grace.
        ids = [
            await client.start_workflow(name="parcel", input={"seconds": 2.0 if number % 5 == 0 else 0.3})
            for number in range(TASKS)
        ]
        old = start(url)
        await client.wait_for_workflow(ids[1])
        new = start(url)
        old.send_signal(signal.SIGTERM)
        status = await anyio.to_thread.run_sync(old.wait)
        print(f"the old process ended with status {status}")
        workflows = [await client.wait_for_workflow(each) for each in ids]
        new.send_signal(signal.SIGTERM)
        await anyio.to_thread.run_sync(new.wait)
    by_whom = Counter(workflow.tasks[-1].output_data["pid"] for workflow in workflows)
    statuses = Counter(str(workflow.status) for workflow in workflows)
    print(f"{dict(statuses)}: {by_whom[old.pid]} by the old process, {by_whom[new.pid]} by the new one")


if __name__ == "__main__":
    with serve_in_thread() as api:
        anyio.run(deploy, api)
