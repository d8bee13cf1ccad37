"""The endpoints under ``/api/workflow``."""

from typing import Any

from anyworker.devserver.api.starting import START_REQUEST, read_start
from anyworker.devserver.control.operations import Operations
from anyworker.devserver.control.reruns import Rerun, Reruns
from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import EMPTY, NO_CONTENT, Answer, Call, Endpoints, as_json, as_text
from anyworker.devserver.lifecycle.beginnings import Start
from anyworker.devserver.metadata import validation
from anyworker.devserver.records.views import task_view, workflow_view
from anyworker.devserver.wire import errors, fields
from anyworker.devserver.wire.reader import Reader

_RESOURCE = "com.netflix.conductor.rest.controllers.WorkflowResource"
_START = f"public java.lang.String {_RESOURCE}.startWorkflow({START_REQUEST})"
_START_NAMED = (
    f"public java.lang.String {_RESOURCE}.startWorkflow(java.lang.String,java.lang.Integer,java.lang.String,"
    "int,java.util.Map<java.lang.String, java.lang.Object>)"
)
RERUN_REQUEST = f"{fields.METADATA}.workflow.RerunWorkflowRequest"
_RERUN = f"public java.lang.String {_RESOURCE}.rerun(java.lang.String,{RERUN_REQUEST})"


class WorkflowEndpoints:
    """Starting, reading and steering workflows."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store
        self._operations = Operations(engine)
        self._reruns = Reruns(engine, self._operations)

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "POST", "/api/workflow", self.start
        yield "POST", "/api/workflow/{name}", self.start_named
        yield "GET", "/api/workflow/{id}", self.read
        yield "GET", "/api/workflow/{id}/status", self.status
        yield "GET", "/api/workflow/{id}/tasks", self.tasks
        yield "DELETE", "/api/workflow/{id}", self.terminate
        yield "DELETE", "/api/workflow/{id}/remove", self.remove
        yield "DELETE", "/api/workflow/{id}/terminate-remove", self.terminate_and_remove
        yield "PUT", "/api/workflow/decide/{id}", self.decide
        yield "PUT", "/api/workflow/{id}/pause", self.pause
        yield "PUT", "/api/workflow/{id}/resume", self.resume
        yield "POST", "/api/workflow/{id}/retry", self.retry
        yield "POST", "/api/workflow/{id}/restart", self.restart
        yield "POST", "/api/workflow/{id}/rerun", self.rerun
        yield "PUT", "/api/workflow/{id}/skiptask/{reference}", self.skip
        yield "POST", "/api/workflow/{id}/resetcallbacks", self.reset_callbacks

    # Starting

    def start(self, call: Call) -> Answer:
        """Start the workflow that the body describes."""
        request = read_start(self._engine, call.json(_START))
        return as_text(self._engine.start(request, call.now))

    def start_named(self, call: Call) -> Answer:
        """Start the workflow that the path names, the body being its input."""
        version, priority = call.boxed("version"), call.whole("priority", 0)
        source = fields.mapping(call.json(_START_NAMED)) or {}
        if broken := list(validation.start_priority(priority)):
            raise errors.invalid(broken)
        plan = self._engine.catalog.plan(call.variables[0], version)
        if plan is None:
            raise errors.workflow_definition_not_found(call.variables[0], version)
        request = Start(plan, source, call.text("correlationId"), priority)
        return as_text(self._engine.start(request, call.now))

    # Reading

    def read(self, call: Call) -> Answer:
        """Return a workflow, with or without its tasks."""
        with_tasks = call.flag("includeTasks", default=True)
        workflow = self._store.workflow(call.variables[0])
        return as_json(workflow_view(workflow, call.now, with_tasks=with_tasks))

    def status(self, call: Call) -> Answer:
        """Return the state of a workflow."""
        with_output = call.flag("includeOutput", default=False)
        with_variables = call.flag("includeVariables", default=False)
        workflow = self._store.workflow(call.variables[0])
        wire: dict[str, Any] = {"workflowId": workflow.workflow_id}
        if workflow.correlation_id is not None:
            wire["correlationId"] = workflow.correlation_id
        if with_output:
            wire["output"] = workflow.output
        if with_variables:
            wire["variables"] = workflow.variables
        wire["status"] = workflow.status
        return as_json(wire)

    def tasks(self, call: Call) -> Answer:
        """Return some of a workflow's tasks."""
        start, count = (
            call.whole("start", 0, "java.lang.Integer"),
            call.whole("count", 15, "java.lang.Integer"),
        )
        if start < 0:
            message = f"fromIndex = {start}"
            raise errors.failure(message)
        if count < 0:
            message = f"fromIndex({start}) > toIndex({start + count})"
            raise errors.bad_request(message)
        wanted = {name for value in call.values("status") or [] for name in value.split(",") if name}
        workflow = self._store.workflow(call.variables[0])
        found = [task for task in workflow.tasks if not wanted or task.status in wanted]
        page = found[start : start + count]
        return as_json({"totalHits": len(found), "results": [task_view(task, call.now) for task in page]})

    # Steering

    def decide(self, call: Call) -> Answer:
        """Let the decider look at a workflow."""
        self._operations.decide(call.variables[0], call.now)
        return EMPTY

    def pause(self, call: Call) -> Answer:
        """Pause a workflow."""
        self._operations.pause(call.variables[0], call.now)
        return EMPTY

    def resume(self, call: Call) -> Answer:
        """Resume a workflow."""
        self._operations.resume(call.variables[0], call.now)
        return EMPTY

    def terminate(self, call: Call) -> Answer:
        """Terminate a workflow."""
        self._operations.terminate(call.variables[0], call.text("reason"), call.now)
        return EMPTY

    def terminate_and_remove(self, call: Call) -> Answer:
        """Terminate a workflow and forget it."""
        archived = call.flag("archiveWorkflow", default=True)
        self._operations.terminate(call.variables[0], call.text("reason"), call.now)
        self._operations.remove(call.variables[0], archived=archived)
        return EMPTY

    def remove(self, call: Call) -> Answer:
        """Forget a workflow."""
        archived = call.flag("archiveWorkflow", default=True)
        self._operations.remove(call.variables[0], archived=archived)
        return EMPTY

    def retry(self, call: Call) -> Answer:
        """Retry an ended workflow from where it failed."""
        inner = call.flag("resumeSubworkflowTasks", default=False)
        self._operations.retry(call.variables[0], call.now, inner=inner)
        return NO_CONTENT

    def restart(self, call: Call) -> Answer:
        """Restart an ended workflow from its beginning."""
        latest = call.flag("useLatestDefinitions", default=False)
        self._operations.restart(call.variables[0], call.now, latest=latest)
        return NO_CONTENT

    def rerun(self, call: Call) -> Answer:
        """Run an ended workflow again, from its beginning or from one of its tasks."""
        take = Reader(call.json(_RERUN), RERUN_REQUEST)
        request = Rerun(
            take.text("reRunFromTaskId"),
            fields.mapping(take.value("taskInput")),
            fields.mapping(take.value("workflowInput")),
            take.text("correlationId"),
        )
        self._reruns.rerun(call.variables[0], request, call.now)
        return as_text(call.variables[0])

    def skip(self, call: Call) -> Answer:
        """Let a workflow pass over a task to come; the body is not looked at, as on the real server."""
        self._reruns.skip(call.variables[0], call.variables[1], call.now)
        return EMPTY

    def reset_callbacks(self, call: Call) -> Answer:
        """Make waiting call-backs deliverable."""
        self._operations.reset_callbacks(call.variables[0], call.now)
        return NO_CONTENT
