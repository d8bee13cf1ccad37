"""The outbox against a real server: an outage of its updates loses nothing, and what is refused says why."""

from pathlib import Path
from typing import Any
from uuid import uuid4

import anyio
import httpx
import pytest

import anyworker
from anyworker import Configuration, TaskDef, Worker
from anyworker.client import ConductorClient
from anyworker.conductor.models import WorkflowDef, WorkflowTask

WORKFLOWS = 20


class Outage(httpx.AsyncBaseTransport):
    """A network that loses the requests that carry results, while it is on."""

    def __init__(self) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.is_on = True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        is_result = request.method == "POST" and request.url.path.endswith(("/tasks", "/tasks/update-v2"))
        if self.is_on and is_result:
            message = "lost"
            raise httpx.ConnectError(message)
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


class Recorder:
    """Count what happens to results, and tell when enough are where they should be."""

    def __init__(self) -> None:
        self.stored: list[Any] = []
        self.settled: list[Any] = []
        self.refused: list[Any] = []
        self.all_stored, self.all_settled = anyio.Event(), anyio.Event()

    def on_result_stored(self, event: Any) -> None:
        self.stored.append(event)
        if len(self.stored) == WORKFLOWS:
            self.all_stored.set()

    def on_result_replayed(self, event: Any) -> None:
        self.settled.append(event)
        if len(self.settled) == WORKFLOWS:
            self.all_settled.set()

    def on_result_refused(self, event: Any) -> None:
        self.refused.append(event)
        self.on_result_replayed(event)


async def test_results_of_an_outage_are_delivered_and_those_of_ended_tasks_refused(
    conductor_url: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    name = f"kept_{request.node.callspec.id}_{uuid4().hex[:8]}"
    outage, recorder = Outage(), Recorder()
    definition = WorkflowDef(
        name=name,
        tasks=[
            WorkflowTask(name=name, task_reference_name="it", input_parameters={"n": "${workflow.input.n}"})
        ],
    )

    async def work(n: int) -> dict[str, int]:
        return {"n": n + 1}

    with anyio.fail_after(120):
        async with outage, ConductorClient(Configuration(server_api_url=conductor_url)) as client:
            await client.register_task_defs([TaskDef(name=name, retry_count=0)])
            await client.register_workflow_def(definition, overwrite=True)
            started = [
                await client.start_workflow(name=name, version=1, input={"n": n}) for n in range(WORKFLOWS)
            ]
            async with anyworker.serving(
                Worker(name, work, thread_count=5),
                configuration=Configuration(server_api_url=conductor_url, transport=outage),
                event_listeners=[recorder],
                update_retry_delays=(0.1,),
                outbox=tmp_path / "outbox.db",
            ):
                await recorder.all_stored.wait()
                await client.terminate_workflow(started[0], reason="not needed")
                outage.is_on = False
                await recorder.all_settled.wait()
            ended = [await client.get_workflow(each) for each in started]
    assert [each.status for each in ended] == ["TERMINATED"] + ["COMPLETED"] * (WORKFLOWS - 1)
    assert [each.tasks[0].output_data["n"] for each in ended[1:]] == list(range(2, WORKFLOWS + 1))
    [refused] = recorder.refused
    assert refused.workflow_instance_id == started[0]
    assert "CANCELED" in refused.reason
