"""The tasks of the stub server: bodies as Conductor 3.32 sends them, and what became of each."""

import json
import re
from typing import Any

TASK_ID = re.compile(rb'"taskId": ?"([^"]+)"')
WORKER_ID = re.compile(rb'"workerId": ?"([^"]+)"')
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
        self._task_type = b""
        self.refill(0)

    def refill(self, tasks: int, payload: int = 3) -> None:
        """Forget everything and begin with so many tasks, each with an input of so many characters."""
        self._templates.clear()
        self._name = b"A" * payload
        self._left = tasks
        self._out: set[bytes] = set()
        self._done: set[bytes] = set()
        self._polls = self._empty_polls = self._exchanges = self._given = 0
        self._updates: dict[str, int] = {}
        self._duplicate_updates = self._unknown_updates = 0

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to give."""
        return self._left == 0

    def take(self, count: int, task_type: bytes, worker_id: bytes) -> bytes:
        """Return the body of a poll."""
        self._polls += 1
        self._task_type = task_type
        if self._left >= 0:
            count = min(count, self._left)
            self._left -= count
        if count <= 0:
            self._empty_polls += 1
            return b"[]"
        self._given += count
        template = self._template(task_type, worker_id)
        tasks = []
        for number in range(self._number, self._number + count):
            task_id = b"868d601d-004e-4e3f-b272-%012x" % number
            self._out.add(task_id)
            tasks.append(template % (b"dbf8fdba-af18-4dc8-a494-%012x" % number, task_id))
        self._number += count
        return b"[" + b",".join(tasks) + b"]"

    def _template(self, task_type: bytes, worker_id: bytes) -> bytes:
        template = self._templates.get((task_type, worker_id))
        if template is None:
            template = TASK_TEXT.replace(b"%", b"%%").replace(b"TASK_TYPE", task_type)
            template = template.replace(b'"Ada"', b'"%b"' % self._name)
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

    def exchange(self, body: bytes) -> bytes | None:
        """Take a result and return its task's successor, None if there is none (update-v2)."""
        self.update(body)
        self._exchanges += 1
        worker = WORKER_ID.search(body)
        if self.is_empty or worker is None:
            return None
        self._polls -= 1  # It is told as an exchange.
        return self.take(1, self._task_type, worker[1])[1:-1]

    def stats(self) -> dict[str, object]:
        """Return the counts since the last refill; ``out`` are tasks given that no result has come for."""
        return {
            "polls": self._polls,
            "empty_polls": self._empty_polls,
            "exchanges": self._exchanges,
            "given": self._given,
            "updates": self._updates,
            "duplicate_updates": self._duplicate_updates,
            "unknown_updates": self._unknown_updates,
            "out": len(self._out),
        }
