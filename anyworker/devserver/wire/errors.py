"""What the server answers when it refuses: statuses and bodies as Conductor OSS 3.32 sends them."""

from collections.abc import Sequence

import msgspec

from anyworker.errors import AnyworkerError

VALIDATION_MESSAGE = "Validation failed, check below errors for detail."
INSTANCE = "devserver"
"""Where the real server names its host."""

UNUSABLE_REQUEST_PAGE = (
    '<!doctype html><html lang="en"><head><title>HTTP Status 400 – Bad Request</title>'  # noqa: RUF001
    '<style type="text/css">body {font-family:Tahoma,Arial,sans-serif;} h1, h2, h3, b '
    "{color:white;background-color:#525D76;} h1 {font-size:22px;} h2 {font-size:16px;} h3 {font-size:14px;} "
    "p {font-size:12px;} a {color:black;} .line {height:1px;background-color:#525D76;border:none;}</style>"
    "</head><body><h1>HTTP Status 400 – Bad Request</h1></body></html>"  # noqa: RUF001
).encode()
"""The container's own answer to a request line that no application sees."""


class Violation(msgspec.Struct, omit_defaults=True, frozen=True, rename="camel"):
    """One broken rule of a validated request."""

    path: str
    message: str
    invalid_value: str | None = None


class RequestRefused(AnyworkerError):
    """The request has no effect, or ends with an error after its effect.

    Args:
        status: HTTP status of the answer.
        message: The body's message.
        violations: For a failed validation: every broken rule.
    """

    def __init__(self, status: int, message: str, violations: Sequence[Violation] = ()) -> None:
        self.status = status
        self.message = message
        self.violations = tuple(violations)
        super().__init__(message)

    def body(self) -> bytes:
        """Return the JSON body of the answer."""
        if self.violations:
            return msgspec.json.encode(
                {
                    "status": self.status,
                    "message": self.message,
                    "retryable": False,
                    "validationErrors": self.violations,
                }
            )
        return msgspec.json.encode(
            {"status": self.status, "message": self.message, "instance": INSTANCE, "retryable": False}
        )


def invalid(violations: Sequence[Violation]) -> RequestRefused:
    """Refuse a request that breaks validation rules."""
    return RequestRefused(400, VALIDATION_MESSAGE, violations)


def bad_request(message: str) -> RequestRefused:
    """Refuse a request that can never work."""
    return RequestRefused(400, message)


def not_found(message: str) -> RequestRefused:
    """Refuse because something named in the request does not exist."""
    return RequestRefused(404, message)


def conflict(message: str) -> RequestRefused:
    """Refuse because of the state something is in."""
    return RequestRefused(409, message)


def failure(message: str) -> RequestRefused:
    """Refuse as the server does what it did not foresee: with 500, whoever is to blame."""
    return RequestRefused(500, message)


# Unknown things


def no_such_workflow(workflow_id: str) -> RequestRefused:
    """Refuse because there is no workflow of this id."""
    return not_found(f"No such workflow found by id: {workflow_id}")


def no_such_task(task_id: str) -> RequestRefused:
    """Refuse an update because there is no task of this id."""
    return not_found(f"No such task found by id: {task_id}")


def task_not_found(task_id: str) -> RequestRefused:
    """Refuse to show a task because there is none of this id."""
    return not_found(f"Task not found for taskId: {task_id}")


def no_running_task(reference: str, workflow_id: str) -> RequestRefused:
    """Refuse an update by reference name because nothing is pending under it."""
    return not_found(f"Found no running task {reference} of workflow {workflow_id} to update")


def nothing_to_signal(workflow_id: str) -> RequestRefused:
    """Refuse a signal because the workflow waits for none."""
    return not_found(f"Found no blocked task in workflow {workflow_id} to signal")


def no_such_workflow_defined(name: str, version: int | None) -> RequestRefused:
    """Refuse to start a workflow that is not defined."""
    return not_found(f"No such workflow defined. name={name}, version={_shown(version)}")


def workflow_definition_not_found(name: str, version: int | None) -> RequestRefused:
    """Refuse to show a workflow definition, or to start it by its path: there is none."""
    return not_found(f"No such workflow found by name: {name}, version: {_shown(version)}")


def no_sub_workflow(name: object) -> RequestRefused:
    """Refuse to start a workflow that names a sub-workflow of no version, and there is none."""
    return failure(f"The Task {_shown(name)} defined as a sub-workflow has no workflow definition available ")


def no_workflow_definition_to_remove(name: str, version: int) -> RequestRefused:
    """Refuse to forget a workflow definition: there is none."""
    return failure(f"No such workflow definition: {name} version: {version}")


