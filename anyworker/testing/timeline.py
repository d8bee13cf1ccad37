"""What happened in a workflow, in order."""

from collections.abc import Iterable

import attrs

from anyworker.devserver.records.changes import Change


@attrs.frozen
class Moment:
    """A workflow or one of its tasks got another status."""

    seconds: float
    """Since the workflow was started."""
    reference: str | None
    """The task's reference name, None for the workflow itself."""
    status: str
    reason: str | None = None
    """Why the task or the workflow is incomplete."""
    task_id: str | None = None
    worker_id: str | None = None
    """Who polled the task or reported on it last."""

    def __str__(self) -> str:
        """Return it as a line for people."""
        who = self.reference or "(workflow)"
        return f"{self.seconds:9.3f} s  {who}  {self.status}{f'  {self.reason}' if self.reason else ''}"


def moments(changes: Iterable[Change]) -> list[Moment]:
    """Return the changes of one workflow with times that count from the first."""
    found = list(changes)
    return [
        Moment(
            seconds=(change.at - found[0].at) / 1000,
            reference=change.reference,
            status=change.status,
            reason=change.reason,
            task_id=change.task_id,
            worker_id=change.worker_id,
        )
        for change in found
    ]
