"""From what user code raised to the outcome of its call."""

import logging
import math

import anyio

from anyworker.errors import StrayCancellation
from anyworker.policy.outcome import Failed, Terminal, failure
from anyworker.runner.tracebacks import traceback_of

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
    logger.debug("Raised while cancelled, task %s", task_id, exc_info=error)
    return None


def _stray(error: BaseException) -> Failed:
    stray = StrayCancellation()
    return Failed(str(stray), stray, traceback_of(error))
