"""What a workflow and its sub-workflows do to each other: how one ends the other, or sets it going again."""

from collections.abc import Callable

from anyworker.devserver.lifecycle.endings import Endings
from anyworker.devserver.lifecycle.launching import Launcher
from anyworker.devserver.lifecycle.limits import Ending
from anyworker.devserver.lifecycle.state import Decide, EvaluateJoins, State
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.store import LogLine

_STATUS_OF_TASK = {
    "COMPLETED": "COMPLETED",
    "FAILED": "FAILED",
    "TERMINATED": "CANCELED",
    "TIMED_OUT": "TIMED_OUT",
}


class Families:
    """Carries what happens to a workflow to its parent and to its children."""

    def __init__(self, state: State, endings: Endings, launcher: Launcher) -> None:
        self._state = state
        self._endings = endings
        self._launcher = launcher

    def end_child(self, child: WorkflowRecord, reason: str, now: int) -> None:
        """End a sub-workflow because the workflow around it has ended."""
        if not child.is_terminal:
            self._endings.end(child, Ending("TERMINATED", reason), now, is_remedied=False)

    def child_ended(self, child: WorkflowRecord, now: int) -> None:
        """Let the SUB_WORKFLOW end as its workflow has, and its workflow be decided.

        One that has ended already ends again, for a failed sub-workflow may be terminated; but what the
        workflow around it has cancelled stays so.
        """
        task = self._parent_task(child)
        if task is None:
            return
        if task.status != "CANCELED" and child.is_terminal:
            task.output = {**task.output, **child.output}
            if child.status != "COMPLETED":
                cause = "null" if child.reason is None else child.reason
                task.reason = f"Sub workflow {child.short()} failure reason: {cause}"
            self._launcher.close(task, _STATUS_OF_TASK[child.status], now)
        self._state.later(EvaluateJoins(task.workflow))
        self._state.later(Decide(task.workflow))

    def _parent_task(self, child: WorkflowRecord) -> TaskRecord | None:
        """Return the SUB_WORKFLOW that a workflow belongs to, unless it is a thing of the past."""
        task = self._state.store.tasks.get(child.parent_task_id or "")
        return task if task is not None and task in task.workflow.tasks else None

    def wake_parents(
        self,
        workflow: WorkflowRecord,
        operation: str,
        retry: Callable[[WorkflowRecord, int], None],
        now: int,
    ) -> None:
        """Set the workflows around one going again that was itself set going again.

        Args:
            workflow: The inner one.
            operation: What was done to it: ``retried``.
            retry: Retries a workflow: what failed beside the inner one goes on too.
            now: Epoch milliseconds.
        """
        path = ""
        while (task := self._parent_task(workflow)) is not None:
            if task.step.optional or task.is_retried:
                return
            task.is_changed_below = task.workflow.is_changed_below = True
            task.reason, task.updated = None, now
            task.become("IN_PROGRESS", now)
            self._launcher.watch(task, now)
            path = f"{workflow.short()} -> {path}" if path else workflow.short()
            self._state.store.log(LogLine(f"Sub workflow {path} {operation}.", task.task_id, now))
            workflow = task.workflow
            self._wake(workflow, retry, now)

    def _wake(self, parent: WorkflowRecord, retry: Callable[[WorkflowRecord, int], None], now: int) -> None:
        self._state.store.revive(parent)
        parent.reason, parent.failed_task_id, parent.retried = None, None, now
        parent.failed_references, parent.failed_names = {}, {}
        for task in parent.tasks:
            if task.step.kind == "SUB_WORKFLOW" and task.sub_workflow_id and task.is_unsuccessful:
                self._wake_child(task, retry, now)
            elif task.status == "CANCELED":
                self._wake_canceled(task, now)
        parent.keep(parent.tasks)
        parent.become("RUNNING", now)
        self._state.later(Decide(parent))

    def _wake_child(self, task: TaskRecord, retry: Callable[[WorkflowRecord, int], None], now: int) -> None:
        """Let a sub-workflow that had not succeeded go on beside the one that was set going again."""
        child = self._state.store.find_workflow(task.sub_workflow_id or "")
        if child is None:
            return
        if child.status != "RUNNING":
            if not any(inner.is_unsuccessful for inner in child.tasks):
                return
            retry(child, now)
            self._state.later(Decide(child))
        task.reason, task.updated, task.is_changed_below = None, now, True
        task.become("IN_PROGRESS", now)

    def _wake_canceled(self, task: TaskRecord, now: int) -> None:
        """Let a cancelled task go on in its place."""
        if task.step.kind == "JOIN":
            task.updated = now
            task.become("IN_PROGRESS", now)
            return
        task.attempt += 1
        task.reason, task.worker_id = None, None
        task.poll_count = task.started = task.ended = 0
        task.scheduled = task.updated = now
        task.is_retried = task.is_executed = False
        if task.step.is_system:
            task.become("SCHEDULED", now)
            self._launcher.watch(task, now)
            self._launcher.resume(task, task.callback_after * 1000, now)
        else:
            self._launcher.enqueue(task, task.callback_after * 1000, now)
