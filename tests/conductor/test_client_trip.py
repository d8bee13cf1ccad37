"""The client against whole servers: in process, on a socket, and the real one."""

from collections.abc import Iterator
from uuid import uuid4

import anyio
import attrs
import pytest

from anyworker.client import (
    ConductorClient,
    Task,
    TaskDef,
    TaskResult,
    WorkflowDef,
    WorkflowTask,
)
from anyworker.configuration import AuthenticationSettings, Configuration
from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread
from anyworker.errors import (
    BadRequestError,
    ConflictError,
    MethodNotAllowedError,
    NotFoundError,
    ServerError,
    TransportError,
    UnexpectedAnswerError,
)

CREDENTIALS = AuthenticationSettings("key", "secret")
"""No Conductor of ours has authentication: a token is asked for once, and done without."""


@pytest.fixture
def in_process() -> Configuration:
    transport = DevServer().transport()
    return Configuration(transport=transport, authentication_settings=CREDENTIALS, environ={})


@pytest.fixture
def on_a_socket() -> Iterator[Configuration]:
    with serve_in_thread() as url:
        yield Configuration(server_api_url=url, authentication_settings=CREDENTIALS, environ={})


async def registered(client: ConductorClient, *, steps: int = 1) -> str:
    """Register a task type and a workflow of so many of them, and return the name that both have."""
    name = f"client trip {uuid4().hex[:8]}"
    await client.register_task_defs([TaskDef(name=name, retry_count=0, owner_email="a@example.test")])
    tasks = [
        WorkflowTask(name=name, task_reference_name=f"r{step}", input_parameters={"x": "${workflow.input.x}"})
        for step in range(steps)
    ]
    await client.register_workflow_def(WorkflowDef(name=name, tasks=tasks, owner_email="a@example.test"))
    return name


async def take(client: ConductorClient, name: str) -> Task:
    with anyio.fail_after(20):
        while True:
            for task in await client.poll(name, count=1, timeout=1.0, worker_id="w 1"):
                return task


def done(task: Task, **output: object) -> TaskResult:
    return TaskResult(
        task_id=task.task_id,
        workflow_instance_id=task.workflow_instance_id,
        status="COMPLETED",
        worker_id="w 1",
        output_data=output,
    )


async def a_workflow_goes_through_and_is_read(configuration: Configuration) -> None:
    async with ConductorClient(configuration) as client:
        name = await registered(client, steps=2)
        workflow_id = await client.start_workflow(name, {"x": None}, correlation_id="c")
        assert (await client.queue_sizes([name])) == {name: 1}
        first = await take(client, name)
        assert first.task_def_name == name
        assert first.worker_id == "w 1"
        assert first.input_data == {"x": None}
        assert first.task_definition is not None
        assert first.task_definition.retry_count == 0
        await client.extend_lease(first)
        await client.add_log(first.task_id, "half way")
        assert [line.log for line in await client.get_logs(first.task_id)] == ["half way"]
        second = await client.update_task_v2(done(first, a=1))
        assert second is not None
        assert second.reference_task_name == "r1"
        assert (await client.get_task(first.task_id)).output_data == {"a": 1}
        await client.update_task(done(second, b={"keep": None}))
        workflow = await client.get_workflow(workflow_id)
        assert workflow.status == "COMPLETED"
        assert workflow.correlation_id == "c"
        assert workflow.output == {"b": {"keep": None}}
        assert [task.task_id for task in workflow.tasks] == [first.task_id, second.task_id]
        assert (await client.get_workflow(workflow_id, include_tasks=False)).tasks == []
        [poll_data] = await client.poll_data(name)
        assert poll_data.worker_id == "w 1"


