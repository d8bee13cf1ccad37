"""A Conductor server that costs next to nothing: what a worker needs of it, from a backlog of a given size.

    python benchmarks/stub_server.py [--core N] [--port N] [--keep-alive N] [--until-eof]

It prints its port. Bodies and heads are those that Conductor 3.32 was seen to send, two definitions to a
task, 2.1 KB, chunked. The backlog begins empty.

    POST /backlog/5000                         forget everything, 5000 new tasks; -1: no end of them
    GET  /stats                                what happened since, as JSON (see `Backlog.stats`)
    GET  /api/tasks/poll/batch/TYPE?count=&timeout=    takes tasks; waits only while there are none
    POST /api/tasks                            takes a result

With --keep-alive 100, the default, every hundredth response on a connection closes it, as the server's do;
0 never does. With --until-eof it ends when its standard input does, and so never outlives who started it.
"""

import argparse
import asyncio
import json
import os
import re
import sys
import threading
import urllib.parse
from collections import deque
from contextlib import suppress
from typing import Any, cast

NEVER_ENDING = -1
# Tomcat's output buffer: a longer body comes in several chunks.
CHUNK_BYTES = 8192
DATE = b"Date: Sun, 22 Nov 2026 06:32:44 GMT\r\n"
CLOSE = b"Connection: close\r\n"
TASK_ID = re.compile(rb'"taskId": ?"([^"]+)"')
STATUS = re.compile(rb'"status": ?"([^"]+)"')

DEFINITION: dict[str, Any] = {
    "createTime": 1795329163423,
    "updateTime": 0,
    "createdBy": "",
    "name": "TASK_TYPE",
    "description": "Say hello",
    "retryCount": 1,
    "timeoutSeconds": 0,
    "inputKeys": ["name"],
    "outputKeys": ["text"],
    "runtimeMetadata": [],
    "timeoutPolicy": "RETRY",
    "retryLogic": "FIXED",
    "retryDelaySeconds": 0,
    "responseTimeoutSeconds": 60,
    "inputTemplate": {},
    "rateLimitPerFrequency": 0,
    "rateLimitFrequencyInSeconds": 1,
    "backoffScaleFactor": 1,
    "maxRetryDelaySeconds": 0,
    "backoffJitterMs": 0,
    "totalTimeoutSeconds": 0,
    "taskStatusListenerEnabled": True,
    "enforceSchema": False,
}
WORKFLOW_TASK = {
    "name": "TASK_TYPE",
    "taskReferenceName": "greet_ref",
    "inputParameters": {"name": "${workflow.input.name}", "missing": "${workflow.input.nope}"},
    "type": "SIMPLE",
    "decisionCases": {},
    "defaultCase": [],
    "forkTasks": [],
    "startDelay": 0,
    "joinOn": [],
    "optional": False,
    "taskDefinition": DEFINITION,
    "defaultExclusiveJoinTask": [],
    "asyncComplete": False,
    "loopOver": [],
    "onStateChange": {},
    "permissive": False,
    "metadata": {},
}
TASK = {
    "taskType": "TASK_TYPE",
    "status": "IN_PROGRESS",
    "inputData": {"name": "Ada", "missing": None},
    "referenceTaskName": "greet_ref",
    "retryCount": 0,
    "seq": 1,
    "correlationId": "order-7",
    "pollCount": 1,
    "taskDefName": "TASK_TYPE",
    "scheduledTime": 1795329164147,
    "startTime": 1795329165030,
    "endTime": 0,
    "updateTime": 1795329165089,
    "startDelayInSeconds": 0,
    "retried": False,
    "executed": False,
    "callbackFromWorker": True,
    "responseTimeoutSeconds": 60,
    "workflowInstanceId": "WORKFLOW_ID",
    "workflowType": "hello",
    "taskId": "TASK_ID",
    "callbackAfterSeconds": 0,
    "workerId": "WORKER_ID",
    "outputData": {},
    "workflowTask": WORKFLOW_TASK,
    "rateLimitPerFrequency": 0,
    "rateLimitFrequencyInSeconds": 1,
    "workflowPriority": 0,
    "iteration": 0,
    "subworkflowChanged": False,
    "firstStartTime": 0,
    "executionMetadata": {"additionalContext": {}, "empty": True, "additionalContextMap": {}},
    "taskDefinition": DEFINITION,
    "loopOverTask": False,
    "queueWaitTime": 883,
}
TASK_TEXT = json.dumps(TASK, separators=(",", ":")).encode()


