"""What a failed request says of the next one."""

from anyworker.errors import (
    AuthorizationError,
    ConductorError,
    ResponseError,
    TransportError,
    UnexpectedAnswerError,
)


def is_rejected(error: ConductorError) -> bool:
    """Return whether the server understood the request and will never take this result for its content."""
    is_client_error = error.status is not None and 400 <= error.status < 500
    return is_client_error and error.status != 404 and not can_help(error)


def can_help(error: ConductorError) -> bool:
    """Return whether sending again can succeed.

    That is so also after a refused token, or an answer from some other server.
    """
    return error.is_retryable or isinstance(error, AuthorizationError | UnexpectedAnswerError)


def may_have_worked(error: ConductorError) -> bool:
    """Return whether the server may have done what was asked."""
    if isinstance(error, TransportError):
        return error.may_have_arrived
    # The server answers 500 also for what fails after it has stored the update, and a proxy may put anything
    # in the place of a good answer.
    return error.status is None or not 400 <= error.status < 500


def asked_pause(error: ConductorError) -> float | None:
    """Return how many seconds the server asks to wait, None if it does not say."""
    return error.retry_after if isinstance(error, ResponseError) else None
