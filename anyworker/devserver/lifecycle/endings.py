"""How workflows end: what is cancelled, what is put out, who is told."""

import functools

from anyworker.devserver.lifecycle.launching import Launcher
from anyworker.devserver.lifecycle.limits import Ending, WorkflowEnds
from anyworker.devserver.lifecycle.state import ChildEnded, EndChild, StartFailureWorkflow, State
from anyworker.devserver.metadata.expressions import parameters
from anyworker.devserver.records.records import FAILED_TASK, TaskRecord, WorkflowRecord
from anyworker.devserver.records.scopes import scope_of


class Endings:
    """Ends workflows."""

    def __init__(self, state: State, launcher: Launcher) -> None:
        self._state = state
        self._launcher = launcher

    def complete(
        self,
        workflow: WorkflowRecord,
        termination: TaskRecord | None,
        forgiven: list[TaskRecord],
        now: int,
    ) -> None:
        """End a workflow of which nothing is left to do, or which a TERMINATE has ended.

        Args:
            workflow: What ends.
            termination: The TERMINATE, if there was one.
            forgiven: Unsuccessful tasks that count as completed with errors; the server does not store that
                status on the last tasks of a workflow.
            now: Epoch milliseconds.

        Raises:
            WorkflowEnds: A permissive task did not succeed.
        """
        sentences = [
            f"Task {task.task_id} failed with status: {task.status} and reason: "
            f"'{'null' if task.reason is None else task.reason}'"
            for task in workflow.latest.values()
            if task.step.is_forgiving and task.is_unsuccessful
        ]
        if sentences:
            raise WorkflowEnds(Ending("FAILED", ". ".join(sentences)))
        if termination is None:
            self._sum_up(workflow, Ending("COMPLETED", workflow.reason), forgiven)
            self._close(workflow, "COMPLETED", now)
            return
        status = str(termination.input["terminationStatus"])
        reason = termination.input.get("terminationReason")
        if not isinstance(reason, str) or not reason.strip():
            reason = f"Workflow is {status} by TERMINATE task: {termination.task_id}"
        if status != "COMPLETED":
            termination.is_executed = True
            workflow.pending.pop(termination.task_id, None)
            self.end(workflow, Ending(status, reason, termination), now)
            return
        self._sum_up(workflow, Ending("COMPLETED", reason), forgiven)
        self._cancel(workflow, "COMPLETED", now)
        self._close(workflow, "COMPLETED", now)

    def end(self, workflow: WorkflowRecord, ending: Ending, now: int, *, is_remedied: bool = True) -> None:
        """End a workflow without success, cancelling what is alive.

        Args:
            workflow: What ends.
            ending: How.
            now: Epoch milliseconds.
            is_remedied: Whether its failure workflow is started, if it has one.
        """
        if ending.task is not None:
            ending.task.output = ending.task.own_output
            workflow.failed_task_id = workflow.failed_task_id or ending.task.task_id
        self._sum_up(workflow, ending, [])
        for task in workflow.tasks:
            if task.is_terminal:
                self._state.queues.remove(task)  # now what a limit kept back behind it may come
        self._cancel(workflow, ending.status, now)
        self._close(workflow, ending.status, now)
        if is_remedied and workflow.plan.failure_workflow:
            self._state.later(StartFailureWorkflow(workflow))

    def cancel_rest(self, workflow: WorkflowRecord, now: int) -> None:
        """Cancel what is still alive in a workflow that has ended without success."""
        if workflow.status != "COMPLETED":
            self._cancel(workflow, workflow.status, now)

    def _cancel(self, workflow: WorkflowRecord, status: str, now: int) -> None:
        """Cancel what is alive in a workflow that ends, its sub-workflows too."""
        for task in [task for task in workflow.tasks if not task.is_terminal]:
            self._launcher.close(task, "CANCELED", now)
            if task.sub_workflow_id is None:
                continue
            child = self._state.store.find_workflow(task.sub_workflow_id)
            if child is not None:
                cause = f"status {status}" if not workflow.reason else f"reason: {workflow.reason}"
                self._state.later(EndChild(child, f"Parent workflow has been terminated with {cause}"))

    def _sum_up(self, workflow: WorkflowRecord, ending: Ending, forgiven: list[TaskRecord]) -> None:
        """Note the output, the reason and what failed."""
        self._compute_output(workflow)
        workflow.reason = ending.reason
        for task in workflow.tasks:
            if task.status in FAILED_TASK and task not in forgiven:
                workflow.failed_references[task.reference] = None
                workflow.failed_names[task.step.definition_name] = None

    def _close(self, workflow: WorkflowRecord, status: str, now: int) -> None:
        """Give a workflow its last status, and tell whom it concerns."""
        workflow.ended = now
        workflow.become(status, now)
        for deadline in (workflow.check, workflow.sweep):
            if deadline is not None:
                self._state.deadlines.cancel(deadline)
        workflow.check = workflow.sweep = None
        for forgotten in self._state.store.finish(workflow):
            for task in forgotten.tasks:
                self._state.queues.forget(task)
        if workflow.parent_task_id is not None:
            self._state.later(ChildEnded(workflow))

    def _compute_output(self, workflow: WorkflowRecord) -> None:
        if not workflow.tasks:
            return
        termination = next((task for task in workflow.terminations if task.status == "COMPLETED"), None)
        if termination is not None:
            workflow.output = dict(termination.output)
        elif workflow.plan.outputs:
            workflow.output = parameters(workflow.plan.outputs, functools.partial(scope_of, workflow), None)
        else:
            workflow.output = workflow.tasks[-1].output
