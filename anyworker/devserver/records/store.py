"""All workflows, tasks and logs; what has ended is forgotten in the end."""

from typing import Any

import attrs

from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.wire.errors import no_such_workflow

MOST_LINES = 10_000
"""Lines of one task's log, beyond which the oldest are forgotten; the real server keeps all."""


@attrs.frozen
class LogLine:
    """One line of a task's log."""

    text: str
    task_id: str
    created: int
    """Epoch milliseconds by the sender's clock."""

    def shown(self) -> dict[str, Any]:
        """Return the line as the API shows it."""
        return {"log": self.text, "taskId": self.task_id, "createdTime": self.created}


class Store:
    """Workflows and tasks by id.

    Args:
        max_finished: How many ended workflows are kept.
    """

    def __init__(self, max_finished: int) -> None:
        self._max_finished = max_finished
        self._workflows: dict[str, WorkflowRecord] = {}
        self._finished: dict[str, None] = {}
        self.tasks: dict[str, TaskRecord] = {}
        self.task_index: dict[str, TaskRecord] = {}
        """What searches find, in the order in which each left its queue, or ended, first."""
        self.workflow_index: dict[str, WorkflowRecord] = {}
        """The same of workflows, in the order in which they were started."""
        self._gone: dict[str, WorkflowRecord] = {}
        self._logs: dict[str, list[LogLine]] = {}
        self._payloads: dict[str, dict[str, Any]] = {}

    def workflow(self, workflow_id: str) -> WorkflowRecord:
        """Return a workflow.

        Raises:
            RequestRefused: 404.
        """
        found = self._workflows.get(workflow_id)
        if found is None:
            raise no_such_workflow(workflow_id)
        return found

    def find_workflow(self, workflow_id: str) -> WorkflowRecord | None:
        """Return a workflow, None if there is none of this id."""
        return self._workflows.get(workflow_id)

    def workflows(self) -> list[WorkflowRecord]:
        """Return all workflows, the oldest first."""
        return list(self._workflows.values())

    def add_workflow(self, workflow: WorkflowRecord) -> None:
        """Keep a new workflow."""
        self._workflows[workflow.workflow_id] = workflow
        self.workflow_index[workflow.workflow_id] = workflow

    def add_task(self, task: TaskRecord) -> None:
        """Keep a new task."""
        self.tasks[task.task_id] = task

    def finish(self, workflow: WorkflowRecord) -> list[WorkflowRecord]:
        """Count a workflow as ended; return those that are forgotten for it, the first that ended."""
        self._finished.pop(workflow.workflow_id, None)
        self._finished[workflow.workflow_id] = None
        forgotten = []
        while len(self._finished) > self._max_finished:
            forgotten.append(self._workflows[next(iter(self._finished))])
            self._forget(forgotten[-1])
            self._remove_from_indexes(forgotten[-1])
        return forgotten

    def revive(self, workflow: WorkflowRecord) -> None:
        """Count a workflow as running again."""
        self._finished.pop(workflow.workflow_id, None)

    def remove(self, workflow: WorkflowRecord, *, archived: bool = False) -> None:
        """Forget a workflow with its tasks and their logs; the server's indexes keep what they have of it.

        Args:
            workflow: The workflow.
            archived: Whether searches for workflows find it further on; those for tasks do anyway.
        """
        self._forget(workflow)
        if not archived:
            self.workflow_index.pop(workflow.workflow_id, None)
        self._gone[workflow.workflow_id] = workflow
        if len(self._gone) > self._max_finished:
            self._remove_from_indexes(next(iter(self._gone.values())))

    def _forget(self, workflow: WorkflowRecord) -> None:
        self._finished.pop(workflow.workflow_id, None)
        del self._workflows[workflow.workflow_id]
        self._payloads.pop(workflow.external_input or "", None)
        self.remove_tasks(workflow)

    def _remove_from_indexes(self, workflow: WorkflowRecord) -> None:
        self._gone.pop(workflow.workflow_id, None)
        self.workflow_index.pop(workflow.workflow_id, None)
        for task in workflow.tasks:
            self.task_index.pop(task.task_id, None)

    def remove_tasks(self, workflow: WorkflowRecord) -> None:
        """Forget the tasks of a workflow and their logs."""
        for task in workflow.tasks:
            self.remove_task(task)

    def remove_task(self, task: TaskRecord) -> None:
        """Forget a task and its log."""
        self.tasks.pop(task.task_id, None)
        self._logs.pop(task.task_id, None)
        self._payloads.pop(task.external_input or "", None)
        self._payloads.pop(task.external_output or "", None)

    def keep_payload(self, path: str, payload: dict[str, Any]) -> None:
        """Keep a payload that is too large to be shown, until its task or workflow is forgotten."""
        self._payloads[path] = payload

    def find_payload(self, path: str) -> dict[str, Any] | None:
        """Return what is kept under a path, None if nothing is."""
        return self._payloads.get(path)

    def log(self, line: LogLine) -> None:
        """Keep a line of a log; the task need not exist."""
        lines = self._logs.setdefault(line.task_id, [])
        lines.append(line)
        if len(lines) > MOST_LINES:
            del lines[: MOST_LINES // 10]
        if len(self._logs) > self._max_finished + len(self.tasks):
            del self._logs[next(iter(self._logs))]

    def logs(self, task_id: str) -> list[LogLine]:
        """Return a task's log in order of the lines' times."""
        return sorted(self._logs.get(task_id, ()), key=lambda line: line.created)
