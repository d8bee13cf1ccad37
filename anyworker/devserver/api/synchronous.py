"""Requests that last until a workflow has ended or waits: executions and signals."""

from collections.abc import Callable
from typing import Any

import attrs

from anyworker.devserver.api.starting import START_REQUEST, read_start
from anyworker.devserver.control.signals import Signals
from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import EMPTY, Answer, Call, Endpoints, Pending, as_json, refused, whole
from anyworker.devserver.lifecycle.results import TASK_RESULT
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.views import task_view, workflow_view
from anyworker.devserver.timing.watches import Watch
from anyworker.devserver.wire import complaints, errors, fields, payloads
from anyworker.devserver.wire.java import trimmed

EXECUTION_SECONDS = 10
SIGNAL_MILLIS = 5000
STRATEGIES = ("TARGET_WORKFLOW", "BLOCKING_WORKFLOW", "BLOCKING_TASK", "BLOCKING_TASK_INPUT")
"""What an answer shows: the workflow of the request, or the workflow or task that it waits for."""

_REST = "com.netflix.conductor.rest.controllers"
_STRATEGY = "org.conductoross.conductor.model.WorkflowSignalReturnStrategy"
_RESPONSE = "public reactor.core.publisher.Mono<org.conductoross.conductor.model.SignalResponse>"
_STATUS, _MAP = f"{TASK_RESULT}$Status", "java.util.Map<java.lang.String, java.lang.Object>"
_EXECUTE = (
    f"{_RESPONSE} {_REST}.WorkflowResource.executeWorkflow(java.lang.String,java.lang.Integer,"
    f"java.lang.String,java.lang.String,java.lang.Integer,java.lang.String,{_STRATEGY},{START_REQUEST})"
)
_SIGNAL = f"public void {_REST}.TaskResource.signalWorkflowTaskAsync(java.lang.String,{_STATUS},{_MAP})"
_SIGNAL_SYNC = (
    f"{_RESPONSE} {_REST}.TaskResource.signalWorkflowTaskSync"
    f"(java.lang.String,{_STATUS},{_STRATEGY},long,{_MAP})"
)
_FIRST_KEYS = ("workflowId", "correlationId", "input", "output")
_TASK_KEYS = ("taskType", "taskId", "referenceTaskName", "retryCount", "taskDefName", "workflowType")
_WORKFLOW_KEYS = ("priority", "variables", "tasks", "createTime", "status", "updateTime")


@attrs.frozen
class _Response:
    """What is told of a workflow in the end."""

    signals: Signals
    target: WorkflowRecord
    strategy: str
    request_id: str

    def render(self, watch: Watch, now: int) -> Answer:
        """Return the answer, once what was watched for has come or its time is over."""
        task = None if self.strategy == STRATEGIES[0] else self.signals.awaited(self.target)
        shows_task = self.strategy.startswith("BLOCKING_TASK")
        if shows_task and task is None:
            return refused(complaints.nothing_blocks(timed_out=not watch.outcome))
        if shows_task and task is not None:
            details = _task_details(task, now)
        else:
            details = _workflow_details(self.target if task is None else task.workflow, now)
        wire = {
            "responseType": self.strategy,
            "targetWorkflowId": self.target.workflow_id,
            "targetWorkflowStatus": self.target.status,
            "requestId": self.request_id,
            **{key: details.pop(key) for key in _FIRST_KEYS if key in details},
            "signalTimeout": not watch.outcome,
        }
        return as_json(wire | details)


def _task_details(task: TaskRecord, now: int) -> dict[str, Any]:
    shown, workflow = task_view(task, now), task.workflow
    details: dict[str, Any] = {"workflowId": workflow.workflow_id}
    if workflow.correlation_id is not None:
        details["correlationId"] = workflow.correlation_id
    details |= {"input": shown["inputData"], "output": shown["outputData"]}
    details |= {key: shown[key] for key in _TASK_KEYS}
    details |= {"priority": workflow.priority, "createTime": shown["scheduledTime"]}
    return details | {"updateTime": shown["updateTime"], "status": shown["status"]}


