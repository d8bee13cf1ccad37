"""The workers that decorators have declared in this process."""

from typing import TYPE_CHECKING

from anyworker.errors import DuplicateWorkerError

if TYPE_CHECKING:
    from anyworker.worker import Worker

_workers: "dict[tuple[str, str | None], Worker]" = {}


def register(worker: "Worker") -> None:
    """Add a worker to those that run when none are named.

    A worker from a module that is run again, by a reload or under another name, takes the place of the
    one that the earlier run declared.

    Raises:
        DuplicateWorkerError: Another one has its task type and domain.
    """
    key = (worker.task_definition_name, worker.domain)
    earlier = _workers.get(key)
    if earlier is not None and earlier is not worker and not worker.origin.supersedes(earlier.origin):
        raise DuplicateWorkerError(*key, str(earlier.origin), str(worker.origin))
    _workers[key] = worker


def unregister(worker: "Worker") -> None:
    """Forget a worker, as one whose module broke after declaring it."""
    _workers.pop((worker.task_definition_name, worker.domain), None)


def registered_workers() -> "list[Worker]":
    """Return the registered workers, in the order of their declaration."""
    return list(_workers.values())


def clear_registry() -> None:
    """Forget all registered workers, as between two tests."""
    _workers.clear()