async def definitions_and_termination(configuration: Configuration) -> None:
    async with ConductorClient(configuration) as client:
        name = await registered(client)
        definition = await client.get_task_def(name)
        definition.description = "changed"
        await client.update_task_def(definition)
        assert (await client.get_task_def(name)).description == "changed"
        workflow_def = await client.get_workflow_def(name)
        with pytest.raises(ConflictError, match="already exists"):
            await client.register_workflow_def(workflow_def)
        await client.register_workflow_def(workflow_def, overwrite=True)
        workflow_id = await client.start_workflow(name, {})
        await client.decide(workflow_id)
        await client.terminate_workflow(workflow_id, "no longer & wanted")
        workflow = await client.get_workflow(workflow_id)
        assert (workflow.status, workflow.reason_for_incompletion) == ("TERMINATED", "no longer & wanted")


async def the_servers_errors_are_ours(configuration: Configuration) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    async with ConductorClient(configuration) as client:
        with pytest.raises(NotFoundError, match=f"Task not found for taskId: {nobody}"):
            await client.get_task(nobody)
        with pytest.raises(NotFoundError, match="No such workflow found by id"):
            await client.update_task(done(Task(task_id=nobody, workflow_instance_id=nobody)))
        with pytest.raises(NotFoundError):
            await client.update_task_v2(done(Task(task_id=nobody, workflow_instance_id=nobody)))
        with pytest.raises(NotFoundError, match="No such workflow defined"):
            await client.start_workflow("no such workflow", version=1)
        with pytest.raises(BadRequestError, match="more than 5 seconds"):
            await client.poll("any", count=1, timeout=6.0, worker_id="w")
        with pytest.raises(BadRequestError, match="Task ID cannot be null or empty"):
            await client.update_task(TaskResult(status="COMPLETED"))
        with pytest.raises(ServerError):
            await client.send_result(b"{", is_terminal=True)


async def a_base_url_without_the_apis_path_is_told_apart(configuration: Configuration) -> None:
    url = configuration.server_api_url.removesuffix("/api")
    wrong = attrs.evolve(configuration, server_api_url=f"{url}/elsewhere")
    async with ConductorClient(wrong) as client:
        with pytest.raises((UnexpectedAnswerError, MethodNotAllowedError)) as caught:
            await client.poll("any", count=1, timeout=0, worker_id="w")
    assert "it should end in /api" in str(caught.value)
    assert "\n" not in str(caught.value)


async def odd_task_types_are_polled(configuration: Configuration) -> None:
    async with ConductorClient(configuration) as client:
        for sign in ["ä ö", "100%", "a+b?c#d;e&f", "a..b", "'q\"", "%2F", "[x]{y}|~", "x" * 200]:
            name = f"{sign} {uuid4().hex[:8]}"
            steps = [WorkflowTask(name=name, task_reference_name="r")]
            await client.register_workflow_def(WorkflowDef(name="odd types", tasks=steps), overwrite=True)
            workflow_id = await client.start_workflow("odd types", {})
            task = await take(client, name)
            assert task.workflow_instance_id == workflow_id
            await client.update_task(done(task))
            assert (await client.get_workflow(workflow_id)).status == "COMPLETED"


SCENARIOS = [
    a_workflow_goes_through_and_is_read,
    definitions_and_termination,
    the_servers_errors_are_ours,
    a_base_url_without_the_apis_path_is_told_apart,
    odd_task_types_are_polled,
]


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_in_process(scenario, in_process):
    await scenario(in_process)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_on_a_socket(scenario, on_a_socket):
    await scenario(on_a_socket)


@pytest.mark.parametrize("scenario", SCENARIOS)
async def test_on_the_real_server(scenario, conductor_url):
    await scenario(
        Configuration(server_api_url=conductor_url, authentication_settings=CREDENTIALS, environ={})
    )


async def test_an_unreachable_server_is_a_transport_error_that_sent_nothing():
    configuration = Configuration(server_api_url="http://127.0.0.1:1/api", environ={})
    async with ConductorClient(configuration) as client:
        with pytest.raises(TransportError) as caught:
            await client.poll("any", count=1, timeout=0, worker_id="w")
    assert not caught.value.may_have_arrived
    assert caught.value.is_retryable