def _workflow_details(workflow: WorkflowRecord, now: int) -> dict[str, Any]:
    shown = workflow_view(workflow, now)
    return {key: shown[key] for key in (*_FIRST_KEYS, *_WORKFLOW_KEYS) if key in shown}


class SynchronousEndpoints:
    """Starting and moving on workflows, with an answer that tells what came of it."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._signals = Signals(engine)

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "POST", "/api/workflow/execute/{name}/{version}", self.execute
        yield "POST", "/api/tasks/{workflow}/{status}/signal", self.signal
        yield "POST", "/api/tasks/{workflow}/{status}/signal/sync", self.signal_sync

    def execute(self, call: Call) -> Pending[Watch]:
        """Start a workflow; answer when it has ended, waits, or has passed a task that the query names."""
        name, version = call.variables[0], whole("version", call.variables[1], "java.lang.Integer")
        references = set((call.text("waitUntilTaskRef") or "").split(","))
        seconds = call.whole("waitForSeconds", 0, "java.lang.Integer") or EXECUTION_SECONDS
        strategy = _strategy(call)
        body = fields.record(call.json(_EXECUTE), START_REQUEST)
        request = read_start(self._engine, {**body, **_input(body), "name": name, "version": version or None})
        target = self._engine.store.workflow(self._engine.start(request, call.now))

        def holds() -> bool:
            has_passed = any(task.is_terminal and task.reference in references for task in target.tasks)
            return has_passed or self._signals.has_come_to_rest(target)

        return self._wait(call, self._response(call, target, strategy), holds, seconds * 1000)

    def signal(self, call: Call) -> Answer:
        """Update the task that a workflow waits for; do nothing if it waits for none."""
        _check_status(call)
        self._send(call, _SIGNAL)
        return EMPTY

    def signal_sync(self, call: Call) -> Pending[Watch]:
        """Update the task that a workflow waits for; answer when the workflow has ended or waits again."""
        _check_status(call)
        strategy, timeout = _strategy(call), call.whole("timeoutMillis", SIGNAL_MILLIS, "long")
        target = self._send(call, _SIGNAL_SYNC)
        if target is None:
            raise errors.nothing_to_signal(call.variables[0])
        response = self._response(call, target, strategy)
        return self._wait(call, response, lambda: self._signals.has_come_to_rest(target), timeout)

    def _send(self, call: Call, signature: str) -> WorkflowRecord | None:
        """Signal; return the workflow, None if it waited for nothing."""
        output = fields.mapping(call.json(signature)) or {}
        target = self._engine.store.workflow(call.variables[0])
        is_large = len(call.request.body) > payloads.INLINE_LIMIT
        is_sent = self._signals.send(target, call.variables[1], output, call.now, is_large=is_large)
        return target if is_sent else None

    def _response(self, call: Call, target: WorkflowRecord, strategy: str) -> _Response:
        return _Response(self._signals, target, strategy, call.text("requestId") or self._engine.new_id())

    def _wait(
        self, call: Call, response: _Response, holds: Callable[[], bool], timeout: int
    ) -> Pending[Watch]:
        return Pending(self._engine.watch(holds, timeout, call.now), response.render)


def _check_status(call: Call) -> None:
    if call.variables[1] not in fields.RESULT_STATUS.names:
        raise complaints.bad_status_in_path(call.variables[1])


def _strategy(call: Call) -> str:
    values = call.values("returnStrategy") or [""]
    strategy = trimmed(values[0]) or STRATEGIES[0]
    if strategy not in STRATEGIES:
        raise complaints.bad_name("returnStrategy", _STRATEGY, values)
    return strategy


def _input(body: dict[str, Any]) -> dict[str, Any]:
    """Return the input of a definition that came with the request, marked as the server marks it."""
    if body.get("workflowDef") is None:
        return {}
    source = fields.mapping(body.get("input", {}))
    if source is None:
        return {}
    metadata = fields.mapping(source.get("_systemMetadata")) or {}
    return {"input": {**source, "_systemMetadata": {**metadata, "dynamic": True}}}
