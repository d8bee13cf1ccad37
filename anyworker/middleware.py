"""What middleware is written with: ``async def m(call_next, task)``, given as ``middleware=[m]``.

::

    async def with_host(call_next: CallNext, task: Task) -> Outcome:
        task.input_data.setdefault("currency", "EUR")
        match await call_next(task):
            case Completed(output):
                return Completed({**output, "host": HOST})
            case Failed(cause=ConnectionError()):
                return InProgress({}, callback_after_seconds=30)
            case outcome:
                return outcome

The first one in the list is the outermost. ``get_task_context()`` works in it, and what it sets in context
variables the function sees, in its thread, too. The slot stays taken as long as it runs.
"""

from anyworker.policy.outcome import Completed, Failed, InProgress, Outcome, Returned, Terminal
from anyworker.runner.calling.wrapping import CallNext, Middleware

__all__ = [
    "CallNext",
    "Completed",
    "Failed",
    "InProgress",
    "Middleware",
    "Outcome",
    "Returned",
    "Terminal",
]
