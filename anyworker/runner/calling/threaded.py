"""Call a plain function in a thread, which nobody can stop."""

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import anyio
import attrs

from anyworker.context import TaskContext
from anyworker.errors import CallCancelled
from anyworker.policy.cancellation import Draining
from anyworker.policy.outcome import Sent, failure
from anyworker.runner.calling.leaks import Leaks
from anyworker.runner.calling.returning import outcome_of
from anyworker.runner.calling.tracebacks import traceback_of
from anyworker.runner.in_hand import Execution
from anyworker.runner.threads import RunSync


@attrs.define(eq=False)
class Returned:
    """What a function came back with. Its exception is carried by hand: no future takes a StopIteration."""

    value: Any = None
    error: BaseException | None = None


async def called_in_thread(
    execution: Execution,
    function: Callable[[], object],
    context: TaskContext,
    *,
    run_sync: RunSync,
    threads: set[int],
    leaks: Leaks,
) -> Returned:
    """Call the function of a task in a thread.

    Where the worker ends, the thread has a moment to end as well: what it came to in time counts.

    Args:
        execution: The task.
        function: Its function, with its arguments.
        context: What the function may ask and say.
        run_sync: Runs it.
        threads: Where the thread is counted while it is in the function.
        leaks: Hears when it ends although nobody waits for it.
    """
    returned = Returned()
    execution.entry = [None]

    def call() -> None:
        execution.thread_id = thread_id = threading.get_ident()
        threads.add(thread_id)
        try:
            if execution.enter():
                returned.value = function()
        except BaseException as error:  # noqa: BLE001 - the boundary to user functions
            returned.error = error
        finally:
            execution.thread_id = None
            threads.discard(thread_id)
            # Whoever looks at the thread after this sees that it has ended.
            if execution.is_left or execution.thread_end is not None:
                leaks.ended(execution)

    try:
        await run_sync(call)
    except anyio.get_cancelled_exc_class():
        is_end = isinstance(execution.draft.cancel_reason, Draining)
        # Not swallowed: the next checkpoint raises it again.
        if not (is_end and await leaks.end_of(execution)):
            execution.late = partial(_late, returned, context, execution)
            raise
    return returned


def _late(returned: Returned, context: TaskContext, execution: Execution) -> Sent | None:
    """Return what a call came to that nobody waits for any more; None if it ended as it was told to."""
    error = returned.error
    if isinstance(error, CallCancelled) or not execution.has_begun:
        return None
    if error is None:
        try:
            outcome = outcome_of(returned.value, context, execution.draft.task)
        except Exception as flaw:  # noqa: BLE001 - the value's own methods may run here
            error = flaw
        else:
            return outcome if isinstance(outcome, Sent) else None
    return failure(error, traceback_of(error))
