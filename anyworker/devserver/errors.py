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


def no_such_workflow(workflow_id: str) -> RequestRefused:
    """Refuse because there is no workflow of this id."""
    return not_found(f"No such workflow found by id: {workflow_id}")


def no_such_task(task_id: str) -> RequestRefused:
    """Refuse an update because there is no task of this id."""
    return not_found(f"No such task found by id: {task_id}")
