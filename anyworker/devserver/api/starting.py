"""Requests to start a workflow: from the JSON of a body to what the engine starts."""

from typing import Any

from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle.beginnings import Start
from anyworker.devserver.metadata import validation
from anyworker.devserver.metadata.definitions import read_workflow_definition
from anyworker.devserver.metadata.plans import Plan
from anyworker.devserver.wire import errors, fields
from anyworker.devserver.wire.reader import Reader

START_REQUEST = f"{fields.METADATA}.workflow.StartWorkflowRequest"


def read_start(engine: Engine, source: object) -> Start:
    """Return the start that a body asks for.

    Args:
        engine: Knows the definitions.
        source: The JSON value.

    Raises:
        RequestRefused: 400 with every broken rule, or for null input; 404 for an unknown workflow; 500 for a
            field of the wrong type.
    """
    take = Reader(source, START_REQUEST)
    name, version = take.text("name"), take.boxed("version")
    priority = take.boxed("priority") or 0
    broken = list(validation.start_request(name, priority))
    inline = take.inner("workflowDef", read_workflow_definition)
    if inline is not None:
        broken += validation.workflow_definition(inline, "startWorkflow.arg0.workflowDef")
    given = {} if take.is_absent("input") else fields.mapping(take.value("input"))
    domains = take.text_mapping("taskToDomain")
    correlation_id, external = take.text("correlationId"), take.text("externalInputPayloadStoragePath")
    _check_the_unused(take)
    if broken:
        raise errors.invalid(broken)
    plan = _plan(engine, name or "", version, inline)
    if given is None and not external:
        raise errors.bad_request("NULL input passed when starting workflow")
    return Start(plan, given or {}, correlation_id, priority, domains, None if given else external)


def _check_the_unused(take: Reader) -> None:
    """Refuse wrong types in fields that have no effect, as the server does."""
    for key in ("createdBy", "idempotencyKey"):
        take.text(key)
    fields.IDEMPOTENCY.take(take.value("idempotencyStrategy"))


def _plan(engine: Engine, name: str, version: int | None, inline: dict[str, Any] | None) -> Plan:
    if inline is not None:
        return engine.catalog.inline_plan(inline)
    if not name:
        raise errors.bad_request("Workflow name must be specified when searching for a definition")
    plan = engine.catalog.plan(name, version)
    if plan is None:
        raise errors.no_such_workflow_defined(name, version)
    return plan
