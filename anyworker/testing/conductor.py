"""A Conductor server for tests, in their own process, with what tests ask of it."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import anyio
import msgspec

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.models import StartWorkflow, Task, TaskDef, Workflow, WorkflowDef, WorkflowTask
from anyworker.configuration import Configuration
from anyworker.devserver import DevServer, Faults
from anyworker.devserver.records.changes import Change
from anyworker.events import Listener
from anyworker.fleet.fleet import Fleet
from anyworker.fleet.serving import UPDATE_RETRY_DELAYS, serving
from anyworker.registry import registered_workers
from anyworker.runner.calling.wrapping import Middleware
from anyworker.runner.threads import run_inline
from anyworker.testing.clock import BackendName
from anyworker.testing.directly import DirectExchange, at_once
from anyworker.testing.takeover import is_time_virtual
from anyworker.testing.tasks import worker_of
from anyworker.testing.timeline import Moment, moments
from anyworker.testing.virtual import run_in_own_loop

URL = "http://conductor.test/api"
REAL_TIMEOUT, VIRTUAL_TIMEOUT = 10.0, 3600.0
"""Seconds that a workflow may take unless a test says otherwise."""
FIRST_LOOK = 0.001
"""Shortest pause, in seconds, between looks at a workflow that runs."""

Definition = TaskDef | WorkflowDef | Mapping[str, Any]


class Conductor:
    """A server in memory. What needs no waiting needs no ``await``, in plain and in async tests alike.

    ::

        def test_greeting(conductor: Conductor) -> None:
            workflow = conductor.run(greet, {"name": "Ada"})
            assert workflow.output == {"result": "Hello Ada"}

    The methods may raise what `ConductorClient` raises. They are free of faults, which are for the workers.

    Args:
        server: By default a new one.
    """

    def __init__(self, server: DevServer | None = None) -> None:
        self.server = DevServer() if server is None else server
        self.configuration = Configuration(server_api_url=URL, transport=self.server.transport(), environ={})
        """For `anyworker.serving` and `ConductorClient`."""
        self._client = ConductorClient(self.configuration, exchange=DirectExchange(self.server))
        at_once(self._client.__aenter__())
        self._changes: dict[str, list[Change]] = {}
        self._waiting: set[anyio.Event] = set()
        self.server.engine.on_change.append(self._keep)

    @property
    def faults(self) -> Faults:
        """What goes wrong on demand: ``conductor.faults.answer(503, "POST /tasks", times=2)``."""
        return self.server.faults

    def register(self, *definitions: Definition) -> None:
        """Store definitions of tasks and workflows, in place of those of the same name and version.

        Args:
            definitions: Models, or what their JSON would be; a workflow's has ``tasks``.
        """
        for definition in definitions:
            if isinstance(definition, WorkflowDef) or (
                isinstance(definition, Mapping) and "tasks" in definition
            ):
                at_once(self._client.register_workflow_def(definition, overwrite=True))
            else:
                at_once(self._client.register_task_defs([definition]))

    def start(
        self,
        workflow: str | StartWorkflow,
        input: Mapping[str, Any] | None = None,
        *,
        version: int | None = None,
        correlation_id: str | None = None,
        task_to_domain: Mapping[str, str] | None = None,
    ) -> str:
        """Start a workflow and return its id; see `ConductorClient.start_workflow`."""
        started = self._client.start_workflow(
            workflow,
            input,
            version=version,
            correlation_id=correlation_id,
            task_to_domain=task_to_domain,
        )
        return at_once(started)

    def workflow(self, workflow_id: str) -> Workflow:
        """Return a workflow as it is now, with its tasks."""
        return at_once(self._client.get_workflow(workflow_id))

    def task(self, task_id: str) -> Task:
        """Return a task as it is now."""
        return at_once(self._client.get_task(task_id))

    def logs(self, task_id: str) -> list[str]:
        """Return the lines of a task's log."""
        return [line.log for line in at_once(self._client.get_logs(task_id))]

    def terminate(self, workflow_id: str, reason: str | None = None) -> None:
        """End a workflow and cancel its tasks."""
        at_once(self._client.terminate_workflow(workflow_id, reason))

    def timeline(self, workflow_id: str) -> list[Moment]:
        """Return every change of a status in a workflow, its tasks' and its own, in order."""
        return moments(self._changes.get(workflow_id, ()))

    async def result(self, workflow_id: str, *, timeout: float | None = None) -> Workflow:
        """Wait until a workflow has ended and return it.

        Args:
            workflow_id: Which.
            timeout: Seconds it may take; by default 10, an hour where time is virtual.

        Raises:
            TimeoutError: It goes on; the message tells what has happened so far.
        """
        virtual = is_time_virtual()
        limit = (VIRTUAL_TIMEOUT if virtual else REAL_TIMEOUT) if timeout is None else timeout
        with anyio.move_on_after(limit):
            while True:
                workflow = self.workflow(workflow_id)
                if workflow.status not in {"RUNNING", "PAUSED"}:
                    return workflow
                await self._wait_for_change()
        raise TimeoutError(self._story(workflow_id, limit))

    @asynccontextmanager
    async def workers(
        self,
        *workers: object,
        event_listeners: Iterable[Listener] = (),
        middleware: Sequence[Middleware] = (),
        grace: float = 25.0,
        update_retry_delays: tuple[float, ...] = UPDATE_RETRY_DELAYS,
    ) -> AsyncIterator[Fleet]:
        """Run workers against this server beside the block; see `anyworker.serving`.

        Plain functions run in threads, or in the event loop where time is virtual. At the end of the block
        the server lets no poll wait, so that it is left at once.

        Args:
            *workers: Workers or functions, decorated or not; by default all that are registered.
            event_listeners: Hear the events.
            middleware: What stands around every execution.
            grace: Seconds that tasks in hand may take to finish at the end of the block.
            update_retry_delays: Seconds between attempts to deliver a result.
        """
        served = serving(
            *map(worker_of, workers),
            configuration=self.configuration,
            event_listeners=event_listeners,
            middleware=middleware,
            grace=grace,
            update_retry_delays=update_retry_delays,
            run_sync=run_inline if is_time_virtual() else None,
        )
        try:
            async with served as fleet:
                try:
                    yield fleet
                finally:
                    fleet.drain()
                    self.server.hurry()
        finally:
            self.server.relax()

    async def run_async(
        self,
        workflow: object,
        input: Mapping[str, Any] | None = None,
        *,
        workers: Iterable[object] | None = None,
        timeout: float | None = None,
    ) -> Workflow:
        """Start a workflow, run it by workers until it has ended, and return it.

        Args:
            workflow: The name of a registered one; a `WorkflowDef`, which is registered; or a worker or
                function, decorated or not, for which a workflow of this one task is registered.
            input: The workflow's input.
            workers: What runs it; by default ``workflow`` itself where it is a worker, otherwise all that are
                registered. Empty where workers run already.
            timeout: Seconds it may take; by default 10, an hour where time is virtual.

        Raises:
            TimeoutError: It goes on; the message tells what has happened so far.
        """
        name, own = self._prepared(workflow, input or {})
        chosen = list(workers) if workers is not None else own or registered_workers()
        if not chosen:
            return await self.result(self.start(name, input), timeout=timeout)
        async with self.workers(*chosen):
            return await self.result(self.start(name, input), timeout=timeout)

    def run(
        self,
        workflow: object,
        input: Mapping[str, Any] | None = None,
        *,
        workers: Iterable[object] | None = None,
        timeout: float | None = None,
        backend: BackendName = "asyncio",
        virtual_time: bool | None = None,
    ) -> Workflow:
        """Do what `run_async` does, in an event loop of its own.

        Args:
            workflow: As there.
            input: As there.
            workers: As there.
            timeout: As there.
            backend: The event loop.
            virtual_time: Whether waits cost nothing; by default real time, unless the test's time is virtual.

        Raises:
            RuntimeError: An event loop runs here already: use `run_async`.
            TimeoutError: The workflow goes on; the message tells what has happened so far.
        """
        running = partial(self.run_async, workflow, input, workers=workers, timeout=timeout)
        return run_in_own_loop(running, "run", backend=backend, virtual_time=virtual_time)

    def let_pass(self, seconds: float) -> None:
        """Let time pass in a plain test, at once where the test's time is virtual.

        Raises:
            RuntimeError: An event loop runs here already: sleep in it.
        """

        async def sleep() -> None:
            self._advance()
            await anyio.sleep(seconds)
            self._advance()

        instead = f"anyio.sleep({seconds:g})"
        run_in_own_loop(sleep, "let_pass", backend="asyncio", virtual_time=None, instead=instead)

    def _advance(self) -> None:
        at_once(self._client.queue_sizes(["any"]))

    def _prepared(self, workflow: object, input: Mapping[str, Any]) -> tuple[str, list[object]]:
        """Return the name of a workflow, registered now where it has to be, and the worker it was made of."""
        if isinstance(workflow, str):
            return workflow, []
        if isinstance(workflow, WorkflowDef):
            self.register(workflow)
            return workflow.name, []
        worker = worker_of(workflow)
        name = worker.task_definition_name
        parameters = {key: f"${{workflow.input.{key}}}" for key in input}
        step = WorkflowTask(name=name, task_reference_name=name, input_parameters=parameters)
        self.register(WorkflowDef(name=name, tasks=[step]))
        if worker.task_def is not None:
            self.register(msgspec.structs.replace(worker.task_def, name=name))
        return name, [worker]

    def _keep(self, change: Change) -> None:
        self._changes.setdefault(change.workflow_id, []).append(change)
        for event in self._waiting:
            event.set()

    async def _wait_for_change(self) -> None:
        event = anyio.Event()
        self._waiting.add(event)
        try:
            with anyio.move_on_after(max(self.server.seconds_to_next(), FIRST_LOOK)):
                await event.wait()
        finally:
            self._waiting.discard(event)

    def _story(self, workflow_id: str, limit: float) -> str:
        workflow = self.workflow(workflow_id)
        lines = [f"{workflow.workflow_name} ({workflow_id}) is {workflow.status} after {limit:g} seconds:"]
        lines += map(str, self.timeline(workflow_id))
        lines += [
            f"{task.reference_task_name} waits: is there a worker for {task.task_type!r}?"
            for task in workflow.tasks
            if task.status == "SCHEDULED" and task.poll_count == 0
        ]
        return "\n".join(lines)
