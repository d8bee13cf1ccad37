"""A batch whose items are done once each, although its task is handed back and tried again on the way.

    anyworker dev examples/checkpoints.py --start send_batch --input '{"items": ["a", "b", "c"]}' --once

The checkpoint stands in the task's output: what a call sets there is kept by the server when the task is
handed back, by a deploy or a dead process, and the next call begins where it points to.
"""

import anyio
import anyio.lowlevel

from anyworker import TaskInProgress, get_task_context, worker_task

SENT: list[str] = []
ITEMS_PER_CALL = 2


@worker_task("send_batch", thread_count=5, restartable=True)
async def send_batch(items: list[str]) -> dict[str, object] | TaskInProgress:
    """Send items, two in a call."""
    context = get_task_context()
    sent = context.task.output_data.get("sent", 0)
    for item in items[sent : sent + ITEMS_PER_CALL]:
        SENT.append(item)
        sent += 1
        context.set_output({"sent": sent})
        await anyio.lowlevel.checkpoint()  # a shutdown may end the call here, with this checkpoint
    if sent < len(items):
        return TaskInProgress(callback_after_seconds=1, output={"sent": sent})
    return {"sent": sent, "items": SENT}
