"""The endpoints under ``/api/tasks`` but for queues and searches."""

from urllib.parse import parse_qsl, urlencode

import attrs

from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import (
    EMPTY,
    NO_CONTENT,
    Answer,
    Call,
    Endpoints,
    Pending,
    as_json,
    as_text,
)
from anyworker.devserver.lifecycle.results import TASK_RESULT, Report
from anyworker.devserver.queueing.polls import Poll
from anyworker.devserver.records.records import TaskRecord
from anyworker.devserver.records.store import LogLine
from anyworker.devserver.records.views import task_view, workflow_view
from anyworker.devserver.timing.watches import Watch
from anyworker.devserver.wire import complaints, errors, fields, payloads

LONGEST_WAIT = 5000
"""Milliseconds."""
SINGLE_WAIT = 100
"""Milliseconds for which a poll for one task waits."""

_RESOURCE = "com.netflix.conductor.rest.controllers.TaskResource"
_MAP = "java.util.Map<java.lang.String, java.lang.Object>"
_UPDATE = f"public java.lang.String {_RESOURCE}.updateTask({TASK_RESULT})"
_UPDATE_V2_METHOD = (
    f"public org.springframework.http.ResponseEntity<{fields.METADATA}.tasks.Task> "
    f"{_RESOURCE}.updateTaskV2({TASK_RESULT})"
)
_BY_REFERENCE = (
    f"public java.lang.String {_RESOURCE}.updateTask(java.lang.String,java.lang.String,"
    f"{TASK_RESULT}$Status,java.lang.String,{_MAP})"
)
_BY_REFERENCE_SYNC = (
    f"public com.netflix.conductor.common.run.Workflow {_RESOURCE}.updateTaskSync(java.lang.String,"
    f"java.lang.String,{TASK_RESULT}$Status,java.lang.String,{_MAP})"
)
_LOG = f"public void {_RESOURCE}.log(java.lang.String,java.lang.String)"
_OPERATIONS = frozenset({"READ", "WRITE"})
_PAYLOADS = frozenset({"WORKFLOW_INPUT", "WORKFLOW_OUTPUT", "TASK_INPUT", "TASK_OUTPUT"})


