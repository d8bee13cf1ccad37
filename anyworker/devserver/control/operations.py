"""What can be done to a workflow from outside: pause, resume, terminate, retry, restart and more."""

from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle.limits import Ending
from anyworker.devserver.metadata.plans import Plan
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.wire import errors


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
        self._engine.decide(workflow, now)

    def pause(self, workflow_id: str, now: int) -> None:
        """Stop scheduling what follows; what is scheduled goes on.

        Raises:
            RequestRefused: 409, it has ended.
        """
        workflow = self._store.workflow(workflow_id)
        if workflow.is_terminal:
            raise errors.workflow_has_ended(workflow.short())
        if workflow.status != "PAUSED":
            workflow.become("PAUSED", now)

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
        self._decider.watch_all(workflow, now)
        self._engine.decide(workflow, now)

    def terminate(self, workflow_id: str, reason: str | None, now: int) -> None:
        """End a workflow, cancelling its tasks; its failure workflow is not started.

        Raises:
            RequestRefused: 409, it is completed.
        """
        workflow = self._store.workflow(workflow_id)
        _require_payloads(workflow)
        if workflow.status == "COMPLETED":
            raise errors.conflict("Cannot terminate a COMPLETED workflow.")
        if workflow.status != "TERMINATED":
            self._engine.endings.end(workflow, Ending("TERMINATED", reason), now, is_remedied=False)
            self._engine.settle(now)

    def retry(self, workflow_id: str, now: int, *, inner: bool = False) -> None:
        """Go on with an ended workflow: a further attempt of each task that did not succeed.

        Args:
            workflow_id: The workflow.
            now: Epoch milliseconds.
            inner: Whether the sub-workflow that failed is retried instead of the task that stands for it.

        Raises:
            RequestRefused: 404, it is running; 409, there is nothing to retry.
        """
        workflow = self._store.workflow(workflow_id)
        if not workflow.is_terminal:
            raise errors.workflow_still_running(workflow.status)
        if not workflow.tasks:
            raise errors.conflict("Workflow has not started yet")
        if inner:
            failed = next((task for task in workflow.tasks if task.is_unsuccessful), None)
            if failed is None:
                return
            workflow = self._innermost(failed)
        self.retry_in_place(workflow, now)
        self._engine.families.wake_parents(workflow, "retried", self.retry_in_place, now)
        self._engine.decide(workflow, now)

    def _innermost(self, failed: TaskRecord) -> WorkflowRecord:
        """Return the workflow in which the failure of a task began."""
        if failed.step.kind != "SUB_WORKFLOW":
            return failed.workflow
        child = self._store.find_workflow(failed.sub_workflow_id or "")
        cause = None if child is None else next((task for task in child.tasks if task.is_unsuccessful), None)
        return failed.workflow if cause is None else self._innermost(cause)

    def retry_in_place(self, workflow: WorkflowRecord, now: int) -> None:
        """Give what did not succeed in an ended workflow a further attempt; nothing is decided yet.

        Raises:
            RequestRefused: 409, there is nothing to retry.
        """
        chosen: dict[str, TaskRecord] = {}
        reopened: list[TaskRecord] = []
        for task in workflow.tasks:
            if not task.is_unsuccessful:
                chosen.pop(task.reference, None)
            elif task.step.kind == "JOIN" and (
                task.status == "CANCELED" or (task.status == "FAILED" and _has_permissive_failure(task))
            ):
                reopened.append(task)
            else:
                chosen[task.reference] = task
        if not chosen and workflow.status != "TIMED_OUT":
            raise errors.nothing_to_retry()
        self._store.revive(workflow)
        workflow.reason, workflow.retried = None, now
        workflow.become("RUNNING", now)
        self._decider.reopen(workflow, reopened, sorted(chosen.values(), key=lambda task: task.seq), now)

    def restart(self, workflow_id: str, now: int, *, latest: bool = False) -> None:
        """Run an ended workflow again from its first task; its former tasks are forgotten.

        Args:
            workflow_id: The workflow.
            now: Epoch milliseconds.
            latest: Whether it runs with the definitions of today.

        Raises:
            RequestRefused: 409, it has not ended; 404, its definition forbids it or is not there any more.
        """
        workflow = self._store.workflow(workflow_id)
        if not workflow.is_terminal:
            raise errors.workflow_not_terminal(workflow.short(), workflow.status, "restart")
        plan = self._latest(workflow) if latest else workflow.plan
        if workflow.status == "COMPLETED" and not plan.restartable:
            raise errors.workflow_not_restartable(workflow.short(), workflow.status)
        self._store.revive(workflow)
        self._engine.forget_tasks(workflow)
        workflow.plan, workflow.output = plan, {}
        workflow.reason, workflow.failed_task_id, workflow.created = None, None, now
        workflow.ended = workflow.retried = 0
        workflow.become("RUNNING", now)
        self._engine.decide(workflow, now)
        self._engine.families.wake_parents(workflow, "restarted", self.retry_in_place, now)
        self._engine.settle(now)

    def _latest(self, workflow: WorkflowRecord) -> Plan:
        plan = self._engine.catalog.plan(workflow.plan.name, None)
        if plan is None:
            raise errors.no_latest_definition(workflow.workflow_id)
        return plan

    def reset_callbacks(self, workflow_id: str, now: int) -> None:
        """Make waiting call-backs deliverable now.

        Raises:
            RequestRefused: 409, it has ended.
        """
        workflow = self._store.workflow(workflow_id)
        if workflow.is_terminal:
            raise errors.workflow_in_terminal_state(workflow.status)
        for task in workflow.pending.values():
            if not task.step.is_system and task.status == "SCHEDULED" and task.callback_after > 0:
                task.callback_after, task.updated = 0, now
                self._engine.queues.push(task, 0, now)
        self._decider.watch_all(workflow, now)

    def remove(self, workflow_id: str, *, archived: bool = True) -> None:
        """Forget a workflow; nothing can be read from an archive here.

        Raises:
            RequestRefused: 400, it is to be archived and has not ended.
        """
        workflow = self._store.workflow(workflow_id)
        if archived and not workflow.is_terminal:
            raise errors.workflow_not_archivable(workflow_id, workflow.status)
        self._engine.forget(workflow, archived=archived)


def _require_payloads(workflow: WorkflowRecord) -> None:
    if workflow.lost_payload is not None:
        raise errors.payload_not_found(workflow.lost_payload)


def _has_permissive_failure(join: TaskRecord) -> bool:
    """Tell whether a JOIN failed because of a task whose failure alone ends nothing."""
    latest = join.workflow.latest
    waited_for = [latest[name] for name in join.input["joinOn"] if name in latest]
    return any(task.step.is_forgiving and task.status == "FAILED" for task in waited_for)
