"""The endpoints under ``/api/metadata``."""

from typing import Any

from anyworker.devserver.http.exchange import EMPTY, Answer, Call, Endpoints, as_json, whole
from anyworker.devserver.metadata.catalog import Catalog, check_workflow
from anyworker.devserver.metadata.definitions import TASK_DEF, WORKFLOW_DEF
from anyworker.devserver.wire import errors, fields

_RESOURCE = "com.netflix.conductor.rest.controllers.MetadataResource"
_REGISTER_TASKS = f"public void {_RESOURCE}.registerTaskDef(java.util.List<{TASK_DEF}>)"
_REPLACE_TASK = f"public void {_RESOURCE}.registerTaskDef({TASK_DEF})"
_ADD_WORKFLOW = f"public void {_RESOURCE}.create({WORKFLOW_DEF},boolean)"
_PUT_WORKFLOWS = (
    f"public com.netflix.conductor.common.model.BulkResponse<java.lang.String> {_RESOURCE}.update"
    f"(java.util.List<{WORKFLOW_DEF}>)"
)
_SUMMARY = ("name", "version", "createTime")
_VALIDATE = f"public void {_RESOURCE}.validate({WORKFLOW_DEF})"


class MetadataEndpoints:
    """Registering and reading definitions."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "POST", "/api/metadata/taskdefs", self.register_tasks
        yield "PUT", "/api/metadata/taskdefs", self.replace_task
        yield "GET", "/api/metadata/taskdefs", self.tasks
        yield "GET", "/api/metadata/taskdefs/{name}", self.task
        yield "DELETE", "/api/metadata/taskdefs/{name}", self.remove_task
        yield "POST", "/api/metadata/workflow", self.add_workflow
        yield "PUT", "/api/metadata/workflow", self.put_workflows
        yield "GET", "/api/metadata/workflow", self.workflows
        yield "POST", "/api/metadata/workflow/validate", self.validate_workflow
        yield "GET", "/api/metadata/workflow/names", self.workflow_names
        yield "GET", "/api/metadata/workflow/names-and-versions", self.workflow_names_and_versions
        yield "GET", "/api/metadata/workflow/latest-versions", self.latest_workflows
        yield "GET", "/api/metadata/workflow/{name}/versions", self.workflow_versions
        yield "GET", "/api/metadata/workflow/{name}", self.workflow
        yield "DELETE", "/api/metadata/workflow/{name}/{version}", self.remove_workflow

    def register_tasks(self, call: Call) -> Answer:
        """Register task definitions."""
        sources = fields.records(call.json(_REGISTER_TASKS), TASK_DEF)
        self._catalog.register_tasks(sources, call.now)
        return EMPTY

    def replace_task(self, call: Call) -> Answer:
        """Replace a task definition."""
        self._catalog.replace_task(call.json(_REPLACE_TASK), call.now)
        return EMPTY

    def task(self, call: Call) -> Answer:
        """Return a task definition."""
        return as_json(self._catalog.task(call.variables[0]).wire)

    def tasks(self, _call: Call) -> Answer:
        """Return all task definitions."""
        return as_json([definition.wire for definition in self._catalog.tasks()])

    def remove_task(self, call: Call) -> Answer:
        """Forget a task definition."""
        self._catalog.remove_task(call.variables[0])
        return EMPTY

    def add_workflow(self, call: Call) -> Answer:
        """Register a workflow definition."""
        overwrite = call.flag("overwrite", default=False)
        self._catalog.add_workflow(call.json(_ADD_WORKFLOW), call.now, overwrite=overwrite)
        return EMPTY

    def put_workflows(self, call: Call) -> Answer:
        """Register or replace workflow definitions."""
        sources = fields.records(call.json(_PUT_WORKFLOWS), WORKFLOW_DEF)
        names = self._catalog.put_workflows(sources, call.now)
        return as_json({"bulkErrorResults": {}, "bulkSuccessfulResults": names})

    @staticmethod
    def validate_workflow(call: Call) -> Answer:
        """Say whether a workflow definition would be accepted."""
        check_workflow(call.json(_VALIDATE))
        return EMPTY

    def workflow(self, call: Call) -> Answer:
        """Return a workflow definition."""
        version = call.boxed("version")
        wire = self._catalog.workflow(call.variables[0], version)
        if wire is None:
            raise errors.workflow_definition_not_found(call.variables[0], version)
        return as_json(_without_nulls(wire))

    def workflows(self, call: Call) -> Answer:
        """Return all workflow definitions; of a class, which none has here, none."""
        if call.text("classifier"):
            return as_json([])
        return as_json([_without_nulls(wire) for wire in self._catalog.workflows()])

    def workflow_names(self, _call: Call) -> Answer:
        """Return the names of all workflow definitions."""
        return as_json(list(dict.fromkeys(wire["name"] for wire in self._catalog.workflows())))

    def workflow_names_and_versions(self, _call: Call) -> Answer:
        """Return a summary of each version by the names of the workflow definitions."""
        summaries: dict[str, list[dict[str, Any]]] = {}
        for wire in self._catalog.workflows():
            summary = {key: wire[key] for key in (*_SUMMARY, "updateTime")}
            summaries.setdefault(wire["name"], []).append(summary)
        return as_json(summaries)

    def latest_workflows(self, _call: Call) -> Answer:
        """Return the latest version of each workflow definition."""
        return as_json([_without_nulls(wire) for wire in self._catalog.latest_workflows()])

    def workflow_versions(self, call: Call) -> Answer:
        """Return a summary of each version of a workflow definition."""
        versions = self._catalog.versions(call.variables[0])
        return as_json([{key: wire[key] for key in _SUMMARY} for wire in versions])

    def remove_workflow(self, call: Call) -> Answer:
        """Forget a version of a workflow definition."""
        name, version = call.variables
        self._catalog.remove_workflow(name, whole("version", version, "java.lang.Integer"))
        return EMPTY


def _without_nulls(wire: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wire.items() if value is not None}
