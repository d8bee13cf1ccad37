"""Call a plain function in a thread, which nobody can stop."""

import threading
from collections.abc import Callable
from typing import Any

import anyio
import attrs

from anyworker.policy.cancellation import Draining
from anyworker.runner.calling.leaks import Leaks
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
    *,
    run_sync: RunSync,
    threads: set[int],
    leaks: Leaks,
) -> Returned:
    """Call the function of a task in a thread.

    Where the worker ends, the thread has a moment to end as well: what it came to in time counts.

    Args:
        execution: The task.
        function: Its function, with arguments and context.
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
            raise
    return returned
