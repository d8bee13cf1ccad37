"""An API under a clock set by hand, and captured bodies to compare its answers with."""

import json
import random
import re
from pathlib import Path
from typing import Any

from anyworker.devserver.api.api import Api
from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import Answer, Outcome, Pending, Request
from anyworker.devserver.orkes.orkes import Orkes
from anyworker.devserver.queueing.polls import Waiting

WIRE = Path(__file__).with_name("wire")
UNKNOWN = "00000000-0000-0000-0000-000000000000"

_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_VAGUE = frozenset({"queueWaitTime", "executionTime", "instance"})


def captured(name: str) -> Any:
    """Return a body as the real server sent it."""
    return json.loads((WIRE / f"{name}.json").read_text())


def masked(value: Any, key: str = "") -> Any:
    """Return a body with what differs from run to run made the same; keys keep their order."""
    if isinstance(value, dict):
        return [(name, masked(item, name)) for name, item in value.items()]
    if isinstance(value, list):
        return [masked(item) for item in value]
    if key in _VAGUE:
        return type(value).__name__
    if isinstance(value, str):
        return re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "<time>", _ID.sub("<id>", value))
    if isinstance(value, int) and value > 1_700_000_000_000:
        return "<time>"
    return value


class Rig:
    """Requests at times set by hand. Durations are in seconds."""

    def __init__(
        self,
        waiting: Waiting = "fill",
        max_finished: int = 10_000,
        orkes: Orkes | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.engine = engine or Engine(waiting=waiting, chance=random.Random(7), max_finished=max_finished)
        self.api = Api(self.engine, orkes)
        self.now = 1_800_000_000_000
        self.token: str | None = None

    def sleep(self, seconds: float) -> None:
        """Let time pass; nothing is looked at meanwhile."""
        self.now += round(seconds * 1000)

    def raw(
        self, method: str, path: str, body: bytes = b"", content_type: str | None = "application/json"
    ) -> Outcome:
        """Send bytes; return what the API says."""
        path, _, query = path.partition("?")
        path = path.removeprefix("/root") if path.startswith("/root") else f"/api{path}"
        request = Request(method, path, query, content_type if body else None, body, self.token)
        return self.api.handle(request, self.now)

    def send(self, method: str, path: str, body: Any = None) -> Answer:
        """Send JSON; a poll that waits is given all the time it wants."""
        answer = self.raw(method, path, b"" if body is None else json.dumps(body).encode())
        return self.finish(answer) if isinstance(answer, Pending) else answer

    def finish(self, pending: Pending[Any]) -> Answer:
        """Let time pass until a poll is done, exactly."""
        while not pending.awaited.is_done:
            due = self.engine.next_deadline()
            assert due is not None, "a waiting poll ends"
            self.now = max(self.now, due)
            self.engine.advance(self.now)
        return pending.answer(self.now)

    def ok(self, method: str, path: str, body: Any = None) -> Any:
        """Send JSON; return the body of an answer without an error: JSON, text or None."""
        answer = self.send(method, path, body)
        assert answer.status in {200, 204}, answer.body
        if not answer.body:
            return None
        return json.loads(answer.body) if answer.content_type == b"application/json" else answer.body.decode()

    def get(self, path: str) -> Any:
        """Return what a path shows."""
        return self.ok("GET", path)

    # What most tests begin with

    def define(self, *names: str, **fields: Any) -> None:
        """Register task definitions."""
        self.ok("POST", "/metadata/taskdefs", [{"name": name, **fields} for name in names])

    def flow(self, name: str, *steps: str | dict[str, Any], **fields: Any) -> None:
        """Define a workflow of tasks, each given by its type (which is its reference name too) or whole."""
        tasks = [
            {"name": step, "taskReferenceName": step} if isinstance(step, str) else step for step in steps
        ]
        self.ok("PUT", "/metadata/workflow", [{"name": name, "tasks": tasks, **fields}])

    def single(self, name: str = "t", **fields: Any) -> None:
        """Define a task and a workflow of that one task, both of the same name."""
        self.define(name, **fields)
        self.flow(name, name)

    def start(self, name: str = "t", **fields: Any) -> str:
        """Start a workflow; return its id."""
        workflow_id: str = self.ok("POST", "/workflow", {"name": name, **fields})
        return workflow_id

    def poll(self, task_type: str = "t", count: int = 1, timeout: int = 0, **query: str) -> list[Any]:
        """Poll, waiting for all the time that takes."""
        more = "".join(f"&{key}={value}" for key, value in query.items())
        tasks: list[Any] = self.get(
            f"/tasks/poll/batch/{task_type}?count={count}&timeout={timeout}&workerid=w{more}"
        )
        return tasks

    def take(self, task_type: str = "t") -> Any:
        """Poll the one task that is there."""
        (task,) = self.poll(task_type)
        return task

    def report(self, task: Any, status: str, **fields: Any) -> None:
        """Update a task."""
        answer = self.ok("POST", "/tasks", {**ids(task), "status": status, **fields})
        assert answer == task["taskId"]

    def extend(self, task: Any) -> None:
        """Extend a task's lease."""
        self.ok("POST", "/tasks", {**ids(task), "extendLease": True})

    def decide(self, workflow_id: str) -> None:
        """Ask for a decision."""
        self.ok("PUT", f"/workflow/decide/{workflow_id}")

    def workflow(self, workflow_id: str) -> Any:
        """Return a workflow with its tasks."""
        return self.get(f"/workflow/{workflow_id}")

    def task(self, task: Any) -> Any:
        """Return the present state of a task."""
        return self.get(f"/tasks/{task['taskId']}")

    def statuses(self, workflow_id: str) -> list[str]:
        """Return the states of a workflow's tasks."""
        return [task["status"] for task in self.workflow(workflow_id)["tasks"]]

    def size(self, task_type: str = "t") -> int:
        """Return a queue's size."""
        size: int = self.get(f"/tasks/queue/size?taskType={task_type}")
        return size


def ids(task: Any) -> dict[str, str]:
    """Return what identifies a task in an update."""
    return {"workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"]}
