"""What searches for tasks find: the tasks, or as an index shows them."""

from anyworker.conductor.models import Task, WireModel


class TaskSummary(WireModel):
    """A task as an index shows it (what a worker can use of it)."""

    task_id: str


class TaskIdPage(WireModel):
    """Tasks that a search in an index found."""

    total_hits: int = 0
    results: tuple[TaskSummary, ...] = ()


class TaskPage(WireModel):
    """Tasks that a search found."""

    total_hits: int = 0
    """On all pages."""
    results: list[Task] = []  # noqa: RUF012 - msgspec gives each its own
