"""Searches over workflows: ``workflowType=order AND status IN (RUNNING,PAUSED)``."""

import re
from collections.abc import Callable, Iterable
from typing import Any

import attrs

from anyworker.devserver.errors import bad_request
from anyworker.devserver.expressions import as_text
from anyworker.devserver.jsontext import encode
from anyworker.devserver.records import WorkflowRecord
from anyworker.devserver.search import iso

_CONDITION = re.compile(r"(?P<field>\w+)\s*(?:(?P<sign>[=<>])|IN)\s*(?P<value>.*)")

_TEXTS: dict[str, Callable[[WorkflowRecord], str | None]] = {
    "workflowType": lambda workflow: workflow.plan.name,
    "workflowId": lambda workflow: workflow.workflow_id,
    "correlationId": lambda workflow: workflow.correlation_id,
    "status": lambda workflow: workflow.status,
}
_TIMES: dict[str, Callable[[WorkflowRecord], int]] = {
    "startTime": lambda workflow: workflow.created,
    "modifiedTime": lambda workflow: workflow.updated,
}


@attrs.frozen
class WorkflowQuery:
    """What to look for."""

    query: str
    """Conditions joined with AND, ``*`` in a value for anything; on other fields than the known ones they are
    ignored, as the server does."""
    free_text: str
    """To be found in what a summary shows, in upper or lower case; ``*`` for any."""
    sort: str = ""
    """``startTime:DESC`` has the newest first; else they come as they were started."""

    def find(self, workflows: Iterable[WorkflowRecord]) -> list[WorkflowRecord]:
        """Return the workflows that fit, given the oldest first.

        Raises:
            RequestRefused: 400, a part of the query is no condition.
        """
        conditions = [_condition(part.strip()) for part in self.query.split(" AND ") if part.strip()]
        found = [workflow for workflow in workflows if all(fits(workflow) for fits in conditions)]
        if self.free_text not in {"", "*"}:
            word = self.free_text.lower().encode()
            found = [workflow for workflow in found if word in encode(summary(workflow)).lower()]
        if self.sort.partition(":")[::2] == ("startTime", "DESC"):
            found.reverse()
        return found


def _condition(text: str) -> Callable[[WorkflowRecord], bool]:
    found = _CONDITION.fullmatch(text)
    if found is None:
        message = f"Incorrectly formatted query string: {text}"
        raise bad_request(message)
    field, sign, value = found["field"], found["sign"], found["value"]
    if field in _TIMES and sign in {"<", ">"} and (moment := value.strip("'\"")).isdecimal():
        limit, time_of = int(moment), _TIMES[field]
        if sign == "<":
            return lambda workflow: time_of(workflow) < limit
        return lambda workflow: time_of(workflow) > limit
    if field in _TEXTS and sign in {"=", None}:
        values = [value] if sign else value.strip("()").split(",")
        patterns = [_pattern(one.strip("'\"")) for one in values]
        read = _TEXTS[field]
        return lambda workflow: any(pattern.fullmatch(read(workflow) or "") for pattern in patterns)
    return lambda _: True


def _pattern(value: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, value.split("*"))), re.DOTALL)


def summary(workflow: WorkflowRecord) -> dict[str, Any]:
    """Return a workflow as ``/workflow/search`` shows it."""
    source = as_text({} if workflow.external_input else workflow.input)
    output = as_text(workflow.output)
    wire: dict[str, Any] = {
        "workflowType": workflow.plan.name,
        "version": workflow.plan.version,
        "workflowId": workflow.workflow_id,
    }
    if workflow.correlation_id is not None:
        wire["correlationId"] = workflow.correlation_id
    wire["startTime"] = iso(workflow.created)
    wire["updateTime"] = iso(workflow.updated)
    if workflow.ended:
        wire["endTime"] = iso(workflow.ended)
    wire |= {"status": workflow.status, "input": source, "output": output}
    if workflow.reason is not None:
        wire["reasonForIncompletion"] = workflow.reason
    wire["executionTime"] = workflow.ended - workflow.created if workflow.ended else 0
    wire["failedReferenceTaskNames"] = ",".join(workflow.failed_references)
    if workflow.external_input is not None:
        wire["externalInputPayloadStoragePath"] = workflow.external_input
    wire["priority"] = workflow.priority
    wire["failedTaskNames"] = list(workflow.failed_names)
    wire["taskToDomain"] = workflow.task_to_domain
    wire["parentWorkflowId"] = workflow.parent_id or ""
    return wire | {"classifier": "workflow", "outputSize": len(output), "inputSize": len(source)}
