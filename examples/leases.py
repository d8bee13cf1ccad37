"""Tasks that run for long in one call: their leases are extended, and a cancelled one stops.

    anyworker dev examples/leases.py --start transcode --input '{"frames": 20}' --once

Terminate the workflow meanwhile, and the function of either kind is told within seconds.
"""

import time

import anyio

from anyworker import TaskDef, check_cancelled, get_task_context, worker_task

FRAME_SECONDS = 0.05
SHORT_LEASE = TaskDef(name="short lease", response_timeout_seconds=30)
"""How long a task waits whose worker died; a worker that lives extends it."""


@worker_task("transcode", lease_extend_enabled=True, register_task_def=True, task_def=SHORT_LEASE)
async def transcode(frames: int) -> dict[str, int]:
    """Work frame by frame; a cancellation comes as anyio's own, at an await."""
    for frame in range(frames):
        get_task_context().set_output({"frames": frame})
        await anyio.sleep(FRAME_SECONDS)
    return {"frames": frames}


@worker_task("transcode_in_thread", lease_extend_enabled=True, register_task_def=True, task_def=SHORT_LEASE)
def transcode_in_thread(frames: int) -> dict[str, int]:
    """Do the same in a thread, which has to ask whether anybody still waits for it."""
    for _ in range(frames):
        check_cancelled()
        time.sleep(FRAME_SECONDS)  # noqa: TID251 - it stands for work that keeps a thread
    return {"frames": frames}
