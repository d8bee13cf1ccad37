"""A server that plays a script: what polls bring, and how results are received. It keeps the books."""

import json
import re
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import attrs

ROUTES = {
    r"/tasks/poll/batch/[^/]+": "/tasks/poll/batch/{taskType}",
    r"/tasks": "/tasks",
    r"/tasks/search-v2": "/tasks/search-v2",
    r"/tasks/update-v2": "/tasks/update-v2",
    r"/tasks/[^/]+": "/tasks/{taskId}",
}


@attrs.frozen
class Step:
    """One task of the script."""

    name: str
    """Its id, and its only input."""
    answers: tuple[int, ...] = ()
    """Statuses of the first attempts to send its result; then they are taken."""
    task_type: str = "work"
    response_timeout: int = 3600

    def as_json(self, worker_id: str) -> dict[str, Any]:
        return {
            "taskId": self.name,
            "taskType": self.task_type,
            "taskDefName": self.task_type,
            "workflowInstanceId": f"flow-{self.name}",
            "status": "IN_PROGRESS",
            "inputData": {"name": self.name},
            "retryCount": 0,
            "pollCount": 1,
            "responseTimeoutSeconds": self.response_timeout,
            "workerId": worker_id,
        }


@attrs.define(eq=False)
class Script:
    """What is still to come, and the books. Each process gets a share of the tasks, one after the other."""

    steps: deque[Step]
    poll_answers: deque[int]
    """Statuses of the first polls that fail, whoever sends them."""
    processes: int
    requests: Counter[tuple[str, str, str]] = attrs.field(factory=Counter)
    """By method, route and status."""
    polls: Counter[str] = attrs.field(factory=Counter)
    empty: Counter[str] = attrs.field(factory=Counter)
    failed_polls: Counter[str] = attrs.field(factory=Counter)
    heartbeats: Counter[str] = attrs.field(factory=Counter)
    attempts: Counter[str] = attrs.field(factory=Counter)
    """Attempts to send a result, by the task's name."""
    chained_in_vain: int = 0
    """Attempts beside those, which asked for the next task as well and failed."""
    given: dict[str, Step] = attrs.field(factory=dict)
    holders: dict[str, str] = attrs.field(factory=dict)
    """The worker id that has each of them."""
    pollers: list[str] = attrs.field(factory=list)
    done: dict[str, str] = attrs.field(factory=dict)
    """The status of each task whose result was taken."""
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def poll(self, task_type: str, worker_id: str, count: int) -> tuple[int, object]:
        with self.lock:
            self.polls[task_type] += 1
            if worker_id not in self.pollers:
                self.pollers.append(worker_id)
            if self.poll_answers:
                self.failed_polls[task_type] += 1
                return self.poll_answers.popleft(), {"message": "by the script"}
            found = list(self._next(task_type, worker_id, count))
            self.empty[task_type] += not found
            return 200, found

    def _next(self, task_type: str, worker_id: str, count: int) -> Iterator[dict[str, Any]]:
        turn = len(self.given) % self.processes
        if len(self.pollers) < self.processes or self.pollers.index(worker_id) != turn:
            return
        for step in [step for step in self.steps if step.task_type == task_type][: min(count, 1)]:
            self.steps.remove(step)
            self.given[step.name], self.holders[step.name] = step, worker_id
            yield step.as_json(worker_id)

    def update(self, body: dict[str, Any], *, is_chained: bool) -> int:
        with self.lock:
            name = body["taskId"]
            step = self.given[name]
            if body.get("extendLease"):
                self.heartbeats[step.task_type] += 1
                return 200
            number = self.attempts[name]
            if is_chained and number < len(step.answers):
                self.chained_in_vain += 1
                return 503
            self.attempts[name] += 1
            if number < len(step.answers):
                return step.answers[number]
            self.done[name] = body["status"]
            return 200


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        path, _, query = self.path.removeprefix("/api").partition("?")
        script = self.server.script
        if path.startswith("/tasks/poll/batch/"):
            asked = dict(pair.split("=") for pair in query.split("&"))
            status, body = script.poll(path.rpartition("/")[2], asked["workerid"], int(asked["count"]))
            if not body:
                threading.Event().wait(min(int(asked["timeout"]), 100) / 1000)
        elif path == "/tasks/search-v2":
            status, body = 200, {"totalHits": 0, "results": []}
        else:
            name = path.rpartition("/")[2]
            status, body = 200, script.given[name].as_json(script.holders[name])
        self._answer(path, status, json.dumps(body).encode())

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        path = self.path.removeprefix("/api")
        status = self.server.script.update(body, is_chained=path.endswith("/update-v2"))
        # What asks for the next task gets none.
        self._answer(path, status, b"" if path.endswith("/update-v2") and status == 200 else b"{}")

    def _answer(self, path: str, status: int, body: bytes) -> None:
        route = next(route for pattern, route in ROUTES.items() if re.fullmatch(pattern, path))
        with self.server.script.lock:
            self.server.script.requests[self.command, route, str(status)] += 1
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    script: Script


@contextmanager
def scripted_server(script: Script) -> Iterator[str]:
    """Play a script for the block, and give the API's URL."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.script = script
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/api"
        finally:
            server.shutdown()
            thread.join()


def script_of(steps: Sequence[Step], *, poll_answers: Sequence[int], processes: int) -> Script:
    return Script(deque(steps), deque(poll_answers), processes)
