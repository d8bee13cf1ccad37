"""The endpoints that find workflows by name and by correlation."""

from collections.abc import Callable
from typing import Any

from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import Answer, Call, Endpoints, as_json
from anyworker.devserver.records.views import workflow_view
from anyworker.devserver.wire import errors, fields

_CORRELATED = (
    "public java.util.Map<java.lang.String, java.util.List<com.netflix.conductor.common.run.Workflow>> "
    "com.netflix.conductor.rest.controllers.WorkflowResource.getWorkflows"
    "(java.lang.String,boolean,boolean,java.util.List<java.lang.String>)"
)


class ReadingEndpoints:
    """Workflows by name, by correlation."""

    def __init__(self, engine: Engine) -> None:
        self._store = engine.store

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "GET", "/api/workflow/running/{name}", self.running
        yield "GET", "/api/workflow/{name}/correlated/{id}", self.correlated
        yield "POST", "/api/workflow/{name}/correlated", self.correlated_by_id

    def running(self, call: Call) -> Answer:
        """Return the ids of a name's workflows that have not ended.

        Beside a span of time: those of a version that were started in it, also those that have ended.
        """
        version = call.whole("version", 1)
        since, until = call.boxed("startTime", "java.lang.Long"), call.boxed("endTime", "java.lang.Long")
        named = [one for one in self._store.workflows() if one.plan.name == call.variables[0]]
        if since and until:
            found = [one for one in named if one.plan.version == version and since <= one.created <= until]
        else:
            found = [one for one in named if not one.is_terminal]
        return as_json([one.workflow_id for one in found])

    def correlated(self, call: Call) -> Answer:
        """Return the workflows of a name and a correlation, the newest first."""
        name, correlation_id = call.variables
        return as_json(self._correlated(call, name)(correlation_id))

    def correlated_by_id(self, call: Call) -> Answer:
        """Return the same for several correlations."""
        show = self._correlated(call, call.variables[0])
        found = {}
        for correlation_id in fields.texts(call.json(_CORRELATED)) or []:
            if correlation_id is None:
                raise errors.failure("correlationId cannot be null")
            found[correlation_id] = show(correlation_id)
        return as_json(found)

    def _correlated(self, call: Call, name: str) -> Callable[[str], list[dict[str, Any]]]:
        with_closed = call.flag("includeClosed", default=False)
        with_tasks = call.flag("includeTasks", default=False)

        def show(correlation_id: str) -> list[dict[str, Any]]:
            return [
                workflow_view(workflow, call.now, with_tasks=with_tasks)
                for workflow in reversed(self._store.workflows())
                if (workflow.plan.name, workflow.correlation_id) == (name, correlation_id)
                and (with_closed or workflow.status == "RUNNING")
            ]

        return show
