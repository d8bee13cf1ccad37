"""What can be done to a workflow from outside: pause, resume, terminate, retry, restart and more."""

from anyworker.devserver import errors
from anyworker.devserver.engine import Engine
from anyworker.devserver.limits import Ending
from anyworker.devserver.records import TaskRecord, WorkflowRecord


class Operations:
    """The operations on workflows of an engine; each raises ``RequestRefused`` (404) for an unknown id."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._store = engine.store
        self._decider = engine.decider

    def decide(self, workflow_id: str, now: int) -> None:
        """Let the decider look at a workflow.

        Raises:
            RequestRefused: 500, the output of one of its tasks is not where it should be.
        """
        workflow = self._store.workflow(workflow_id)
        _require_payloads(workflow)
        self._decider.decide(workflow, now)

    def pause(self, workflow_id: str, now: int) -> None:
        """Stop scheduling what follows; what is scheduled goes on.

        Raises:
            RequestRefused: 409, it has ended.
        """
        workflow = self._store.workflow(workflow_id)
        if workflow.is_terminal:
            raise errors.workflow_has_ended(_short(workflow))
        if workflow.status != "PAUSED":
            workflow.become("PAUSED", now)
            self._decider.watch(workflow, now)

    def resume(self, workflow_id: str, now: int) -> None:
        """Go on scheduling.

        Raises:
            RequestRefused: 500, it is not paused.
        """
        workflow = self._store.workflow(workflow_id)
        if workflow.status != "PAUSED":
            raise errors.workflow_not_paused(workflow_id, workflow.status)
        workflow.retried = now
        workflow.become("RUNNING", now)
        self._decider.decide(workflow, now)

    def terminate(self, workflow_id: str, reason: str | None, now: int) -> None:
        """End a workflow, cancelling its tasks.

        Raises:
            RequestRefused: 409, it is completed.
        """
        workflow = self._store.workflow(workflow_id)
        _require_payloads(workflow)
        if workflow.status == "COMPLETED":
            raise errors.conflict("Cannot terminate a COMPLETED workflow.")
        if workflow.status != "TERMINATED":
            self._decider.end(workflow, Ending("TERMINATED", reason), now)

    def retry(self, workflow_id: str, now: int) -> None:
        """Go on with an ended workflow: a further attempt of each task that did not succeed.

        Raises:
            RequestRefused: 404, it is running; 409, there is nothing to retry.
        """
        workflow = self._store.workflow(workflow_id)
        if not workflow.is_terminal:
            raise errors.workflow_still_running(workflow.status)
        if not workflow.tasks:
            raise errors.conflict("Workflow has not started yet")
        unsuccessful: dict[str, TaskRecord] = {}
        for task in workflow.tasks:
            if task.status in {"FAILED", "FAILED_WITH_TERMINAL_ERROR", "TIMED_OUT", "CANCELED"}:
                unsuccessful[task.reference] = task
            else:
                unsuccessful.pop(task.reference, None)
        if not unsuccessful and workflow.status != "TIMED_OUT":
            raise errors.nothing_to_retry()
        self._decider.reopen(workflow, sorted(unsuccessful.values(), key=lambda task: task.seq), now)

    def restart(self, workflow_id: str, now: int) -> None:
        """Run an ended workflow again from its first task; its former tasks are forgotten.

        Raises:
            RequestRefused: 409, it has not ended; 404, its definition forbids it.
        """
        workflow = self._store.workflow(workflow_id)
        if not workflow.is_terminal:
            raise errors.workflow_not_terminal(_short(workflow), workflow.status)
        if workflow.status == "COMPLETED" and not workflow.plan.restartable:
            raise errors.workflow_not_restartable(_short(workflow), workflow.status)
        self._store.revive(workflow)
        self._store.remove_tasks(workflow)
        workflow.tasks, workflow.output = [], {}
        workflow.reason, workflow.created = None, now
        workflow.ended = workflow.retried = 0
        workflow.become("RUNNING", now)
        self._decider.decide(workflow, now)

    def reset_callbacks(self, workflow_id: str, now: int) -> None:
        """Make waiting call-backs deliverable now.

        Raises:
            RequestRefused: 409, it has ended.
        """
        workflow = self._store.workflow(workflow_id)
        if workflow.is_terminal:
            raise errors.workflow_in_terminal_state(workflow.status)
        for task in workflow.tasks:
            if task.status == "SCHEDULED" and task.callback_after > 0:
                task.callback_after = 0
                self._engine.queues.push(task, 0, now)
        self._decider.watch(workflow, now)

    def remove(self, workflow_id: str, now: int) -> None:
        """Forget a workflow, whatever its state."""
        workflow = self._store.workflow(workflow_id)
        for task in workflow.tasks:
            self._engine.queues.remove(task)
        workflow.status = "TERMINATED"  # whoever still holds it must not go on with it
        self._decider.watch(workflow, now)
        self._store.remove(workflow)


def _require_payloads(workflow: WorkflowRecord) -> None:
    if workflow.lost_payload is not None:
        raise errors.payload_not_found(workflow.lost_payload)


def _short(workflow: WorkflowRecord) -> str:
    return f"{workflow.plan.name}.{workflow.plan.version}/{workflow.workflow_id}"
