"""A development server, a client, workers, and a tap on every exchange, for tests through the public API."""

import contextlib
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import Any

import anyio
import attrs
import httpx

import anyworker
from anyworker import Configuration, Worker
from anyworker.client import ConductorClient
from anyworker.conductor.models import TaskDef, Workflow, WorkflowDef, WorkflowTask
from anyworker.devserver import DevServer
from anyworker.fleet.fleet import Fleet
from anyworker.testing import run_inline

URL = "http://devserver/api"
UPDATES = {"/tasks", "/tasks/update-v2"}

Hook = Callable[[httpx.Request], Awaitable[httpx.Response | None]]


def is_update(request: httpx.Request) -> bool:
    """Return whether a request brings a result, or extends a lease."""
    return request.method == "POST" and request.url.path.removeprefix("/api") in UPDATES


@attrs.frozen
class Seen:
    """One request as it went by."""

    method: str
    path: str
    params: dict[str, str]
    body: bytes
    at: float


@attrs.define(eq=False)
class Tap(httpx.AsyncBaseTransport):
    """Record each request; let a hook answer it, or raise, instead of the server."""

    inner: httpx.AsyncBaseTransport
    hook: Hook | None = None
    seen: list[Seen] = attrs.field(factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        url = request.url
        self.seen.append(
            Seen(request.method, url.path.removeprefix("/api"), dict(url.params), body, anyio.current_time())
        )
        if self.hook is not None and (answer := await self.hook(request)) is not None:
            return answer
        return await self.inner.handle_async_request(request)

    def polls(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.startswith("/tasks/poll/")]

    def updates(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.method == "POST" and seen.path in UPDATES]


@attrs.define(eq=False)
class Stage:
    """What a test plays on."""

    tap: Tap
    client: ConductorClient
    fleet: Fleet

    async def define(self, *task_types: str, name: str = "flow", **task_def: Any) -> None:
        """Register a linear workflow whose tasks all get the workflow's whole input, key by key."""
        await self.client.register_task_defs([TaskDef(name=t, **task_def) for t in task_types])
        tasks = [
            WorkflowTask(
                name=task_type,
                task_reference_name=f"{task_type}_{number}",
                input_parameters={key: f"${{workflow.input.{key}}}" for key in ("a", "b", "name", "n")},
            )
            for number, task_type in enumerate(task_types, 1)
        ]
        await self.client.register_workflow_def(WorkflowDef(name=name, tasks=tasks), overwrite=True)

    async def start(self, input: dict[str, Any] | None = None, name: str = "flow") -> str:
        return await self.client.start_workflow(name=name, input=input or {})

    async def result(self, workflow_id: str) -> Workflow:
        """Return the workflow once it has ended."""
        return await self.client.wait_for_workflow(workflow_id)

    async def play(self, input: dict[str, Any] | None = None, name: str = "flow") -> Workflow:
        return await self.result(await self.start(input, name))


@contextlib.asynccontextmanager
async def stage(
    *workers: Worker,
    hook: Hook | None = None,
    event_listeners: Iterable[object] = (),
    configuration: dict[str, Any] | None = None,
    server: DevServer | None = None,
    inline: bool = False,
    **options: Any,
) -> AsyncIterator[Stage]:
    """Serve workers against a development server of their own."""
    tap = Tap((server or DevServer()).transport(), hook)
    settings = Configuration(server_api_url=URL, transport=tap, **(configuration or {}))
    # The test's own client bypasses the tap: only what the workers say is recorded.
    plain = Configuration(server_api_url=URL, transport=tap.inner)
    if inline:
        options["run_sync"] = run_inline
    async with (
        ConductorClient(plain) as client,
        anyworker.serving(
            *workers, configuration=settings, event_listeners=event_listeners, **options
        ) as fleet,
    ):
        yield Stage(tap, client, fleet)


def both_kinds(function: Callable[..., Any]) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return a plain function and a coroutine function that do the same."""

    @functools.wraps(function)
    async def asynchronous(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return function, asynchronous
