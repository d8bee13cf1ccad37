"""A task that is done in steps: each call returns how far it is, and asks to be called again.

    anyworker dev examples/long_running.py --start import_rows --input '{"rows": 250}' --once

Between two calls nobody holds the task, so neither a slot nor a lease: it may go on in another process.
"""

from anyworker import TaskInProgress, get_task_context, worker_task

ROWS_PER_CALL = 100


@worker_task("import_rows", thread_count=10)
def import_rows(rows: int) -> dict[str, int] | TaskInProgress:
    """Import rows, at most a hundred in a call."""
    done = min(get_task_context().get_poll_count() * ROWS_PER_CALL, rows)
    if done < rows:
        return TaskInProgress(callback_after_seconds=1, output={"imported": done})
    return {"imported": rows}
