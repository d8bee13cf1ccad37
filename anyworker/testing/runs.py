"""Run a function for a task from its beginning to its end.

The names without ``_async`` are for plain tests: they start an event loop of their own. In an async test one
runs already, so the others are awaited there.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Unpack

import anyio

from anyworker.conductor.models import Task
from anyworker.events import Listener
from anyworker.runner.calling.wrapping import Middleware
from anyworker.testing.clock import BackendName
from anyworker.testing.outcome import TaskOutcome
from anyworker.testing.takeover import is_time_virtual
from anyworker.testing.task_run import TaskRun
from anyworker.testing.tasks import TaskFields, worker_of
from anyworker.testing.virtual import run_in_own_loop

MOST_POLLS = 1000
"""Polls after which a task that never ends is given up."""


async def run_task_async(
    source: object,
    input: Mapping[str, Any] | Task | None = None,
    *,
    poll_count: int = 1,
    retry_count: int = 0,
    in_thread: bool | None = None,
    event_listeners: Iterable[Listener] = (),
    resources: Mapping[str, Any] | None = None,
    middleware: Sequence[Middleware] = (),
    **fields: Unpack[TaskFields],
) -> TaskOutcome:
    """Run a function for one task, in the event loop that runs, and return what came of it.

    See `TaskRun` for the arguments.
    """
    run = TaskRun(
        source,
        input,
        poll_count=poll_count,
        retry_count=retry_count,
        in_thread=in_thread,
        event_listeners=event_listeners,
        resources=resources,
        middleware=middleware,
        **fields,
    )
    async with run:
        pass
    return run.outcome


def run_task(
    source: object,
    input: Mapping[str, Any] | Task | None = None,
    *,
    poll_count: int = 1,
    retry_count: int = 0,
    backend: BackendName = "asyncio",
    virtual_time: bool | None = None,
    in_thread: bool | None = None,
    event_listeners: Iterable[Listener] = (),
    resources: Mapping[str, Any] | None = None,
    middleware: Sequence[Middleware] = (),
    **fields: Unpack[TaskFields],
) -> TaskOutcome:
    """Run a function for one task and return what came of it: ``run_task(greet, {"name": "Ada"}).output``.

    It goes the way of production: input converted, function called, its value or exception made a result. See
    `TaskRun` for the other arguments.

    Args:
        backend: The event loop that is started for it.
        virtual_time: Whether waits cost nothing; by default real time, unless the test's time is virtual.

    Raises:
        RuntimeError: An event loop runs here already: use `run_task_async`.
        DeclarationError: ``source`` cannot be a worker.
    """
    run = partial(
        run_task_async,
        source,
        input,
        poll_count=poll_count,
        retry_count=retry_count,
        in_thread=in_thread,
        event_listeners=event_listeners,
        resources=resources,
        middleware=middleware,
        **fields,
    )
    return run_in_own_loop(run, "run_task", backend=backend, virtual_time=virtual_time)


async def run_until_done_async(
    source: object,
    input: Mapping[str, Any] | Task | None = None,
    *,
    retry_count: int = 0,
    in_thread: bool | None = None,
    max_polls: int = MOST_POLLS,
    resources: Mapping[str, Any] | None = None,
    middleware: Sequence[Middleware] = (),
    **fields: Unpack[TaskFields],
) -> list[TaskOutcome]:
    """Run a function for a task again and again, as the server would hand it out, until the task ends.

    Under virtual time the time that the function asked for passes between the calls; on the real clock nobody
    waits for it.

    Returns:
        An outcome for each call; the last one tells how the task ended.

    Raises:
        RuntimeError: The task is still in progress after ``max_polls`` calls.
    """
    worker = worker_of(source)
    run = partial(run_task_async, worker, in_thread=in_thread, resources=resources, middleware=middleware)
    outcome = await run(input, retry_count=retry_count, **fields)
    outcomes = [outcome]
    while outcome.status == "IN_PROGRESS":
        if len(outcomes) >= max_polls:
            message = f"the task is still in progress after {max_polls} polls; its output is {outcome.output}"
            raise RuntimeError(message)
        if is_time_virtual():
            await anyio.sleep(outcome.callback_after_seconds)
        outcome = await run(outcome.next_task())
        outcomes.append(outcome)
    return outcomes


def run_until_done(
    source: object,
    input: Mapping[str, Any] | Task | None = None,
    *,
    retry_count: int = 0,
    backend: BackendName = "asyncio",
    virtual_time: bool | None = None,
    in_thread: bool | None = None,
    max_polls: int = MOST_POLLS,
    resources: Mapping[str, Any] | None = None,
    middleware: Sequence[Middleware] = (),
    **fields: Unpack[TaskFields],
) -> list[TaskOutcome]:
    """Do what `run_until_done_async` does, in an event loop of its own; see `run_task` for the arguments."""
    run = partial(
        run_until_done_async,
        source,
        input,
        retry_count=retry_count,
        in_thread=in_thread,
        max_polls=max_polls,
        resources=resources,
        middleware=middleware,
        **fields,
    )
    return run_in_own_loop(run, "run_until_done", backend=backend, virtual_time=virtual_time)
