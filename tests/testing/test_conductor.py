"""Conductor: a server in the test's process, for plain and async tests."""

import time

import anyio
import anyio.lowlevel
import msgspec
import pytest

from anyworker import NonRetryableException, TaskDef, worker_task
from anyworker.client import ConductorClient
from anyworker.conductor.models import WorkflowDef, WorkflowTask
from anyworker.devserver import DevServer
from anyworker.errors import BadRequestError, NotFoundError
from anyworker.testing import Conductor, Moment
from anyworker.testing.clock import BackendName

on_each_backend = pytest.mark.parametrize("backend", ["asyncio", "trio"])


def greet(name: str) -> str:
    return f"Hello {name}"


async def shout(text: str) -> str:
    await anyio.lowlevel.checkpoint()
    return text.upper()


class Flaky:
    """Fails so many times, then works."""

    __name__ = "flaky"

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def __call__(self) -> str:
        await anyio.lowlevel.checkpoint()
        self.failures -= 1
        if self.failures >= 0:
            raise ValueError("not yet")
        return "done"


GREETING = WorkflowDef(
    name="greeting",
    tasks=[
        WorkflowTask(
            name="greet", task_reference_name="hello", input_parameters={"name": "${workflow.input.name}"}
        ),
        WorkflowTask(
            name="shout", task_reference_name="loud", input_parameters={"text": "${hello.output.result}"}
        ),
    ],
    output_parameters={"text": "${loud.output.result}"},
)


def limited(seconds: int) -> WorkflowDef:
    return msgspec.structs.replace(GREETING, timeout_seconds=seconds, timeout_policy="TIME_OUT_WF")


@on_each_backend
def test_a_function_runs_as_a_workflow_of_one_task(backend: BackendName) -> None:
    workflow = Conductor().run(greet, {"name": "Ada"}, backend=backend)
    assert (workflow.status, workflow.output) == ("COMPLETED", {"result": "Hello Ada"})


@on_each_backend
def test_a_definition_is_registered_and_run(backend: BackendName) -> None:
    conductor = Conductor()
    workflow = conductor.run(GREETING, {"name": "Ada"}, workers=[greet, shout], backend=backend)
    assert workflow.output == {"text": "HELLO ADA"}
    again = conductor.run("greeting", {"name": "Bob"}, workers=[greet, shout], backend=backend)
    assert again.output == {"text": "HELLO BOB"}


def test_without_workers_all_that_are_registered_run() -> None:
    worker_task("greet")(greet)
    worker_task("shout")(shout)
    assert Conductor().run(GREETING, {"name": "Ada"}).output == {"text": "HELLO ADA"}


@pytest.mark.virtual_time
async def test_idle_workers_are_left_at_once_and_polls_wait_again_after() -> None:
    conductor = Conductor()
    async with conductor.workers(greet):
        await anyio.sleep(60.3)
        left = anyio.current_time()
    assert anyio.current_time() == left
    async with ConductorClient(conductor.configuration) as client:
        await client.poll("greet", count=1, timeout=3, worker_id="w")
    assert anyio.current_time() == left + 3


def test_a_workers_own_task_definition_is_registered() -> None:
    worker_task("flaky", task_def=TaskDef(name="flaky", retry_count=0))(flaky := Flaky(1))
    assert Conductor().run(flaky, virtual_time=True).status == "FAILED"


@on_each_backend
def test_retries_take_their_time_which_costs_nothing(backend: BackendName) -> None:
    conductor = Conductor()
    conductor.register(TaskDef(name="flaky", retry_count=2, retry_delay_seconds=60))
    started = time.perf_counter()
    workflow = conductor.run(Flaky(2), virtual_time=True, backend=backend)
    assert time.perf_counter() - started < 5
    assert [task.retry_count for task in workflow.tasks] == [0, 1, 2]
    moments = conductor.timeline(workflow.workflow_id)
    assert [round(moment.seconds) for moment in moments if moment.status == "IN_PROGRESS"] == [0, 60, 120]


def test_the_timeline_tells_all_that_happened() -> None:
    conductor = Conductor()
    workflow = conductor.run(greet, {"name": "Ada"})
    timeline = conductor.timeline(workflow.workflow_id)
    assert [(moment.reference, moment.status) for moment in timeline] == [
        (None, "RUNNING"),
        ("greet", "SCHEDULED"),
        ("greet", "IN_PROGRESS"),
        ("greet", "COMPLETED"),
        (None, "COMPLETED"),
    ]
    assert timeline[0].seconds == 0
    assert timeline[2].task_id == workflow.tasks[0].task_id
    assert timeline[2].worker_id == workflow.tasks[0].worker_id


def test_a_moment_is_a_line_for_people() -> None:
    assert str(Moment(60, "charge", "FAILED", "no card")) == "   60.000 s  charge  FAILED  no card"
    assert str(Moment(0, None, "RUNNING")) == "    0.000 s  (workflow)  RUNNING"


