"""Which tasks are given back, as a real server sees it."""

import secrets
from collections.abc import Sequence
from typing import Any

import anyio

import anyworker
from anyworker import Configuration, TaskDef, TaskInProgress, Worker, get_task_context
from anyworker.client import ConductorClient
from anyworker.conductor.models import Workflow, WorkflowDef, WorkflowTask
from anyworker.events import Publisher
from anyworker.fleet.estates.salvage import Salvage
from anyworker.fleet.fleet import Fleet
from anyworker.fleet.status import FleetStatus
from anyworker.runner.threads import thread_runner


async def define(client: ConductorClient, name: str, defined: int, in_step: int | None) -> None:
    """Register a workflow of one task, with the attempts of its definition and of the step."""
    await client.register_task_defs(
        [TaskDef(name=name, retry_count=defined, retry_delay_seconds=0, timeout_seconds=0)]
    )
    step = WorkflowTask(name=name, task_reference_name="it", retry_count=in_step)
    await client.register_workflow_def(WorkflowDef(name=name, tasks=[step]), overwrite=True)


async def in_hand(fleet: Fleet, client: ConductorClient, ids: Sequence[str]) -> FleetStatus:
    """Wait until each worker has a task, and has begun it.

    Workflows whose lock the server missed are looked at again; it would do so in minutes.
    """
    while True:
        with anyio.move_on_after(5):
            while not all(worker.in_hand for worker in fleet.status().workers):  # noqa: ASYNC110 - no event
                await anyio.sleep(0.02)
            await anyio.sleep(0.1)
            return fleet.status()
        for workflow_id in ids:
            await client.decide(workflow_id)


CASES = (
    (None, 1, None, ["SCHEDULED"]),
    (None, 0, None, ["FAILED"]),
    (None, 1, 0, ["FAILED"]),
    (None, 0, 1, ["SCHEDULED"]),
    (True, 0, None, ["SCHEDULED"]),
    (False, 1, None, ["FAILED", "SCHEDULED"]),
)
"""What worker, definition and step say, and what there is after a shutdown."""


async def test_shutdown_gives_back_what_may_run_again(conductor_url: str) -> None:
    names = [f"again_{secrets.token_hex(4)}" for _ in CASES]
    workers = [
        Worker(name, anyio.sleep_forever, restartable=case[0])
        for name, case in zip(names, CASES, strict=True)
    ]
    workflows: list[Workflow] = []
    with anyio.fail_after(90):
        async with ConductorClient(Configuration(server_api_url=conductor_url)) as client:
            ids = []
            for name, (_, defined, in_step, _) in zip(names, CASES, strict=True):
                await define(client, name, defined, in_step)
                ids.append(await client.start_workflow(name, {}))
            configuration = Configuration(server_api_url=conductor_url)
            async with anyworker.serving(*workers, configuration=configuration) as fleet:
                await in_hand(fleet, client, ids)
                await fleet.stop()
            assert fleet.status().is_everything_handed_over
            for workflow_id in ids:
                workflows.append(await client.get_workflow(workflow_id))
                if workflows[-1].status == "RUNNING":
                    await client.terminate_workflow(workflow_id)
    assert [[task.status for task in workflow.tasks] for workflow in workflows] == [case[3] for case in CASES]
    for workflow in workflows:
        first = workflow.tasks[0]
        assert ("shut down" in (first.reason_for_incompletion or "")) is (first.status == "FAILED")


async def test_seeds_example_does_each_item_once(conductor_url: str) -> None:
    """Its task is drained in each turn, and taken by a process that dies, before it goes on."""
    name = f"batch_{secrets.token_hex(4)}"
    done: list[int] = []
    turns: list[int] = []

    async def process_batch() -> dict[str, Any] | TaskInProgress:
        poll_count = get_task_context().get_poll_count()
        turns.append(poll_count)
        await anyio.sleep(0.5 if turns.count(poll_count) > 1 else 60)
        chunk = range(450)[poll_count * 100 : poll_count * 100 + 100]
        done.extend(chunk)
        total = poll_count * 100 + len(chunk)
        return TaskInProgress(0, {"progress": total}) if len(chunk) == 100 else {"total": total}

    configuration = Configuration(server_api_url=conductor_url)
    salvage = Salvage(configuration, Publisher(), None, draw=lambda: 0.5, run_sync=thread_runner())
    with anyio.fail_after(120):
        async with ConductorClient(configuration) as client:
            await define(client, name, 0, None)
            workflow_id = await client.start_workflow(name, {})
            workflow: Workflow = await client.get_workflow(workflow_id)
            while workflow.status == "RUNNING":
                worker = Worker(name, process_batch, restartable=True)
                async with anyworker.serving(worker, configuration=configuration) as fleet:
                    status = await in_hand(fleet, client, [workflow_id])
                    with anyio.move_on_after(1.5):
                        await client.wait_for_workflow(workflow_id)
                    await fleet.stop()
                # Somebody dies who polled under that name.
                [dead] = status.workers
                await client.poll(name, count=1, timeout=1, worker_id=dead.worker_id)
                with anyio.move_on_after(0.8):  # its first look finds it
                    await salvage.give_back("process 1 of 1", [dead])
                workflow = await client.get_workflow(workflow_id)
    assert done == list(range(100, 450))
    assert workflow.output == {"total": 450}
    assert len(turns) > len(set(turns)) == 4
