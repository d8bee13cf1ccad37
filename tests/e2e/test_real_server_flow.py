"""Many workflows through a real server: every one right, every task executed exactly once."""

from collections import Counter

import anyio
import pytest

import anyworker
from anyworker import Configuration, TaskDef, Worker, get_task_context
from anyworker.client import ConductorClient
from anyworker.conductor.models import Workflow, WorkflowDef, WorkflowTask

WORKFLOWS = 500
STARTERS = 2
"""Starts side by side; a server on SQLite refuses to schedule beyond a few."""


async def result(client: ConductorClient, workflow_id: str) -> Workflow:
    """Return a workflow that ended; one whose lock the server missed is looked at again, not in minutes."""
    while True:
        with anyio.move_on_after(5):
            return await client.wait_for_workflow(workflow_id)
        await client.decide(workflow_id)


async def test_every_workflow_ends_right_and_every_task_runs_once(
    conductor_url: str, anyio_backend_name: str, request: pytest.FixtureRequest
) -> None:
    loop = request.node.callspec.id
    executed: Counter[str] = Counter()

    def add(n: int) -> dict[str, int]:
        executed[get_task_context().get_task_id()] += 1
        return {"n": n + 1}

    async def double(n: int) -> dict[str, int]:
        executed[get_task_context().get_task_id()] += 1
        await anyio.sleep(0.001)
        return {"n": n * 2}

    workers = [
        Worker(f"add_{loop}", add, thread_count=20),
        Worker(f"double_{loop}", double, thread_count=20),
    ]
    definition = WorkflowDef(
        name=f"two_{loop}",
        tasks=[
            WorkflowTask(
                name=f"add_{loop}",
                task_reference_name="added",
                input_parameters={"n": "${workflow.input.n}"},
            ),
            WorkflowTask(
                name=f"double_{loop}",
                task_reference_name="doubled",
                input_parameters={"n": "${added.output.n}"},
            ),
        ],
    )
    configuration = Configuration(server_api_url=conductor_url)
    started: dict[int, str] = {}
    ended: dict[int, Workflow] = {}
    with anyio.fail_after(240):
        async with (
            anyworker.serving(*workers, configuration=configuration) as fleet,
            ConductorClient(configuration) as client,
        ):
            await client.register_task_defs([TaskDef(name=w.task_definition_name) for w in workers])
            await client.register_workflow_def(definition, overwrite=True)

            async def start(numbers: range) -> None:
                for n in numbers:
                    started[n] = await client.start_workflow(definition.name, {"n": n})

            async with anyio.create_task_group() as starters:
                for first in range(STARTERS):
                    starters.start_soon(start, range(first, WORKFLOWS, STARTERS))
            for n, workflow_id in started.items():
                ended[n] = await result(client, workflow_id)
    assert Counter(workflow.status for workflow in ended.values()) == {"COMPLETED": WORKFLOWS}
    assert [ended[n].output for n in range(WORKFLOWS)] == [{"n": (n + 1) * 2} for n in range(WORKFLOWS)]
    tasks = {task.task_id for workflow in ended.values() for task in workflow.tasks}
    assert executed == dict.fromkeys(tasks, 1)
    assert len(tasks) == 2 * WORKFLOWS
    assert fleet.status().is_everything_handed_over
