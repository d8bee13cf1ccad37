"""Tasks as an index shows them."""

from anyworker.conductor.models import WireModel


class TaskSummary(WireModel):
    """A task as an index shows it (what a worker can use of it)."""

    task_id: str


class TaskIdPage(WireModel):
    """Tasks that a search in an index found."""

    total_hits: int = 0
    results: tuple[TaskSummary, ...] = ()
