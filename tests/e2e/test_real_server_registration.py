"""Registration on a real server: created, kept, overwritten, the operator's changes kept, refused."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

import anyio
import pytest
from msgspec import Meta

import anyworker
from anyworker import Configuration, TaskDef, TaskRunnerEventsListener, Worker
from anyworker.client import ConductorClient
from anyworker.conductor.models import WorkflowDef, WorkflowTask
from anyworker.errors import NotFoundError
from anyworker.events import Publisher, TaskDefRegistered, TaskDefRegistrationFailure
from anyworker.fleet.declarations import declarations
from anyworker.options import resolve_all
from anyworker.runner.registration import Registrar


@dataclass
class Tree:
    at: Annotated[datetime, Meta(tz=True, description="When, with \u00e9.")]
    below: "dict[str, Tree | None]"


class Hearing(TaskRunnerEventsListener):
    def __init__(self) -> None:
        self.events: list[TaskDefRegistered | TaskDefRegistrationFailure] = []
        self.has_heard = anyio.Event()

    def on_task_def_registered(self, event: TaskDefRegistered) -> None:
        self.events.append(event)
        self.has_heard.set()

    def on_task_def_registration_failure(self, event: TaskDefRegistrationFailure) -> None:
        self.events.append(event)
        self.has_heard.set()


@pytest.fixture
async def client(conductor_url: str) -> AsyncIterator[ConductorClient]:
    async with ConductorClient(Configuration(server_api_url=conductor_url)) as opened:
        yield opened


def charge(order: str, amount: float = 1.0) -> str:
    return f"{order} {amount}"


async def registered(
    client: ConductorClient, name: str, task_def: TaskDef, **options: Any
) -> TaskDefRegistered | TaskDefRegistrationFailure:
    worker = Worker(name, charge, task_def=task_def, register_task_def=True, **options)
    hearing = Hearing()
    with anyio.fail_after(30):
        await Registrar(client, Publisher([hearing]), declarations(resolve_all([worker], {}).workers)).run()
    return hearing.events[0]


async def outcome(client: ConductorClient, name: str, task_def: TaskDef, **options: Any) -> str:
    event = await registered(client, name, task_def, **options)
    assert isinstance(event, TaskDefRegistered), event
    return event.outcome


async def test_definition_is_created_kept_and_overwritten_but_for_what_the_operator_set(
    client: ConductorClient,
) -> None:
    name = f"charge-{uuid.uuid4().hex[:8]}"
    assert await outcome(client, name, TaskDef(name=name, retry_count=7)) == "created"
    assert await outcome(client, name, TaskDef(name=name, retry_count=7)) == "unchanged"
    assert await outcome(client, name, TaskDef(name=name, retry_count=2), overwrite_task_def=False) == "kept"
    found = await client.get_task_def_fields(name)
    assert found["retryCount"] == 7
    assert found["inputSchema"]["data"]["required"] == ["order"]

    await client.update_task_def({**found, "retryDelaySeconds": 5, "responseTimeoutSeconds": 45})
    assert await outcome(client, name, TaskDef(name=name, retry_count=3)) == "updated"
    found = await client.get_task_def_fields(name)
    assert (found["retryCount"], found["retryDelaySeconds"], found["responseTimeoutSeconds"]) == (3, 5, 45)


async def test_definition_that_the_server_would_refuse_is_not_sent(client: ConductorClient) -> None:
    name = f"charge-{uuid.uuid4().hex[:8]}"
    event = await registered(client, name, TaskDef(name=name, timeout_seconds=30))
    assert isinstance(event, TaskDefRegistrationFailure)
    assert "responseTimeoutSeconds=3600" in str(event.cause)
    with pytest.raises(NotFoundError):
        await client.get_task_def(name)


async def test_worker_whose_definition_is_refused_does_its_tasks(
    conductor_url: str, client: ConductorClient
) -> None:
    name = f"charge-{uuid.uuid4().hex[:8]}"
    worker = Worker(name, charge, task_def=TaskDef(name=name, timeout_seconds=30), register_task_def=True)
    hearing = Hearing()
    settings = Configuration(server_api_url=conductor_url)
    with anyio.fail_after(60):
        async with anyworker.serving(worker, configuration=settings, event_listeners=[hearing]):
            task = WorkflowTask(name=name, task_reference_name="it", input_parameters={"order": "o7"})
            await client.register_workflow_def(
                WorkflowDef(name=name, tasks=[task], owner_email="a@example.org")
            )
            workflow = await client.wait_for_workflow(await client.start_workflow(name))
            await hearing.has_heard.wait()
    assert workflow.tasks[0].output_data == {"result": "o7 1.0"}
    assert [type(event) for event in hearing.events] == [TaskDefRegistrationFailure]


async def test_schemas_of_every_kind_come_back_as_they_were_sent(client: ConductorClient) -> None:
    def function(tree: Tree, how: Literal["a", 1, None], *more: int, **rest: float) -> Tree | str: ...

    name = f"grow-{uuid.uuid4().hex[:8]}"
    workers = resolve_all([Worker(name, function, register_task_def=True)], {}).workers
    [said] = declarations(workers)
    with anyio.fail_after(30):
        await Registrar(client, Publisher(), [said]).run()
        found = await client.get_task_def_fields(name)
    assert found["inputSchema"]["data"] == said.input_schema
    assert found["outputSchema"]["data"] == said.output_schema