class Backlog:
    """The tasks: how many are left, which are out, what happened."""

    def __init__(self) -> None:
        self._templates: dict[tuple[bytes, bytes], bytes] = {}
        self._number = 0
        self.refill(0)

    def refill(self, tasks: int) -> None:
        """Forget everything and begin with so many tasks."""
        self._left = tasks
        self._out: set[bytes] = set()
        self._done: set[bytes] = set()
        self._polls = self._empty_polls = self._given = 0
        self._updates: dict[str, int] = {}
        self._duplicate_updates = self._unknown_updates = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to give."""
        return self._left == 0

    def take(self, count: int, task_type: bytes, worker_id: bytes) -> bytes:
        """Return the body of a poll."""
        self._polls += 1
        if self._left >= 0:
            count = min(count, self._left)
            self._left -= count
        if count <= 0:
            self._empty_polls += 1
            return b"[]"
        self._given += count
        template = self._template(task_type, worker_id)
        tasks = []
        for self._number in range(self._number + 1, self._number + count + 1):
            task_id = b"868d601d-004e-4e3f-b272-%012x" % self._number
            self._out.add(task_id)
            tasks.append(template % (b"dbf8fdba-af18-4dc8-a494-%012x" % self._number, task_id))
        return b"[" + b",".join(tasks) + b"]"

    def _template(self, task_type: bytes, worker_id: bytes) -> bytes:
        template = self._templates.get((task_type, worker_id))
        if template is None:
            template = TASK_TEXT.replace(b"%", b"%%").replace(b"TASK_TYPE", task_type)
            template = template.replace(b"WORKER_ID", worker_id)
            template = template.replace(b"WORKFLOW_ID", b"%b").replace(b"TASK_ID", b"%b")
            self._templates[task_type, worker_id] = template
        return template

    def update(self, body: bytes) -> bytes:
        """Take a result and return the id of its task."""
        found, status = TASK_ID.search(body), STATUS.search(body)
        task_id = found[1] if found else b""
        name = status[1].decode() if status else "none"
        self._updates[name] = self._updates.get(name, 0) + 1
        if task_id in self._out:
            self._out.discard(task_id)
            self._done.add(task_id)
        elif task_id in self._done:
            self._duplicate_updates += 1
        else:
            self._unknown_updates += 1
        return task_id

    def stats(self) -> dict[str, object]:
        """Return the counts since the last refill; ``out`` are tasks given that no result has come for."""
        return {
            "polls": self._polls,
            "empty_polls": self._empty_polls,
            "given": self._given,
            "updates": self._updates,
            "duplicate_updates": self._duplicate_updates,
            "unknown_updates": self._unknown_updates,
            "out": len(self._out),
        }


class Connection(asyncio.Protocol):
    """Answer the requests of one connection, one after the other."""

    transport: asyncio.Transport

    def __init__(self, backlog: Backlog, waiting: deque["Connection"], keep_alive: int) -> None:
        self._backlog = backlog
        self._waiting = waiting
        self._keep_alive = keep_alive
        self._received = b""
        self._responses = 0
        self._poll: tuple[int, bytes, bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        # uvloop's is one without saying so.
        self.transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the protocol's signature
        """Give up a poll that waits."""
        self._stop_waiting()

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        data = self._received + data if self._received else data
        while data and self._poll is None:
            end = data.find(b"\r\n\r\n")
            if end < 0:
                break
            total = end + 4
            if data.startswith(b"POST"):
                total += _content_length(data[:end])
                if len(data) < total:
                    break
            method, target, _ = data[: data.index(b"\r\n")].split(b" ", 2)
            self._answer(method, target, data[end + 4 : total])
            data = data[total:]
        self._received = data

    def tasks_came(self) -> None:
        """Answer the poll that waits."""
        if self._poll is not None:
            poll = self._poll
            self._stop_waiting()
            self._send_json(self._backlog.take(*poll))
            self.data_received(b"")

    def _answer(self, method: bytes, target: bytes, body: bytes) -> None:
        path, _, query = target.partition(b"?")
        if path == b"/api/tasks" and method == b"POST":
            self._send(b"Content-Type: text/plain;charset=UTF-8\r\n", self._backlog.update(body))
        elif path.startswith(b"/api/tasks/poll/batch/"):
            self._take(path[len(b"/api/tasks/poll/batch/") :], query)
        elif path == b"/stats":
            self._send(b"Content-Type: application/json\r\n", json.dumps(self._backlog.stats()).encode())
        elif path.startswith(b"/backlog/"):
            self._backlog.refill(int(path.rpartition(b"/")[2]))
            self._send(b"Content-Type: text/plain\r\n", b"")
            while self._waiting and not self._backlog.is_empty:
                self._waiting.popleft().tasks_came()
        else:
            self._send(b"Content-Type: application/json\r\n", b'{"status":404}', b"404")

    def _take(self, task_type: bytes, query: bytes) -> None:
        given = dict(pair.partition(b"=")[::2] for pair in query.split(b"&"))
        poll = int(given.get(b"count", 1)), _unquoted(task_type), _unquoted(given.get(b"workerid", b""))
        wait_ms = int(given.get(b"timeout", 100))
        if wait_ms > 0 and self._backlog.is_empty:
            self._poll = poll
            self._waiting.append(self)
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(wait_ms / 1000, self.tasks_came)
        else:
            self._send_json(self._backlog.take(*poll))

    def _stop_waiting(self) -> None:
        self._poll = None
        with suppress(ValueError):
            self._waiting.remove(self)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _send_json(self, body: bytes) -> None:
        pieces = [body[start : start + CHUNK_BYTES] for start in range(0, len(body), CHUNK_BYTES)]
        chunked = b"".join([b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces])
        self._write(
            b"HTTP/1.1 200 \r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n%b%b\r\n%b0\r\n\r\n"
            % (DATE, self._closing(), chunked)
        )

    def _send(self, content_type: bytes, body: bytes, status: bytes = b"200") -> None:
        self._write(
            b"HTTP/1.1 %b \r\n%bContent-Length: %d\r\n%b%b\r\n%b"
            % (status, content_type, len(body), DATE, self._closing(), body)
        )

    def _closing(self) -> bytes:
        self._responses += 1
        return CLOSE if self._responses == self._keep_alive else b""

    def _write(self, response: bytes) -> None:
        self.transport.write(response)
        if self._responses == self._keep_alive:
            self.transport.close()


def _content_length(head: bytes) -> int:
    found = re.search(rb"\r\ncontent-length: ?(\d+)", head, re.IGNORECASE)
    return int(found[1]) if found else 0


def _unquoted(text: bytes) -> bytes:
    return urllib.parse.unquote_to_bytes(text)


async def serve(port: int, keep_alive: int, *, until_eof: bool) -> None:
    """Serve until cancelled, or until standard input ends."""
    backlog, waiting = Backlog(), deque[Connection]()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Connection(backlog, waiting, keep_alive), "127.0.0.1", port)
    ended = asyncio.Event()

    def watch_stdin() -> None:
        sys.stdin.buffer.read()
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    print(server.sockets[0].getsockname()[1], flush=True)
    if until_eof:
        threading.Thread(target=watch_stdin, daemon=True).start()
    await ended.wait()


def main() -> None:
    """Serve as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--core", type=int)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--keep-alive", type=int, default=100)
    parser.add_argument("--until-eof", action="store_true")
    given = parser.parse_args()
    if given.core is not None:
        os.sched_setaffinity(0, {given.core})
    try:
        from uvloop import new_event_loop
    except ImportError:
        from asyncio import new_event_loop
    with suppress(KeyboardInterrupt), asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(serve(given.port, given.keep_alive, until_eof=given.until_eof))


if __name__ == "__main__":
    main()
