"""A Conductor server as a client sees it, whichever it is: requests, answers, and time that passes.

httpx is the client: nothing of the package under test stands between a case and the server.
Durations are in seconds.
"""

import json
import secrets
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import anyio
import attrs
import httpx

if TYPE_CHECKING:
    from conformance_cases import Backend, Style

UNKNOWN = "00000000-0000-0000-0000-000000000000"
"""An id that no server has given."""

LATE = 2.0
"""For how much longer than it ought to anything may take on a loaded machine, where time is real."""
EARLY = 0.02
"""For how much shorter, clocks being what they are."""


@attrs.frozen
class Reply:
    """One answer of the server."""

    status: int
    headers: httpx.Headers
    raw: bytes

    @property
    def content_type(self) -> str:
        """The media type, empty if the answer has none."""
        return self.headers.get("content-type", "").partition(";")[0]

    @property
    def body(self) -> Any:
        """The value of JSON, the text of anything else, None where there is nothing."""
        if not self.raw:
            return None
        return json.loads(self.raw) if self.content_type == "application/json" else self.raw.decode()


class Conductor:
    """What a case knows of one server. Names that it makes are its own, also on a shared server."""

    def __init__(self, http: httpx.AsyncClient, backend: "Backend", epoch: float) -> None:
        self.http = http
        self.backend = backend
        self._epoch_at_zero = epoch - anyio.current_time()

    @property
    def style(self) -> "Style":
        """How polls for several tasks wait."""
        return self.backend.style

    def unique(self, prefix: str = "t") -> str:
        """Return a name that nothing else has."""
        return f"{prefix}_{secrets.token_hex(5)}"

    # Time

    def now(self) -> int:
        """Return epoch milliseconds, near enough to the server's."""
        return round((self._epoch_at_zero + anyio.current_time()) * 1000)

    async def elapse(self, seconds: float) -> None:
        """Let time pass."""
        await anyio.sleep(seconds)

    @contextmanager
    def took(self, at_least: float, at_most: float | None = None) -> Iterator[None]:
        """Assert how long the block takes: exactly under virtual time, with allowance for load elsewhere.

        The block begins with the request from which the server counts, since that takes a while itself.

        Args:
            at_least: A strict lower bound.
            at_most: By default 0.1 more than that: servers look at their queues every 0.1 seconds.
        """
        began = anyio.current_time()
        yield
        spent = anyio.current_time() - began
        most = at_least + 0.1 if at_most is None else at_most
        early, late = (0.002, 0.002) if self.backend.is_virtual else (EARLY, LATE)
        assert at_least - early <= spent <= most + late, f"took {spent:.3f} s, not {at_least} to {most}"

    async def until(self, probe: Callable[[], Awaitable[object]], within: float = 3.0) -> None:
        """Wait until a probe returns something true, which a server may do a moment after it answered."""
        with anyio.fail_after(within + LATE):
            while not await probe():  # noqa: ASYNC110 - the event would be on the server
                await anyio.sleep(0.02)

    # Requests

    async def request(
        self,
        method: str,
        path: str,
        *,
        json: Any = None,
        content: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Reply:
        """Send a request, JSON or bytes as its body; return whatever comes back.

        Args:
            method: Any.
            path: Below ``/api``, percent-encoded, with its query; or a whole URL.
            json: The body's value. None is no body at all.
            content: The body's bytes, as ``application/json`` unless ``headers`` say otherwise.
            headers: More of them.
        """
        more = {} if content is None else {"content-type": "application/json"}
        answer = await self.http.request(
            method, path, json=json, content=content, headers=more | (headers or {})
        )
        return Reply(answer.status_code, answer.headers, answer.content)

    def outside(self, path: str) -> str:
        """Return the URL of a path that is not below ``/api``."""
        return str(self.http.base_url).rstrip("/").removesuffix("/api") + path

    async def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON; return the body of an answer that must be 200 or 204."""
        reply = await self.request(method, path, json=body)
        assert reply.status in {200, 204}, f"{method} {path}: {reply.status} {reply.raw[:500]!r}"
        return reply.body

    async def refused(self, status: int, method: str, path: str, body: Any = None) -> Any:
        """Send JSON; return the body of an answer that must be an error of this status."""
        reply = await self.request(method, path, json=body)
        assert reply.status == status, f"{method} {path}: {reply.status} {reply.raw[:500]!r}"
        return reply.body

    async def get(self, path: str) -> Any:
        """Return what a path shows."""
        return await self.ok("GET", path)

    async def abandon(self, path: str, after: float) -> None:
        """Send a GET and go away before it is answered."""
        with anyio.move_on_after(after) as gone:
            await self.http.get(path)
        assert gone.cancelled_caught, "it was answered before"

    # Definitions

    async def define(self, *names: str, **fields: Any) -> None:
        """Register task definitions."""
        await self.ok("POST", "/metadata/taskdefs", [{"name": name, **fields} for name in names])

    async def flow(self, *steps: str | dict[str, Any], name: str | None = None, **fields: Any) -> str:
        """Define a workflow; return its name.

        Args:
            steps: Tasks, each given by its type (which is its reference name too) or whole.
            name: A new one by default.
            fields: More of the definition.
        """
        name = name or self.unique("w")
        tasks = [
            {"name": step, "taskReferenceName": step} if isinstance(step, str) else step for step in steps
        ]
        failed = await self.ok("PUT", "/metadata/workflow", [{"name": name, "tasks": tasks, **fields}])
        assert failed["bulkErrorResults"] == {}, failed
        return name

    async def single(self, **fields: Any) -> str:
        """Define a task and a workflow of that one task; return the name of both."""
        name = self.unique()
        await self.define(name, **fields)
        return await self.flow(name, name=name)

    # Workflows

    async def start(self, name: str, **fields: Any) -> str:
        """Start a workflow; return its id."""
        workflow_id: str = await self.ok("POST", "/workflow", {"name": name, **fields})
        return workflow_id

    async def workflow(self, workflow_id: str) -> Any:
        """Return a workflow with its tasks."""
        return await self.get(f"/workflow/{workflow_id}")

    async def status(self, workflow_id: str) -> str:
        """Return a workflow's status."""
        found: str = (await self.workflow(workflow_id))["status"]
        return found

    async def statuses(self, workflow_id: str) -> list[str]:
        """Return the states of a workflow's tasks, in their order."""
        return [task["status"] for task in (await self.workflow(workflow_id))["tasks"]]

    async def timeline(self, workflow_id: str) -> list[tuple[str, str, int]]:
        """Return reference name, status and attempt (from 0) of a workflow's tasks, in their order."""
        tasks = (await self.workflow(workflow_id))["tasks"]
        return [(task["referenceTaskName"], task["status"], task["retryCount"]) for task in tasks]

    async def last(self, workflow_id: str) -> Any:
        """Return the last task of a workflow."""
        return (await self.workflow(workflow_id))["tasks"][-1]

    async def decide(self, workflow_id: str) -> None:
        """Have the server look at a workflow.

        A real one says 200 also when its sweeper held the workflow's lock at that moment: it is asked twice.
        """
        await self.ok("PUT", f"/workflow/decide/{workflow_id}")
        if not self.backend.is_dev:
            await anyio.sleep(0.1)
            await self.ok("PUT", f"/workflow/decide/{workflow_id}")

    # Tasks

    async def poll(self, task_type: str, count: int = 1, timeout: int = 100, **query: str) -> list[Any]:
        """Poll.

        Args:
            task_type: As the path has it, percent-encoded.
            count: How many tasks to ask for.
            timeout: Milliseconds. Not 0: with that, Redis may miss a task that is there (contract, 13).
            query: More parameters; ``workerid`` is ``w`` by default.
        """
        more = "".join(f"&{key}={value}" for key, value in ({"workerid": "w"} | query).items())
        tasks: list[Any] = await self.get(
            f"/tasks/poll/batch/{task_type}?count={count}&timeout={timeout}{more}"
        )
        return tasks

    async def take(self, task_type: str, timeout: int = 5000, **query: str) -> Any:
        """Poll the one task that is there, or will be within the timeout (milliseconds)."""
        tasks = await self.poll(task_type, timeout=timeout, **query)
        assert len(tasks) == 1, f"no task of type {task_type}"
        return tasks[0]

    async def begin(self, name: str, **fields: Any) -> tuple[str, Any]:
        """Start a workflow of one task of its name and poll that; return the workflow's id and the task."""
        workflow_id = await self.start(name, **fields)
        return workflow_id, await self.take(name)

    async def update(self, task: Any, status: str, **fields: Any) -> None:
        """Update a task."""
        answer = await self.ok("POST", "/tasks", {**ids(task), "status": status, **fields})
        assert answer == task["taskId"]

    async def update_v2(self, task: Any, status: str, **fields: Any) -> Any:
        """Update a task; return the next one, None if there is none."""
        return await self.ok("POST", "/tasks/update-v2", {**ids(task), "status": status, **fields})

    async def extend(self, task: Any) -> None:
        """Extend a task's lease."""
        await self.ok("POST", "/tasks", {**ids(task), "extendLease": True})

    async def task(self, task: Any) -> Any:
        """Return the present state of a task, given it or its id."""
        return await self.get(f"/tasks/{task if isinstance(task, str) else task['taskId']}")

    async def size(self, task_type: str, **query: str) -> int:
        """Return how many tasks of a type wait."""
        more = "".join(f"&{key}={value}" for key, value in query.items())
        found: int = await self.get(f"/tasks/queue/size?taskType={task_type}{more}")
        return found


def ids(task: Any) -> dict[str, str]:
    """Return what identifies a task in an update."""
    return {"workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"]}
