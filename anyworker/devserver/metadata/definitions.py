"""Task and workflow definitions: from the JSON of a request to what the engine runs and the API returns."""

from typing import Any

import attrs
import msgspec

from anyworker.devserver.metadata.settings import read_cache, read_rate_limit, read_state_changes
from anyworker.devserver.wire import fields
from anyworker.devserver.wire.complaints import validation_broke_down
from anyworker.devserver.wire.jsontext import encode, parse_error
from anyworker.devserver.wire.reader import AUDIT, Reader

TASK_DEF = f"{fields.METADATA}.tasks.TaskDef"
WORKFLOW_DEF = f"{fields.METADATA}.workflow.WorkflowDef"
SUB_WORKFLOW_PARAMS = f"{fields.METADATA}.workflow.SubWorkflowParams"
WORKFLOW_TASK = f"{fields.METADATA}.workflow.WorkflowTask"
SCHEMA_DEF = f"{fields.METADATA}.SchemaDef"

_BRANCH = f"java.util.List<{WORKFLOW_TASK}>"
_OPTIONAL_STEP_TEXTS = (
    "dynamicTaskNameParam",
    "caseValueParam",
    "caseExpression",
    "scriptExpression",
    "dynamicForkJoinTasksParam",
    "dynamicForkTasksParam",
    "dynamicForkTasksInputParamName",
)


@attrs.frozen(eq=False)
class TaskDefinition:
    """How tasks of one name are retried and timed out."""

    wire: dict[str, Any]
    """As the API returns it."""
    encoded: msgspec.Raw
    """The same as JSON, to be put into tasks."""

    name: str
    retry_count: int
    retry_logic: str
    retry_delay_seconds: int
    backoff_scale_factor: int
    max_retry_delay_seconds: int
    backoff_jitter_ms: int
    timeout_seconds: int
    timeout_policy: str
    response_timeout_seconds: int
    poll_timeout_seconds: int
    total_timeout_seconds: int
    input_template: dict[str, Any]

    @classmethod
    def of(cls, wire: dict[str, Any]) -> "TaskDefinition":
        """Make a definition of what :func:`read_task_definition` returned."""
        return cls(
            wire,
            msgspec.Raw(encode(wire)),
            wire.get("name") or "",
            wire["retryCount"],
            wire["retryLogic"],
            wire["retryDelaySeconds"],
            wire["backoffScaleFactor"],
            wire["maxRetryDelaySeconds"],
            wire["backoffJitterMs"],
            wire["timeoutSeconds"],
            wire["timeoutPolicy"],
            wire["responseTimeoutSeconds"],
            wire.get("pollTimeoutSeconds") or 0,
            wire["totalTimeoutSeconds"],
            wire["inputTemplate"],
        )


def _present(**values: Any) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}


def read_schema(source: object) -> dict[str, Any]:
    """Return a schema with the server's defaults; nothing is validated.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    take = Reader(source, SCHEMA_DEF)
    return _present(
        **take.audit(),
        name=take.text("name"),
        version=take.whole("version", 1),
        type=fields.SCHEMA_TYPE.take(take.value("type")),
        data=fields.mapping(take.value("data")),
        externalRef=take.text("externalRef"),
    )


def read_task_definition(source: object) -> dict[str, Any]:
    """Return a task definition with the server's defaults, in the server's order; nothing is validated.

    A bare text is taken for the name of one.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    take = Reader({"name": source} if isinstance(source, str) else source, TASK_DEF)
    frequency, scale = take.boxed("rateLimitFrequencyInSeconds"), take.boxed("backoffScaleFactor")
    return _present(
        **take.audit(),
        name=take.text("name"),
        description=take.text("description"),
        retryCount=take.whole("retryCount", 3),
        timeoutSeconds=take.whole("timeoutSeconds", kind="long"),
        inputKeys=take.texts("inputKeys"),
        outputKeys=take.texts("outputKeys"),
        runtimeMetadata=take.texts("runtimeMetadata"),
        timeoutPolicy=take.choice("timeoutPolicy", fields.TASK_TIMEOUT_POLICY, "TIME_OUT_WF"),
        retryLogic=take.choice("retryLogic", fields.RETRY_LOGIC, "FIXED"),
        retryDelaySeconds=take.whole("retryDelaySeconds", 60),
        responseTimeoutSeconds=take.whole("responseTimeoutSeconds", 3600, "long"),
        concurrentExecLimit=take.boxed("concurrentExecLimit"),
        inputTemplate=take.mapping("inputTemplate"),
        rateLimitPerFrequency=take.boxed("rateLimitPerFrequency") or 0,
        rateLimitFrequencyInSeconds=1 if frequency is None else frequency,
        isolationGroupId=take.text("isolationGroupId"),
        executionNameSpace=take.text("executionNameSpace"),
        ownerEmail=take.text("ownerEmail"),
        pollTimeoutSeconds=take.boxed("pollTimeoutSeconds"),
        backoffScaleFactor=1 if scale is None else scale,
        maxRetryDelaySeconds=take.whole("maxRetryDelaySeconds"),
        backoffJitterMs=take.whole("backoffJitterMs"),
        baseType=take.text("baseType"),
        totalTimeoutSeconds=take.whole("totalTimeoutSeconds", kind="long"),
        taskStatusListenerEnabled=take.flag("taskStatusListenerEnabled", default=True),
        inputSchema=take.inner("inputSchema", read_schema),
        outputSchema=take.inner("outputSchema", read_schema),
        enforceSchema=take.flag("enforceSchema"),
    )


