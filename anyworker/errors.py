"""Every exception that anyworker raises or understands.

::

    AnyworkerError
    ├── ConfigurationError          the start is refused; the message names key, value, reason, source
    │   ├── DeclarationError        a worker is declared wrongly (also a ValueError)
    │   │   └── DuplicateWorkerError
    │   ├── WorkerImportError       a module with workers cannot be imported
    │   └── LifespanError           the resources that the workers need cannot be opened
    ├── ReportedFailure             a function returned a TaskResult that says it failed
    ├── StrayCancellation           a function was cancelled although nobody asked for it
    ├── ExecutionTimeout            a function took longer than its worker's timeout
    ├── CallCancelled               check_cancelled() in a call that is cancelled
    ├── ShutDown                    a function was cancelled by a shutdown and may not run again
    ├── DeliveryCancelled           a result was on its way when its worker was torn down
    ├── OutboxError                 the file of an outbox cannot be used; its worker goes on without
    ├── ResultNotTaken              a result in the outbox that the server will never take, or has not taken
    ├── RegistrationRefused         a task definition contradicts itself; it is not sent
    ├── ProcessDied                 a process of workers ended with a task in hand
    ├── NoTaskContextError          get_task_context() outside a task
    ├── ConversionError             values: a task's input does not fit the function
    ├── SerializationError          values: an output has no place in JSON
    └── ConductorError              a request failed: method, path, status, whether trying again can help
        ├── TransportError          no usable answer arrived
        ├── UnexpectedAnswerError   an answer that no Conductor gives: not JSON, a redirect, a login page
        └── ResponseError           the server said no
            ├── BadRequestError         400
            ├── AuthorizationError      401, 403
            ├── NotFoundError           404
            ├── MethodNotAllowedError   405
            ├── ConflictError           409
            ├── TooManyRequestsError    429
            └── ServerError             5xx
    NonRetryableException           raised by a function: the task fails and is not tried again
"""

from collections.abc import Sequence


def message_of(error: BaseException) -> str:
    """Return the text of an exception of whatever class."""
    try:
        return str(error)
    except Exception:  # noqa: BLE001 - the user's __str__ runs here, and a failed task needs a reason
        return "(its message cannot be shown: __str__ raised)"


class AnyworkerError(Exception):
    """Root of everything that anyworker raises on its own account."""


class ConfigurationError(AnyworkerError):
    """Refuse to start.

    Args:
        problems: One sentence each, all of them: key, value, what is accepted, where it came from.
    """

    def __init__(self, problems: str | Sequence[str]) -> None:
        self.problems = (problems,) if isinstance(problems, str) else tuple(problems)
        super().__init__("\n".join(self.problems))


class DeclarationError(ConfigurationError, ValueError):
    """A worker declaration has a parameter that cannot work."""


class DuplicateWorkerError(DeclarationError):
    """Two workers claim the same task type and domain."""

    def __init__(self, task_type: str, domain: str | None, first: str, second: str) -> None:
        self.task_type = task_type
        self.domain = domain
        self.first = first
        self.second = second
        place = f" in domain {domain!r}" if domain else ""
        super().__init__(
            f"two workers for task type {task_type!r}{place}: {first} and {second}; "
            "remove one, or give it a domain of its own"
        )


class WorkerImportError(ConfigurationError):
    """A module or file named as a source of workers cannot be imported."""


class LifespanError(ConfigurationError):
    """The lifespan failed to open; its exception, if there was one, is the cause."""


class ReportedFailure(AnyworkerError):
    """A function reported its failure by the TaskResult it returned; stands as the cause in events."""


class StrayCancellation(AnyworkerError):
    """A function was cancelled although nobody here asked for it."""

    def __init__(self) -> None:
        super().__init__("cancelled from within: a cancellation that no cancel scope asked for")


