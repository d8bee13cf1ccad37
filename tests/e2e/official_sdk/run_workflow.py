"""Run one workflow of two tasks with the official SDK alone: its workers and its workflow client.

Usage: run_workflow.py SECONDS; the server and the key come from the environment, as for all users of the SDK.
Prints the finished workflow's status, output and tasks as JSON. ``test_official_sdk`` runs it in an
environment where only the SDK is installed.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.context import get_task_context
from conductor.client.http.models.start_workflow_request import StartWorkflowRequest
from conductor.client.http.models.task_def import TaskDef
from conductor.client.orkes_clients import OrkesClients
from conductor.client.worker.worker_task import worker_task
from conductor.client.workflow.conductor_workflow import ConductorWorkflow

LEASE_SECONDS = 6
"""The SDK looks for leases to be extended once a second, and extends one after four fifths of its time."""
PATIENCE = 60.0


@dataclass
class Guest:
    name: str
    age: int


@worker_task(
    task_definition_name="official_greet", register_task_def=True, register_schema=True, strict_schema=True
)
def greet(guest: Guest) -> dict:
    get_task_context().add_log(f"greeting {guest.name}")
    return {"greeting": f"Hello {guest.name}, {guest.age}"}


@worker_task(
    task_definition_name="official_dawdle",
    thread_count=5,
    register_task_def=True,
    lease_extend_enabled=True,
    task_def=TaskDef(
        name="official_dawdle", response_timeout_seconds=LEASE_SECONDS, timeout_seconds=60, retry_count=0
    ),
)
async def dawdle(text: str, seconds: float) -> dict:
    await asyncio.sleep(seconds)
    return {"said": f"{text}, at last"}


def main(seconds: float) -> None:
    clients = OrkesClients(configuration=Configuration())
    executor = clients.get_workflow_executor()
    workflow = ConductorWorkflow(executor=executor, name="official_flow", version=1)
    first = greet(task_ref_name="greet", guest="${workflow.input.guest}")
    second = dawdle(
        task_ref_name="dawdle", text=first.output("greeting"), seconds="${workflow.input.seconds}"
    )
    workflow >> first >> second
    workflow.output_parameters({"said": second.output("said")})
    workflow.register(overwrite=True)

    with TaskHandler(configuration=Configuration(), scan_for_annotated_workers=True) as handler:
        handler.start_processes()
        # A workflow takes the definitions of its tasks as they are when it starts.
        until(lambda: registered(clients.get_metadata_client(), "official_greet", "official_dawdle"))
        source = {"guest": {"name": "Ada", "age": 36}, "seconds": seconds}
        request = StartWorkflowRequest(name="official_flow", version=1, input=source, correlation_id="one")
        workflow_id = executor.start_workflow(request)
        client = clients.get_workflow_client()
        until(lambda: client.get_workflow_status(workflow_id).status not in {"RUNNING", "PAUSED"})
        finished = client.get_workflow(workflow_id, include_tasks=True)
    tasks = {
        task.reference_task_name: {
            "status": task.status,
            "retries": task.retry_count,
            "milliseconds": task.end_time - task.start_time,
            "logs": [line.log for line in clients.get_task_client().get_task_logs(task.task_id) or []],
        }
        for task in finished.tasks
    }
    print(json.dumps({"status": finished.status, "output": finished.output, "tasks": tasks}))


def registered(client: object, *task_types: str) -> bool:
    known = {definition.name for definition in client.get_all_task_defs()}
    return known.issuperset(task_types)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.1)  # noqa: TID251  # a user's script, outside anyio


if __name__ == "__main__":
    main(float(sys.argv[1]))