def stamped(wire: dict[str, Any], created: int, updated: int | None = None) -> dict[str, Any]:
    """Return a task definition with the fields that the server sets, whatever the client said in them.

    Args:
        wire: A definition that was read.
        created: When it was registered first, epoch milliseconds.
        updated: When it was replaced, None if it was not.
    """
    owner = {key: value for key, value in wire.items() if key == "ownerApp"}
    times = {"createTime": created, "updateTime": updated or 0}
    people = {"createdBy": ""} if updated is None else {"createdBy": "", "updatedBy": ""}
    rest = {key: value for key, value in wire.items() if key not in AUDIT}
    return {**owner, **times, **people, **rest}


def read_workflow_definition(source: object) -> dict[str, Any]:
    """Return a workflow definition with the server's defaults, in the server's order; nothing is validated.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    take = Reader(source, WORKFLOW_DEF)
    return _present(
        **take.audit(),
        name=take.text("name"),
        description=take.text("description"),
        version=take.whole("version", 1),
        tasks=_steps(take),
        inputParameters=take.texts("inputParameters"),
        outputParameters=take.mapping("outputParameters"),
        failureWorkflow=take.text("failureWorkflow"),
        schemaVersion=take.whole("schemaVersion", 2),
        restartable=take.flag("restartable", default=True),
        workflowStatusListenerEnabled=take.flag("workflowStatusListenerEnabled"),
        ownerEmail=take.text("ownerEmail"),
        timeoutPolicy=take.choice("timeoutPolicy", fields.WORKFLOW_TIMEOUT_POLICY, "ALERT_ONLY"),
        timeoutSeconds=take.whole("timeoutSeconds", kind="long"),
        variables=take.mapping("variables"),
        inputTemplate=take.mapping("inputTemplate"),
        failureWorkflowVersion=take.boxed("failureWorkflowVersion"),
        workflowStatusListenerSink=take.text("workflowStatusListenerSink"),
        rateLimitConfig=take.inner("rateLimitConfig", read_rate_limit),
        inputSchema=take.inner("inputSchema", read_schema),
        outputSchema=take.inner("outputSchema", read_schema),
        enforceSchema=take.flag("enforceSchema", default=True),
        metadata=take.mapping("metadata"),
        cacheConfig=take.inner("cacheConfig", read_cache),
        maskedFields=take.texts("maskedFields"),
    )


def _steps(take: Reader) -> list[dict[str, Any]]:
    """Return the tasks of a workflow definition; the server's validation breaks down on null among them."""
    items = take.records("tasks", WORKFLOW_TASK)
    steps = [read_step(item) for item in items if item is not None]
    if take.is_null("tasks") or len(steps) < len(items):
        raise validation_broke_down()
    return steps


def _sub_workflow(source: object) -> dict[str, Any]:
    """Return which workflow a SUB_WORKFLOW runs; one given as a definition has its name and version."""
    take = Reader(source, SUB_WORKFLOW_PARAMS)
    inline = take.value("workflowDefinition")
    if isinstance(inline, dict):
        inline = read_workflow_definition(inline)
    elif inline is not None and not _is_expression(inline):
        raise parse_error(
            "workflowDefinition is a string, but not a valid DSL string"
            if isinstance(inline, str)
            else "workflowDefinition must be either null, or WorkflowDef, or a valid DSL string"
        )
    whole = inline if isinstance(inline, dict) else {}
    return _present(
        name=whole.get("name", take.text("name")),
        version=whole.get("version", take.boxed("version")),
        taskToDomain=take.text_mapping("taskToDomain") or None,
        workflowDefinition=inline,
        idempotencyKey=take.text("idempotencyKey"),
        idempotencyStrategy=fields.IDEMPOTENCY.take(take.value("idempotencyStrategy")),
        priority=take.value("priority"),
    )


def _is_expression(value: object) -> bool:
    return isinstance(value, str) and value.startswith("${") and value.endswith("}")


def _branch(value: object) -> list[dict[str, Any]]:
    return [] if value is None else [read_step(step) for step in fields.records(value, WORKFLOW_TASK)]


def read_step(source: object) -> dict[str, Any]:
    """Return one task of a workflow definition with the server's defaults, nested tasks included.

    Raises:
        RequestRefused: 500, a field has the wrong type.
    """
    take = Reader(source, WORKFLOW_TASK)
    if take.is_null("type"):
        raise validation_broke_down()
    return _present(
        name=take.text("name"),
        taskReferenceName=take.text("taskReferenceName"),
        description=take.text("description"),
        inputParameters=take.mapping("inputParameters"),
        type=take.text("type", "SIMPLE"),
        **{key: take.text(key) for key in _OPTIONAL_STEP_TEXTS},
        decisionCases={key: _branch(value) for key, value in take.mapping("decisionCases", _BRANCH).items()},
        defaultCase=_branch(take.value("defaultCase")),
        forkTasks=[_branch(branch) for branch in take.records("forkTasks", _BRANCH)],
        startDelay=take.whole("startDelay"),
        subWorkflowParam=take.inner("subWorkflowParam", _sub_workflow),
        joinOn=take.texts("joinOn"),
        sink=take.text("sink"),
        optional=take.flag("optional"),
        taskDefinition=take.inner("taskDefinition", read_task_definition),
        rateLimited=take.boxed_flag("rateLimited"),
        defaultExclusiveJoinTask=take.texts("defaultExclusiveJoinTask"),
        asyncComplete=take.boxed_flag("asyncComplete") or False,
        loopCondition=take.text("loopCondition"),
        loopOver=_branch(take.value("loopOver")),
        retryCount=take.boxed("retryCount"),
        evaluatorType=take.text("evaluatorType"),
        expression=take.text("expression"),
        onStateChange=read_state_changes(take),
        joinStatus=take.text("joinStatus"),
        cacheConfig=take.inner("cacheConfig", read_cache),
        permissive=take.flag("permissive"),
        metadata=take.mapping("metadata"),
    )
