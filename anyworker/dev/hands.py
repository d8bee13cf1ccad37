"""Which tasks are in whose hands: what a process leaves behind when it dies."""

from collections.abc import Container

from anyworker.devserver.records.changes import Change


class Hands:
    """The tasks that workers have and have not answered yet.

    It is told in the thread of the server and asked in another: every step is one operation on a dictionary.
    """

    def __init__(self) -> None:
        self._workers: dict[str, str] = {}

    def note(self, change: Change) -> None:
        """Take note of a change."""
        if change.task_id is None:
            return
        if change.status == "IN_PROGRESS" and change.worker_id is not None:
            self._workers[change.task_id] = change.worker_id
        else:
            self._workers.pop(change.task_id, None)

    def of(self, worker_ids: Container[str]) -> list[str]:
        """Return the ids of the tasks that these workers have."""
        return [task_id for task_id, worker_id in list(self._workers.items()) if worker_id in worker_ids]
