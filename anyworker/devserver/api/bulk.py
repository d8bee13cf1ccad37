"""The endpoints under ``/api/workflow/bulk``: one operation on many workflows, each by itself."""

from collections.abc import Callable

from anyworker.devserver.control.operations import Operations
from anyworker.devserver.engine import Engine
from anyworker.devserver.http.exchange import Answer, Call, Endpoints, as_json
from anyworker.devserver.wire import complaints, errors, fields
from anyworker.devserver.wire.errors import RequestRefused, Violation

MOST = 1000
"""Workflows in one request."""

_RESOURCE = (
    "public com.netflix.conductor.common.model.BulkResponse<java.lang.String> "
    "com.netflix.conductor.rest.controllers.WorkflowBulkResource"
)


class BulkEndpoints:
    """Steering many workflows at once; those that refuse are listed with their reasons."""

    def __init__(self, engine: Engine) -> None:
        self._operations = Operations(engine)

    def endpoints(self) -> Endpoints:
        """Yield method, path and handler of each."""
        yield "PUT", "/api/workflow/bulk/pause", self.pause
        yield "PUT", "/api/workflow/bulk/resume", self.resume
        yield "POST", "/api/workflow/bulk/restart", self.restart
        yield "POST", "/api/workflow/bulk/retry", self.retry
        yield "POST", "/api/workflow/bulk/terminate", self.terminate
        yield "DELETE", "/api/workflow/bulk/remove", self.remove
        yield "DELETE", "/api/workflow/bulk/terminate-remove", self.terminate_and_remove

    def pause(self, call: Call) -> Answer:
        """Pause workflows."""
        ids = _ids(call, "pauseWorkflow")
        return _each("pauseWorkflow", ids, lambda one: self._operations.pause(one, call.now))

    def resume(self, call: Call) -> Answer:
        """Resume workflows."""
        ids = _ids(call, "resumeWorkflow")
        return _each("resumeWorkflow", ids, lambda one: self._operations.resume(one, call.now))

    def restart(self, call: Call) -> Answer:
        """Restart ended workflows from their beginning."""
        ids = _ids(call, "restart", "boolean")
        latest = call.flag("useLatestDefinitions", default=False)
        return _each("restart", ids, lambda one: self._operations.restart(one, call.now, latest=latest))

    def retry(self, call: Call) -> Answer:
        """Retry ended workflows from where they failed."""
        ids = _ids(call, "retry")
        return _each("retry", ids, lambda one: self._operations.retry(one, call.now))

    def terminate(self, call: Call) -> Answer:
        """Terminate workflows."""
        ids = _ids(call, "terminate", "java.lang.String")
        return _each("terminate", ids, self._terminate(call))

    def remove(self, call: Call) -> Answer:
        """Forget workflows."""
        ids = _ids(call, "deleteWorkflow", "boolean")
        return _each("deleteWorkflow", ids, self._remove(call))

    def terminate_and_remove(self, call: Call) -> Answer:
        """Terminate workflows and forget them; one that cannot be terminated is forgotten all the same."""
        ids = _ids(call, "terminateRemove", "boolean", "java.lang.String")
        return _each("terminateRemove", ids, self._terminate(call), self._remove(call))

    def _terminate(self, call: Call) -> Callable[[str], None]:
        reason = call.text("reason")
        return lambda one: self._operations.terminate(one, reason, call.now)

    def _remove(self, call: Call) -> Callable[[str], None]:
        archived = call.flag("archiveWorkflow", default=True)

        def remove(one: str) -> None:
            if not one:
                raise errors.bad_request("deleteWorkflow.arg0: WorkflowId cannot be null or empty.")
            self._operations.remove(one, archived=archived)

        return remove


def _ids(call: Call, method: str, *more: str) -> list[str | None]:
    """Return what the body lists.

    Args:
        call: The request.
        method: The server's method, as its messages name it.
        more: The types of the method's parameters after the list.

    Raises:
        RequestRefused: 500, it is no list of texts.
    """
    signature = ",".join(("java.util.List<java.lang.String>", *more))
    return fields.texts(call.json(f"{_RESOURCE}.{method}({signature})")) or []


def _each(method: str, ids: list[str | None], *steps: Callable[[str], None]) -> Answer:
    """Do something to each workflow; a step that fails does not keep the next from being tried.

    Raises:
        RequestRefused: 400 for no or too many workflows; 500 for null among them.
    """
    if not ids:
        raise errors.invalid([Violation(f"{method}.arg0", "WorkflowIds list cannot be null.")])
    if len(ids) > MOST:
        too_many = f"Cannot process more than {MOST} workflows. Please use multiple requests."
        raise errors.invalid([Violation(f"{method}.arg0", too_many)])
    failed: dict[str, str] = {}
    succeeded = []
    for one in ids:
        if one is None:
            raise complaints.null_key()
        for step in steps:
            try:
                step(one)
            except RequestRefused as error:
                failed[one] = error.message
            else:
                succeeded.append(one)
    return as_json({"bulkErrorResults": failed, "bulkSuccessfulResults": succeeded})
