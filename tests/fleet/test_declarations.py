"""What is refused of the definitions that workers of one task type share."""

import pytest

from anyworker import ConfigurationError, TaskDef, Worker
from anyworker.fleet.serving import settle
from anyworker.options import ResolvedWorker


def charge(order: str) -> str:
    return order


def charging(domain: str, retries: int, **options: bool) -> Worker:
    template = TaskDef(name="charge", retry_count=retries)
    return Worker("charge", charge, domain=domain, task_def=template, **options)  # type: ignore[arg-type]


def start(*workers: Worker) -> tuple[ResolvedWorker, ...]:
    return settle(
        workers,
        configuration=None,
        event_listeners=(),
        middleware=(),
        outbox=None,
        max_tasks=None,
        lifespan=None,
        grace=1.0,
        update_retry_delays=(),
    ).workers


def test_templates_of_workers_in_several_processes_may_not_contradict_each_other() -> None:
    workers = charging("a", 1, register_task_def=True), charging("b", 2, register_task_def=True)
    with pytest.raises(ConfigurationError, match=r"retry_count=1 .* retry_count=2"):
        start(*workers)


def test_templates_that_are_not_registered_may_say_what_they_will() -> None:
    workers = charging("a", 1, register_task_def=True), charging("b", 2)
    assert tuple(resolved.worker for resolved in start(*workers)) == workers