class TaskEndpoints:
    """Polls, updates, what can be read of tasks, and where their large payloads go."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "POST", "/api/tasks", self.update
        yield "POST", "/api/tasks/update-v2", self.update_v2
        yield "POST", "/api/tasks/{workflow}/{reference}/{status}", self.update_by_reference
        yield "POST", "/api/tasks/{workflow}/{reference}/{status}/sync", self.update_by_reference_sync
        yield "GET", "/api/tasks/poll/{type}", self.poll
        yield "GET", "/api/tasks/poll/batch/{type}", self.poll_batch
        yield "GET", "/api/tasks/{id}", self.read
        yield "POST", "/api/tasks/{id}/log", self.add_log
        yield "GET", "/api/tasks/{id}/log", self.read_log
        yield "GET", "/api/tasks/externalstoragelocation", self.storage_location

    # Polls

    def poll(self, call: Call) -> Pending[Poll]:
        """Ask for one task, waiting a moment."""
        return Pending(self._poll(call, 1, SINGLE_WAIT), _render_one)

    def poll_batch(self, call: Call) -> Pending[Poll]:
        """Ask for tasks, waiting as long as asked."""
        count, timeout = call.whole("count", 1), call.whole("timeout", 100)
        if timeout > LONGEST_WAIT:
            raise errors.bad_request("Long Poll Timeout value cannot be more than 5 seconds")
        return Pending(self._poll(call, count, timeout), _render_all)

    def _poll(self, call: Call, count: int, timeout: int) -> Poll:
        return self._engine.poll(
            call.variables[0],
            now=call.now,
            domain=call.text("domain"),
            worker_id=call.text("workerid"),
            count=count,
            timeout=timeout,
        )

    # Updates

    def update(self, call: Call) -> Answer | Pending[Watch]:
        """Take a worker's report."""
        report = self._report(call, _UPDATE)
        if broken := list(complaints.missing_ids(report.workflow_id, report.task_id)):
            raise errors.invalid(broken)
        answer = as_text(report.task_id or "")
        if report.extend_lease:
            return self._extend_lease(report, call.now, answer)
        self._engine.update(report, call.now)
        return answer

    def update_v2(self, call: Call) -> Answer | Pending[Poll] | Pending[Watch]:
        """Take a worker's report and ask for its next task."""
        report = self._report(call, _UPDATE_V2_METHOD)
        if not report.workflow_id or not report.task_id:
            raise complaints.missing_ids_v2(_UPDATE_V2_METHOD, report.workflow_id, report.task_id)
        if report.extend_lease:
            return self._extend_lease(report, call.now, NO_CONTENT)
        poll = self._engine.update_and_poll(report, call.now)
        return NO_CONTENT if poll is None else Pending(poll, _render_one)

    def _extend_lease(self, report: Report, now: int, answer: Answer) -> Answer | Pending[Watch]:
        watch = self._engine.extend_lease(report, now)
        return answer if watch is None else Pending(watch, lambda _watch, _now: answer)

    @staticmethod
    def _report(call: Call, signature: str) -> Report:
        source = call.json(signature)
        return Report.read(source, call.now, is_large=len(call.request.body) > payloads.INLINE_LIMIT)

    def update_by_reference(self, call: Call) -> Answer:
        """Take a report on the pending task of a reference name; its output is added to what is there."""
        task = self._update_pending(call, _BY_REFERENCE)
        return EMPTY if task is None else as_text(task.task_id)

    def update_by_reference_sync(self, call: Call) -> Answer:
        """Do the same and answer with the workflow."""
        task = self._update_pending(call, _BY_REFERENCE_SYNC, keeps_worker=False)
        if task is None:
            raise errors.no_running_task(call.variables[1], call.variables[0])
        return as_json(workflow_view(task.workflow, call.now))

    def _update_pending(self, call: Call, signature: str, *, keeps_worker: bool = True) -> TaskRecord | None:
        workflow_id, reference, status = call.variables
        if status not in fields.RESULT_STATUS.names:
            raise complaints.bad_status_in_path(status)
        output = fields.mapping(call.json(signature)) or {}
        workflow = self._store.find_workflow(workflow_id)
        task = None if workflow is None else workflow.latest.get(reference)
        if task is None or task.is_terminal:
            return None
        is_large = len(call.request.body) > payloads.INLINE_LIMIT
        worker_id = call.text("workerid")
        report = Report.on(task, status, output, worker_id=worker_id, is_large=is_large)
        if not keeps_worker:
            report = attrs.evolve(report, worker_id=worker_id)
        self._engine.update(report, call.now)
        return task

    # Reading

    def read(self, call: Call) -> Answer:
        """Return a task."""
        task = self._store.tasks.get(call.variables[0])
        if task is None:
            raise errors.task_not_found(call.variables[0])
        return as_json(task_view(task, call.now))

    def add_log(self, call: Call) -> Answer:
        """Add a line to a task's log, as sent."""
        text = _log_text(call.raw(_LOG), (call.request.content_type or "").lower())
        self._store.log(LogLine(text, call.variables[0], call.now))
        return EMPTY

    def read_log(self, call: Call) -> Answer:
        """Return a task's log."""
        lines = self._store.logs(call.variables[0])
        return as_json([line.shown() for line in lines]) if lines else NO_CONTENT

    def storage_location(self, call: Call) -> Answer:
        """Name a place for a payload; as the server's default storage does, without a way to reach it."""
        path = call.required_text("path")
        operation, payload = call.required_text("operation"), call.required_text("payloadType")
        if operation.upper() not in _OPERATIONS or payload.upper() not in _PAYLOADS:
            problem = f"Invalid input - Operation: {operation}, PayloadType: {payload}"
            raise errors.bad_request(problem)
        return as_json({"path": f"{path}{self._engine.new_id()}.json"})


def _log_text(body: bytes, content_type: str) -> str:
    if content_type.startswith("multipart/"):
        raise complaints.not_multipart()
    is_latin = "charset=iso-8859-1" in content_type
    text = body.decode("latin-1" if is_latin else "utf-8", "replace")
    if content_type.startswith("application/x-www-form-urlencoded"):
        return urlencode(parse_qsl(text, keep_blank_values=True))
    return text


def _render_one(poll: Poll, now: int) -> Answer:
    return as_json(task_view(poll.tasks[0], now)) if poll.tasks else NO_CONTENT


def _render_all(poll: Poll, now: int) -> Answer:
    return as_json([task_view(task, now) for task in poll.tasks or ()])