def no_task_definition_to_replace(name: str) -> RequestRefused:
    """Refuse to replace a task definition: there is none."""
    return not_found(f"No such task by name {name}")


def task_definition_not_found(name: str) -> RequestRefused:
    """Refuse to show a task definition: there is none."""
    return not_found(f"No such taskType found by name: {name}")


def payload_not_found(path: str) -> RequestRefused:
    """Fail for want of a payload that should be stored under a path."""
    return failure(f"Unable to download payload from external storage path: {path}")


def unknown_path(path: str) -> RequestRefused:
    """Refuse a path, percent-encoded as it was sent, that the server does not have."""
    shown = "/".join(part.partition(";")[0] for part in path.split("/") if part)
    return not_found(f"No static resource {shown}.")


def not_a_duration(text: str) -> RequestRefused:
    """Refuse what leads to a WAIT of a duration that cannot be read."""
    return bad_request(f"Not valid duration: {text}")


def no_latest_definition(workflow_id: str) -> RequestRefused:
    """Refuse to restart a workflow with a definition that is not there any more."""
    return not_found(f"Unable to find latest definition for {workflow_id}")


def not_a_number(text: str) -> RequestRefused:
    """Refuse what leads to a number that is too large for the server."""
    return failure(f'For input string: "{text}"')


# Wrong states


def workflow_exists(name: str, version: int) -> RequestRefused:
    """Refuse to register a workflow definition a second time."""
    return conflict(f"Workflow with {name}.{version} already exists!")


def workflow_has_ended(workflow: str) -> RequestRefused:
    """Refuse to pause a workflow, given in short form, that has ended."""
    return conflict(f"Workflow {workflow} has ended, status cannot be updated.")


def workflow_not_archivable(workflow_id: str, status: str) -> RequestRefused:
    """Refuse to archive a workflow that has not ended."""
    return bad_request(f"Cannot archive workflow: {workflow_id} with status: {status}")


def workflow_in_terminal_state(status: str) -> RequestRefused:
    """Refuse to reset the call-backs of a workflow that has ended."""
    return conflict(f"Workflow is in terminal state. Status = {status}")


def workflow_not_paused(workflow_id: str, status: str) -> RequestRefused:
    """Refuse to resume a workflow that is not paused."""
    return failure(f"The workflow {workflow_id} is not PAUSED so cannot resume. Current status is {status}")


def workflow_still_running(status: str) -> RequestRefused:
    """Refuse to retry a workflow that has not ended."""
    return not_found(f"Workflow is still running.  status={status}")


def nothing_to_retry() -> RequestRefused:
    """Refuse to retry a workflow all of whose tasks succeeded."""
    return conflict(
        "There are no retryable tasks! Use restart if you want to attempt entire workflow execution again."
    )


def workflow_not_terminal(workflow: str, status: str, operation: str) -> RequestRefused:
    """Refuse to restart or rerun a workflow, given in short form, that has not ended."""
    return conflict(f"Workflow: {workflow}.{status} is not in terminal state, unable to {operation}.")


def no_task_to_rerun(task_id: str | None) -> RequestRefused:
    """Refuse to rerun a workflow from a task that neither it nor a sub-workflow has."""
    return bad_request(f"Task {_shown(task_id)} not found")


def nothing_to_skip_in(workflow_id: str, reference: str) -> RequestRefused:
    """Refuse to skip a task of a workflow that is not running."""
    return failure(
        f"The workflow {workflow_id} is not running so the task referenced by {reference} cannot be skipped"
    )


def nothing_to_skip(reference: str, workflow: str) -> RequestRefused:
    """Refuse to skip a task that the definition does not have."""
    return failure(f"The task referenced by {reference} does not exist in the WorkflowDefinition {workflow}")


def too_late_to_skip(reference: str) -> RequestRefused:
    """Refuse to skip a task that the workflow has already."""
    return failure(f"The task referenced {reference} has already been processed, cannot be skipped")


def workflow_not_restartable(workflow: str, status: str) -> RequestRefused:
    """Refuse to restart a workflow whose definition forbids it."""
    return not_found(f"Workflow: {workflow}.{status} is non-restartable")


def not_executed_here(kind: str, name: str, reference: str) -> RequestRefused:
    """Refuse to start a workflow with a task of a type that this server does not execute."""
    return bad_request(
        f"The dev server does not execute tasks of type {kind}: task {name}, reference {reference}. "
        "Use a real Conductor server for this workflow."
    )


def _shown(value: object) -> str:
    return "null" if value is None else str(value)
