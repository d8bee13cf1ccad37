"""Where an outbox keeps its results, and the bounded memory that it has by default."""

from collections.abc import Callable, Collection, Iterable
from itertools import islice

import attrs
import msgspec

from anyworker.conductor.models import TaskResult
from anyworker.outbox_settings import MAX_BYTES, MAX_RESULTS
from anyworker.runner.parcel import Parcel


@attrs.define(eq=False)
class StoredResult:
    """A result in an outbox."""

    task_type: str
    task_id: str
    workflow_id: str
    worker_id: str
    status: str
    poll_count: int
    """The server's pollCount of the poll that brought the task."""
    body: bytes
    """The result as JSON, as it is sent."""
    stored_at: float
    """When, in epoch seconds."""
    attempts: int = 0
    error: str = ""
    """Why the last attempt failed."""
    key: int = 0
    """Its number in the storage: above 0 in a file, below in memory, 0 in none."""
    task_attempt: int | None = None
    """The retry count of its task, for the log; None for one from a file."""
    cause: Exception | None = None
    """The same as it was raised, in the process that made the attempt."""
    lose: Callable[["StoredResult", Exception], None] | None = None
    """Called, with the reason, where the result is neither delivered nor kept beyond the process."""

    @property
    def is_terminal(self) -> bool:
        """Whether it ends the task."""
        return self.status != "IN_PROGRESS"

    @property
    def result(self) -> TaskResult:
        """The result itself."""
        return msgspec.json.decode(self.body, type=TaskResult)


def stored_result(
    parcel: Parcel,
    *,
    task_type: str,
    worker_id: str,
    stored_at: float,
    attempts: int,
    cause: Exception | None,
    lose: Callable[[StoredResult, Exception], None],
) -> StoredResult:
    """Return a parcel as an outbox keeps it, after so many attempts; see `StoredResult`."""
    result = parcel.result
    return StoredResult(
        task_type=task_type,
        task_id=result.task_id,
        workflow_id=result.workflow_instance_id,
        # What a function says of it stands in the task once the server has the result.
        worker_id=(parcel.is_terminal and result.worker_id) or worker_id,
        status=str(result.status),
        poll_count=parcel.wire_poll_count,
        body=parcel.body,
        stored_at=stored_at,
        attempts=attempts,
        error="" if cause is None else str(cause),
        key=parcel.ahead_key,
        task_attempt=parcel.attempt,
        cause=cause,
        lose=lose,
    )


class MemoryStorage:
    """Keep results for as long as the process lives.

    Args:
        max_results: How many at most.
        max_bytes: How many bytes of JSON at most.
    """

    def __init__(self, max_results: int = MAX_RESULTS, max_bytes: int = MAX_BYTES) -> None:
        self._max_results = max_results
        self._max_bytes = max_bytes
        self._results: dict[int, StoredResult] = {}
        self._last_key = 0
        self.bytes = 0
        """Of the results that are held."""

    def __len__(self) -> int:
        return len(self._results)

    def add(self, stored: StoredResult) -> bool:
        """Keep a result, if there is room."""
        size = len(stored.body)
        if len(self._results) >= self._max_results or self.bytes + size > self._max_bytes:
            return False
        self._last_key -= 1
        stored.key = self._last_key
        self._results[stored.key] = stored
        self.bytes += size
        return True

    def holds(self, task_id: str) -> bool:
        """Return whether the result of a task is here."""
        return any(stored.task_id == task_id for stored in self._results.values())

    def remove(self, keys: Iterable[int]) -> None:
        """Forget results."""
        for key in keys:
            stored = self._results.pop(key, None)
            if stored is not None:
                self.bytes -= len(stored.body)

    def refuse(self, key: int, reason: str) -> None:
        """Forget a result: it was surfaced."""
        self.remove([key])

    def failed(self, key: int, error: str) -> None:
        """Take note of an attempt that failed."""
        if (stored := self._results.get(key)) is not None:
            stored.attempts += 1
            stored.error = error

    def oldest(self, most: int, but_not: Collection[int] = ()) -> list[StoredResult]:
        """Return the oldest results, but for those with certain keys."""
        return list(islice((each for key, each in self._results.items() if key not in but_not), most))
