"""From what user code raised to the outcome of its call."""

import logging
import math
import traceback

import anyio

from anyworker.errors import StrayCancellation
from anyworker.policy.outcome import Failed, Outcome, Terminal, failure
from anyworker.runner.calling.tracebacks import traceback_of

logger = logging.getLogger(__name__)


def outcome_of_raised(error: BaseException, task_id: str) -> Failed | Terminal | None:
    """Return what a call came to that raised; None if it was cancelled and raised something else.

    Then a checkpoint takes it from here: the scopes that asked for it are still cancelled.

    Raises:
        BaseException: The cancellation, where a scope of ours asked for it.
    """
    is_cancellation = isinstance(error, anyio.get_cancelled_exc_class())
    if anyio.current_effective_deadline() > -math.inf:
        return _stray(error) if is_cancellation else failure(error, traceback_of(error))
    if is_cancellation:
        raise error
    # Without its message, which may tell what the task is about.
    place = "".join(traceback.format_tb(error.__traceback__))
    text = "Raised %s while cancelled, task %s:\n%s"
    logger.debug(text, type(error).__name__, task_id, place, extra={"task_id": task_id})
    return None


def _stray(error: BaseException) -> Failed:
    stray = StrayCancellation()
    return Failed(str(stray), stray, traceback_of(error))


def is_stray(outcome: Outcome) -> bool:
    """Return whether the child that ran the function may not be trusted with another.

    On asyncio it may bear the mark of a cancellation that no scope will ever take off.
    """
    return isinstance(outcome, Failed) and isinstance(outcome.cause, StrayCancellation)
