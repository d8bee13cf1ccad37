"""Leases and cancellation on a real server."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio

import anyworker
from anyworker import Configuration, LeaseExtended, TaskCancelled, TaskDef, Worker, get_task_context
from anyworker.client import ConductorClient
from anyworker.conductor.models import Workflow, WorkflowDef, WorkflowTask
from anyworker.policy.cancellation import Terminated


class Heard:
    """Keep what leases and cancellations tell."""

    def __init__(self) -> None:
        self.extended: list[LeaseExtended] = []
        self.cancelled: list[TaskCancelled] = []
        self.on_lease_extended = self.extended.append
        self.on_task_cancelled = self.cancelled.append


@asynccontextmanager
async def serving(url: str, worker: Worker, heard: Heard, **task_def: Any) -> AsyncIterator[ConductorClient]:
    """Serve a worker whose workflow has its name."""
    configuration, name = Configuration(server_api_url=url), worker.task_definition_name
    step = WorkflowTask(name=name, task_reference_name="step", input_parameters={"n": "${workflow.input.n}"})
    async with (
        ConductorClient(configuration) as client,
        anyworker.serving(worker, configuration=configuration, event_listeners=[heard]),
    ):
        await client.register_task_defs([TaskDef(name=name, timeout_seconds=0, retry_count=0, **task_def)])
        await client.register_workflow_def(WorkflowDef(name=name, tasks=[step]), overwrite=True)
        yield client


async def result(client: ConductorClient, workflow_id: str) -> Workflow:
    """Return a workflow that ended; one whose lock the server missed is looked at again, not in minutes."""
    while True:
        with anyio.move_on_after(10):
            return await client.wait_for_workflow(workflow_id)
        await client.decide(workflow_id)


async def test_task_that_runs_longer_than_its_response_timeout_completes(conductor_url: str) -> None:
    async def work() -> str:
        calls.append(get_task_context().get_task_id())
        await anyio.sleep(7)
        return "done"

    calls: list[str] = []
    heard = Heard()
    worker = Worker(f"long_{secrets.token_hex(4)}", work, lease_extend_enabled=True)
    with anyio.fail_after(60):
        async with serving(conductor_url, worker, heard, response_timeout_seconds=2) as client:
            workflow_id = await client.start_workflow(worker.task_definition_name, {})
            workflow = await result(client, workflow_id)
    assert workflow.status == "COMPLETED"
    assert workflow.output == {"result": "done"}
    assert len(calls) == 1
    assert len(heard.extended) >= 10


async def test_no_result_is_lost_beside_a_heartbeat(conductor_url: str) -> None:
    """Sent together, the real server lost 6 of 60 (contract 5.5); here many tasks end when one is due.

    The response timeout leaves a busy server time to take the result: no heartbeat can help meanwhile.
    """

    async def work(n: int) -> int:
        await anyio.sleep(1.2 + n * 0.02)
        return n

    heard = Heard()
    worker = Worker(f"race_{secrets.token_hex(4)}", work, thread_count=24, lease_extend_enabled=True)
    with anyio.fail_after(120):
        async with serving(conductor_url, worker, heard, response_timeout_seconds=5) as client:
            ids = {n: await client.start_workflow(worker.task_definition_name, {"n": n}) for n in range(24)}
            flows = {n: await result(client, workflow_id) for n, workflow_id in ids.items()}
    told = {flow.workflow_id: flow.reason_for_incompletion for flow in flows.values()}
    assert told == dict.fromkeys(told)
    assert {n: flow.output for n, flow in flows.items()} == {n: {"result": n} for n in range(24)}
    assert heard.extended


async def test_function_of_a_terminated_workflow_is_cancelled(conductor_url: str) -> None:
    heard = Heard()
    worker = Worker(f"endless_{secrets.token_hex(4)}", anyio.sleep_forever)
    with anyio.fail_after(60):
        async with serving(conductor_url, worker, heard) as client:
            workflow_id = await client.start_workflow(worker.task_definition_name, {})
            await anyio.sleep(2)
            await client.terminate_workflow(workflow_id, reason="not needed")
            while not heard.cancelled:  # noqa: ASYNC110 - a listener is called, not awaited
                await anyio.sleep(0.1)
            task = (await client.get_workflow(workflow_id)).tasks[0]
    assert isinstance(heard.cancelled[0].reason, Terminated)
    assert task.status == "CANCELED"
