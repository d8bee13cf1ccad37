"""What a type checker makes of the test kit; mypy reads this file, pytest runs it as well."""

from typing import Any, assert_type

from anyworker import Task, TaskDef, TaskResult, Worker
from anyworker.client import WorkflowDef
from anyworker.conductor.models import Workflow, WorkflowTask
from anyworker.devserver import Faults
from anyworker.events import TaskRunnerEvent
from anyworker.testing import (
    CancelReason,
    Conductor,
    Moment,
    TaskOutcome,
    TaskRun,
    VirtualTime,
    run_task,
    run_task_async,
    run_until_done,
)


def greet(name: str) -> str:
    return f"Hello {name}"


def test_outcomes_are_typed() -> None:
    outcome = run_task(greet, {"name": "Ada"}, poll_count=2, backend="trio", correlation_id="c")
    assert_type(outcome, TaskOutcome)
    assert_type(outcome.output, dict[str, Any])
    assert_type(outcome.reason, str | None)
    assert_type(outcome.logs, list[str])
    assert_type(outcome.events, list[TaskRunnerEvent])
    assert_type(outcome.result, TaskResult | None)
    assert_type(outcome.cancel_reason, CancelReason | None)
    assert_type(run_until_done(Worker("greet", greet), {"name": "Ada"}), list[TaskOutcome])


async def _async_variants() -> None:
    assert_type(await run_task_async(greet, Task(task_id="t")), TaskOutcome)
    async with TaskRun(greet, {"name": "Ada"}) as run:
        assert_type(run, TaskRun)
        run.cancel()
        assert_type(await run.wait(), TaskOutcome)
    assert_type(run.outcome, TaskOutcome)


def _bad_use_is_refused() -> None:
    run_task(greet, ["Ada"])  # type: ignore[arg-type] # an input is a dict or a task
    run_task(greet, {"name": "Ada"}, backend="uvloop")  # type: ignore[arg-type] # it keeps its time to itself
    run_task(greet, {"name": "Ada"}, poll_cuont=1)  # type: ignore[call-arg] # no such field


def test_the_conductor_is_typed(conductor: Conductor) -> None:
    step = WorkflowTask(name="greet", task_reference_name="greet", input_parameters={"name": "Ada"})
    conductor.register(TaskDef(name="greet"), WorkflowDef(name="greeting", tasks=[step]), {"name": "other"})
    assert_type(conductor.start("greeting"), str)
    workflow = conductor.run("greeting", workers=[greet])
    assert_type(workflow, Workflow)
    assert_type(conductor.timeline(workflow.workflow_id), list[Moment])
    assert_type(conductor.faults, Faults)


def test_time_is_typed(anyworker_time: VirtualTime) -> None:
    assert_type(anyworker_time.now(), float)
