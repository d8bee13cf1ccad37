"""The endpoints under ``/api/workflow/bulk``: one operation on many workflows, each by itself."""

from collections.abc import Callable

from anyworker.devserver import complaints, errors, fields
from anyworker.devserver.engine import Engine
from anyworker.devserver.errors import RequestRefused, Violation
from anyworker.devserver.exchange import Answer, Call, as_json
from anyworker.devserver.operations import Operations

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

    def pause(self, call: Call) -> Answer:
        """Pause workflows."""
        return _each(call, "pauseWorkflow", lambda one: self._operations.pause(one, call.now))

    def resume(self, call: Call) -> Answer:
        """Resume workflows."""
        return _each(call, "resumeWorkflow", lambda one: self._operations.resume(one, call.now))

    def restart(self, call: Call) -> Answer:
        """Restart ended workflows from their beginning."""
        call.flag("useLatestDefinitions", default=False)
        return _each(call, "restart", lambda one: self._operations.restart(one, call.now), "boolean")

    def retry(self, call: Call) -> Answer:
        """Retry ended workflows from where they failed."""
        return _each(call, "retry", lambda one: self._operations.retry(one, call.now))

    def terminate(self, call: Call) -> Answer:
        """Terminate workflows."""
        reason = call.text("reason")

        def terminate(one: str) -> None:
            self._operations.terminate(one, reason, call.now)

        return _each(call, "terminate", terminate, "java.lang.String")


def _each(call: Call, method: str, operate: Callable[[str], None], *more: str) -> Answer:
    """Do something to each workflow of the body.

    Args:
        call: The request.
        method: The server's method, as its messages name it.
        operate: What to do to one workflow.
        more: The types of the method's parameters after the list.

    Raises:
        RequestRefused: 400 for no or too many workflows, 500 for a body that is no list of them.
    """
    signature = ",".join(("java.util.List<java.lang.String>", *more))
    ids = fields.texts(call.json(f"{_RESOURCE}.{method}({signature})")) or []
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
        try:
            operate(one)
        except RequestRefused as error:
            failed[one] = error.message
        else:
            succeeded.append(one)
    return as_json({"bulkErrorResults": failed, "bulkSuccessfulResults": succeeded})
