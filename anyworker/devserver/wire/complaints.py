"""The server's words for requests that make no sense to it: mostly 500, whoever is to blame."""

from collections.abc import Iterator, Sequence

from anyworker.devserver.wire.errors import RequestRefused, Violation, failure

_STATUS = "com.netflix.conductor.common.metadata.tasks.TaskResult$Status"


def wrong_method(method: str) -> RequestRefused:
    """Refuse a method that a path does not have."""
    return RequestRefused(405, f"Request method '{method}' is not supported")


def missing_body(signature: str) -> RequestRefused:
    """Refuse a request without a body, naming the server's method that needs one."""
    return failure(f"Required request body is missing: {signature}")


def wrong_content_type(content_type: str) -> RequestRefused:
    """Refuse a body that does not claim to be JSON."""
    return failure(f"Content-Type '{content_type}' is not supported")


def bad_mime_type(content_type: str) -> RequestRefused:
    """Refuse a body of a type that is none."""
    return failure(f"Invalid mime type \"{content_type}\": does not contain '/'")


def missing_parameter(name: str) -> RequestRefused:
    """Refuse a query without a parameter it needs."""
    return failure(f"Required request parameter '{name}' for method parameter type String is not present")


def missing_queue_names() -> RequestRefused:
    """Refuse to tell the sizes of no queues."""
    return failure('Cannot invoke "java.util.List.iterator()" because "taskDefNames" is null')


def bad_number(name: str, kind: str, value: str) -> RequestRefused:
    """Refuse a parameter that is no number of its Java type."""
    return failure(
        f"Method parameter '{name}': Failed to convert value of type 'java.lang.String' to required type "
        f"'{kind}'; For input string: \"{value}\""
    )


def bad_flag(name: str, value: str) -> RequestRefused:
    """Refuse a parameter that is neither true nor false."""
    return failure(
        f"Method parameter '{name}': Failed to convert value of type 'java.lang.String' to required type "
        f"'boolean'; Invalid boolean value [{value}]"
    )


def bad_status_in_path(value: str) -> RequestRefused:
    """Refuse an update whose path names a status that workers cannot give."""
    return _not_converted("status", "PathVariable", _STATUS, value)


def bad_name(name: str, kind: str, values: Sequence[str]) -> RequestRefused:
    """Refuse a query parameter that is no name of its Java enum; only its first value counts."""
    return _not_converted(name, "RequestParam", kind, values[0], "[]" if len(values) > 1 else "")


def _not_converted(name: str, place: str, kind: str, value: str, suffix: str = "") -> RequestRefused:
    return failure(
        f"Method parameter '{name}': Failed to convert value of type 'java.lang.String{suffix}' to required "
        f"type '{kind}'; Failed to convert from type [java.lang.String] to type "
        f"[@org.springframework.web.bind.annotation.{place} {kind}] for value [{value}]"
    )


def null_key() -> RequestRefused:
    """Fail to tell what became of a workflow whose id is null."""
    return failure(
        "Could not write JSON: Null key for a Map not allowed in JSON (use a converting NullKeySerializer?)"
    )


def nothing_blocks(*, timed_out: bool) -> RequestRefused:
    """Fail to show the task that a workflow waits for, because it waits for none."""
    return failure(
        "value"
        if timed_out
        else "The mapper [com.netflix.conductor.rest.controllers.WorkflowSignalResponder$$Lambda] "
        "returned a null value."
    )


def validation_broke_down() -> RequestRefused:
    """Fail as the server's validation does on a null where it expects none."""
    return failure("HV000028: Unexpected exception during isValid call.")


def missing_status() -> RequestRefused:
    """Refuse an update that needs a status and has none."""
    return failure(
        f'Cannot invoke "{_STATUS}.name()" because the return value of '
        '"com.netflix.conductor.common.metadata.tasks.TaskResult.getStatus()" is null'
    )


def log_without_text() -> RequestRefused:
    """Fail in the midst of an update, at a log line that has no text."""
    return failure(
        "[SQLITE_CONSTRAINT_NOTNULL] A NOT NULL constraint failed "
        "(NOT NULL constraint failed: task_execution_logs.log)"
    )


def null_log_line() -> RequestRefused:
    """Fail in the midst of an update, at a log line that is null."""
    return failure(
        'Cannot invoke "com.netflix.conductor.common.metadata.tasks.TaskExecLog.setTaskId(String)" '
        'because "taskExecLog" is null'
    )


def not_multipart() -> RequestRefused:
    """Fail for a body that claims to have parts and has none."""
    return failure("Failed to parse multipart servlet request")


def null_task_definition() -> RequestRefused:
    """Refuse a list of task definitions with null in it."""
    return failure(
        'Cannot invoke "com.netflix.conductor.common.metadata.tasks.TaskDef.setCreatedBy(String)" '
        'because "taskDefinition" is null'
    )


def missing_ids(workflow_id: str | None, task_id: str | None) -> Iterator[Violation]:
    """Yield what an update lacks."""
    for key, value, message in _ids(workflow_id, task_id):
        yield Violation(f"updateTask.arg0.{key}", message, value)


def missing_ids_v2(method: str, workflow_id: str | None, task_id: str | None) -> RequestRefused:
    """Refuse an update-v2 without its ids: the same mistake, told in another way and with another status."""
    found = list(_ids(workflow_id, task_id))
    count = f" with {len(found)} errors" if len(found) > 1 else ""
    told = "".join(_field_error(key, value, message) for key, value, message in found)
    return failure(f"Validation failed for argument [0] in {method}{count}: {told}")


def _ids(workflow_id: str | None, task_id: str | None) -> Iterator[tuple[str, str | None, str]]:
    if not workflow_id:
        yield "workflowInstanceId", workflow_id, "Workflow Id cannot be null or empty"
    if not task_id:
        yield "taskId", task_id, "Task ID cannot be null or empty"


def _field_error(key: str, value: str | None, message: str) -> str:
    shown = "null" if value is None else value
    return (
        f"[Field error in object 'taskResult' on field '{key}': rejected value [{shown}]; codes "
        f"[NotEmpty.taskResult.{key},NotEmpty.{key},NotEmpty.java.lang.String,NotEmpty]; arguments "
        "[org.springframework.context.support.DefaultMessageSourceResolvable: codes "
        f"[taskResult.{key},{key}]; arguments []; default message [{key}]]; default message [{message}]] "
    )