def test_a_workflow_that_does_not_end_tells_what_it_waits_for() -> None:
    conductor = Conductor()
    conductor.register(GREETING)
    with pytest.raises(TimeoutError) as caught:
        conductor.run("greeting", {"name": "Ada"}, workers=[greet], virtual_time=True, timeout=30)
    text = str(caught.value)
    assert "is RUNNING after 30 seconds" in text
    assert "hello  COMPLETED" in text
    assert "loud waits: is there a worker for 'shout'?" in text


def test_what_needs_no_waiting_works_without_an_event_loop() -> None:
    conductor = Conductor()
    conductor.register(GREETING, {"name": "greet", "retryCount": 1})
    workflow_id = conductor.start("greeting", {"name": "Ada"}, correlation_id="c-1")
    workflow = conductor.workflow(workflow_id)
    assert (workflow.status, workflow.correlation_id) == ("RUNNING", "c-1")
    task = conductor.task(workflow.tasks[0].task_id)
    assert (task.status, task.input_data) == ("SCHEDULED", {"name": "Ada"})
    conductor.terminate(workflow_id, "enough")
    assert conductor.workflow(workflow_id).reason_for_incompletion == "enough"


def test_errors_are_those_of_the_client() -> None:
    conductor = Conductor()
    with pytest.raises(NotFoundError):
        conductor.start("unknown")
    with pytest.raises(BadRequestError):
        conductor.register({"name": "no tasks", "tasks": []})


def test_time_can_be_let_pass_in_a_plain_test() -> None:
    conductor = Conductor(DevServer(epoch=1_800_000_000))
    conductor.register(limited(1))
    workflow_id = conductor.start("greeting", {"name": "Ada"})
    conductor.let_pass(0.5)
    assert conductor.workflow(workflow_id).status == "RUNNING"
    conductor.let_pass(0.6)
    assert conductor.workflow(workflow_id).status == "TIMED_OUT"


async def test_async_test_is_told_to_sleep_instead_of_letting_time_pass() -> None:
    with pytest.raises(RuntimeError, match=r"await anyio\.sleep\(0\.5\) instead"):
        Conductor().let_pass(0.5)


def test_logs_of_a_task_can_be_read() -> None:
    def work() -> None:
        raise NonRetryableException("no")

    conductor = Conductor()
    workflow = conductor.run(work)
    assert workflow.tasks[0].status == "FAILED_WITH_TERMINAL_ERROR"
    assert "NonRetryableException: no" in conductor.logs(workflow.tasks[0].task_id)[0]


def test_faults_are_for_the_workers_only() -> None:
    conductor = Conductor()
    updates = conductor.faults.answer(503, "POST /tasks", times=1)
    conductor.faults.drop("GET /workflow/{id}")
    workflow = conductor.run(greet, {"name": "Ada"}, virtual_time=True)
    assert (workflow.status, updates.hits) == ("COMPLETED", 1)
    done = next(
        m for m in conductor.timeline(workflow.workflow_id) if m.reference and m.status == "COMPLETED"
    )
    assert done.seconds >= 9


@pytest.mark.virtual_time
async def test_in_an_async_test_the_same_methods_work() -> None:
    conductor = Conductor()
    conductor.register(GREETING)
    async with conductor.workers(greet, shout):
        workflow_id = conductor.start("greeting", {"name": "Ada"})
        assert conductor.workflow(workflow_id).status == "RUNNING"
        workflow = await conductor.result(workflow_id)
        assert workflow.output == {"text": "HELLO ADA"}
        assert (await conductor.run_async("greeting", {"name": "Bob"}, workers=[])).status == "COMPLETED"


async def test_a_run_works_in_the_loop_that_runs() -> None:
    with anyio.fail_after(10):
        workflow = await Conductor().run_async(greet, {"name": "Ada"})
    assert workflow.output == {"result": "Hello Ada"}


@pytest.mark.virtual_time
async def test_timeouts_are_seen_without_anybody_polling() -> None:
    conductor = Conductor()
    conductor.register(limited(600))
    started = anyio.current_time()
    workflow = await conductor.result(conductor.start("greeting"))
    assert workflow.status == "TIMED_OUT"
    assert anyio.current_time() - started == pytest.approx(600, abs=0.01)


async def test_a_loop_cannot_be_started_in_a_loop() -> None:
    with pytest.raises(RuntimeError, match=r"await run_async\(\.\.\.\) instead"):
        Conductor().run(greet, {"name": "Ada"})


async def test_a_client_can_be_had_for_the_rest() -> None:
    conductor = Conductor()
    conductor.register(GREETING)
    with anyio.fail_after(10):
        async with ConductorClient(conductor.configuration) as client:
            assert (await client.get_workflow_def("greeting")).name == "greeting"


def test_keys_in_the_environment_do_not_reach_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_AUTH_KEY", "key")
    monkeypatch.setenv("CONDUCTOR_AUTH_SECRET", "secret")
    assert Conductor().run(greet, {"name": "Ada"}).status == "COMPLETED"