class ExecutionTimeout(AnyworkerError):
    """A function took longer than its worker's ``timeout``."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"took longer than timeout={seconds:g} seconds")


class CallCancelled(AnyworkerError):
    """The call that runs here is cancelled; let it out of the function.

    Args:
        reason: Why, from `anyworker.policy.cancellation`.
    """

    def __init__(self, reason: object) -> None:
        self.reason = reason
        super().__init__(f"cancelled: {reason}")


class ShutDown(AnyworkerError):
    """A function was cancelled because its worker shut down, and its task may not be given back."""

    def __init__(self, why_not: str) -> None:
        text = "the worker shut down before the function ended, and its task may not be given back: "
        super().__init__(text + why_not)


class DeliveryCancelled(AnyworkerError):
    """A result was still on its way when its worker was torn down."""

    def __init__(self) -> None:
        super().__init__("the worker was cancelled before the server had taken the result")


class ResultNotTaken(AnyworkerError):
    """The server will never take a result, or has not taken it before the process ended."""


class OutboxError(AnyworkerError):
    """The file of an outbox cannot be used.

    Args:
        path: The file.
        reason: What is wrong with it.
    """

    def __init__(self, path: object, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"the outbox {path} cannot be used: {reason}")


class RegistrationRefused(AnyworkerError):
    """A task definition contradicts itself, or what the server has; it is not sent."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"task definition {name!r}: {reason}")


class ProcessDied(AnyworkerError):
    """A process of workers ended with a task in hand; stands as the cause of its failure."""


class NoTaskContextError(AnyworkerError, RuntimeError):
    """The task context was asked for where no task runs."""

    def __init__(self) -> None:
        super().__init__(
            "get_task_context() works only while a worker's function runs, "
            "in the function itself or in what it calls"
        )


class ConversionError(AnyworkerError, ValueError):
    """A task's input does not fit the function's parameters.

    Args:
        problems: One sentence each, in order of the parameters: ``$.path: expected T, got U``.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(self.problems))


class SerializationError(AnyworkerError, ValueError):
    """A value that a function gave to the server cannot be represented in JSON as Conductor takes it.

    Args:
        path: Where the value stands, from the output: ``$.items[2].price``.
        reason: What is wrong with it.
    """

    def __init__(self, path: str, reason: str) -> None:
        self.path = path
        self.reason = reason
        super().__init__(f"{path}: {reason}")


class NonRetryableException(Exception):
    """Raised by a worker's function: the task fails for good, the server does not retry it."""


class ConductorError(AnyworkerError):
    """A request to the server failed.

    Attributes:
        method: HTTP method.
        path: Path and query as sent, below the API's base.
        status: HTTP status of the answer, None if there was none.
        is_retryable: Whether the same request may succeed later.
    """

    def __init__(
        self, reason: str, *, method: str, path: str, status: int | None = None, is_retryable: bool
    ) -> None:
        self.reason = reason
        self.method = method
        self.path = path
        self.status = status
        self.is_retryable = is_retryable
        answer = f" -> {status}" if status is not None else ""
        advice = "trying again can help" if is_retryable else "trying again cannot help"
        super().__init__(f"{method} {path}{answer}: {reason} ({advice})")


class TransportError(ConductorError):
    """No usable answer arrived.

    Attributes:
        may_have_arrived: Whether the server may have received and executed the request all the same.
    """

    def __init__(self, reason: str, *, method: str, path: str, may_have_arrived: bool) -> None:
        self.may_have_arrived = may_have_arrived
        super().__init__(reason, method=method, path=path, is_retryable=True)


class UnexpectedAnswerError(ConductorError):
    """The answer is none that a Conductor server gives: wrong base URL, a login page, a proxy's error."""


class ResponseError(ConductorError):
    """The server answered with an error status.

    Attributes:
        message: The server's message, or the beginning of a body that is no Conductor error.
        retry_after: Seconds the server asks to wait (``Retry-After``), None if it does not say.
    """

    def __init__(
        self,
        message: str,
        *,
        method: str,
        path: str,
        status: int,
        is_retryable: bool,
        retry_after: float | None = None,
    ) -> None:
        self.message = message
        self.retry_after = retry_after
        super().__init__(message, method=method, path=path, status=status, is_retryable=is_retryable)


class BadRequestError(ResponseError):
    """400: the request is wrong and will stay wrong."""


class AuthorizationError(ResponseError):
    """401 or 403: the token is missing, expired or not enough."""


class NotFoundError(ResponseError):
    """404: no such task, workflow or definition."""


class MethodNotAllowedError(ResponseError):
    """405: the server does not know this method on this path."""


class ConflictError(ResponseError):
    """409: the object's state forbids it."""


class TooManyRequestsError(ResponseError):
    """429: slow down."""


class ServerError(ResponseError):
    """5xx. Conductor also answers 500 to some bad requests, so it says nothing certain of transience."""
