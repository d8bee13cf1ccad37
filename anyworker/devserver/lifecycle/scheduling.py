"""Which tasks follow when a step's turn has come, and which attempt follows another."""

import functools
from typing import Any

from anyworker.devserver.lifecycle.limits import Ending, WorkflowEnds, retry_delay
from anyworker.devserver.lifecycle.state import State
from anyworker.devserver.metadata import waits
from anyworker.devserver.metadata.expressions import evaluate, parameters
from anyworker.devserver.metadata.plans import Step
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord
from anyworker.devserver.records.scopes import scope_of
from anyworker.devserver.wire import errors
from anyworker.devserver.wire.java import as_text

_FOREVER = 2**31 - 1
"""Seconds: what a WAIT shows that only an update ends."""


class Scheduler:
    """Makes the tasks of steps; none of them is kept or queued yet."""

    def __init__(self, state: State) -> None:
        self._state = state

    def tasks_for(self, workflow: WorkflowRecord, step: Step, now: int) -> list[TaskRecord]:
        """Return the tasks of a step: a fork brings those of its branches, a switch that of its case.

        A step whose reference name the workflow has already brings none.

        Raises:
            WorkflowEnds: The definition cannot be followed.
            RequestRefused: What the server stumbles over, leaving the workflow where it is.
        """
        match step.kind:
            case "FORK_JOIN":
                tasks = self._fork(workflow, step, now)
            case "SWITCH":
                tasks = self._switch(workflow, step, now)
            case "JOIN":
                tasks = [self._running(workflow, step, {"joinOn": step.wire["joinOn"]}, now)]
            case "SET_VARIABLE":
                tasks = [self._running(workflow, step, self._evaluated(workflow, step.parameters), now)]
            case "TERMINATE":
                tasks = [self._running(workflow, step, None, now)]
            case "WAIT":
                tasks = [self._wait(workflow, step, now)]
            case "SUB_WORKFLOW":
                tasks = [self._sub_workflow(workflow, step, now)]
            case _:
                tasks = [self._worker_task(workflow, step, now)]
        return [task for task in tasks if task.reference not in workflow.latest]

    def after(self, workflow: WorkflowRecord, task: TaskRecord, now: int) -> list[TaskRecord]:
        """Return the tasks that follow a task that is over, as :meth:`tasks_for`."""
        if task.step.kind == "SWITCH" and "hasChildren" in task.input:
            return []
        step = following_step(workflow, task.step)
        return [] if step is None else self.tasks_for(workflow, step, now)

    def first(self, workflow: WorkflowRecord, now: int) -> list[TaskRecord]:
        """Return the tasks that a workflow begins with, as :meth:`tasks_for`."""
        step = _unskipped(workflow, workflow.plan.steps[0])
        return [] if step is None else self.tasks_for(workflow, step, now)

    # Kinds of steps

    def _task(self, workflow: WorkflowRecord, step: Step, source: dict[str, Any], now: int) -> TaskRecord:
        return TaskRecord(
            task_id=self._state.new_id(),
            workflow=workflow,
            step=step,
            seq=0,
            input=source,
            scheduled=now,
            first_scheduled=now,
            priority=workflow.priority,
        )

    def _running(
        self, workflow: WorkflowRecord, step: Step, source: dict[str, Any] | None, now: int
    ) -> TaskRecord:
        """Return a task in progress; without an input it gets the step's, which may name its own id."""
        task = self._task(workflow, step, source or {}, now)
        if source is None:
            task.input = self._evaluated(workflow, step.parameters, task.task_id)
        task.started, task.status = now, "IN_PROGRESS"
        return task

    def _worker_task(self, workflow: WorkflowRecord, step: Step, now: int) -> TaskRecord:
        task = self._task(workflow, step, {}, now)
        task.input = self._input(workflow, step, task.task_id)
        task.callback_after = step.start_delay
        task.start_delay = step.start_delay if step.kind == "SIMPLE" else 0
        return task

    def _fork(self, workflow: WorkflowRecord, step: Step, now: int) -> list[TaskRecord]:
        fork = self._running(workflow, step, self._evaluated(workflow, step.parameters), now)
        fork.status, fork.ended = "COMPLETED", now
        tasks = [fork]
        for branch in step.branches:
            if not branch:
                raise errors.failure("Index 0 out of bounds for length 0")
            tasks += self.tasks_for(workflow, branch[0], now)
        join = step.following
        if join is None or join.kind != "JOIN":
            reason = "Fork task definition is not followed by a join task.  Check the blueprint"
            raise WorkflowEnds(Ending("FAILED", reason))
        return tasks + self.tasks_for(workflow, join, now)

    def _switch(self, workflow: WorkflowRecord, step: Step, now: int) -> list[TaskRecord]:
        if step.wire.get("evaluatorType") != "value-param":
            kind = step.wire.get("evaluatorType") or "null"
            raise WorkflowEnds(Ending("FAILED", f"No evaluator registered for type: {kind}"))
        switch = self._running(workflow, step, self._evaluated(workflow, step.parameters), now)
        case = as_text(switch.input.get(step.wire.get("expression") or ""))
        switch.input["case"] = case
        switch.output = {"evaluationResult": [case], "selectedCase": case}
        chosen = step.cases.get(case, step.default)
        if not chosen:
            return [switch]
        switch.input["hasChildren"] = "true"
        return [switch, *self.tasks_for(workflow, chosen[0], now)]

    def _wait(self, workflow: WorkflowRecord, step: Step, now: int) -> TaskRecord:
        task = self._running(workflow, step, None, now)
        duration, until = (
            "" if task.input.get(key) is None else as_text(task.input[key]) for key in ("duration", "until")
        )
        if duration.strip() and until.strip():
            task.reason = "Both 'duration' and 'until' specified. Please provide only one input"
            task.status = "FAILED_WITH_TERMINAL_ERROR"
        elif duration.strip():
            task.callback_after = waits.seconds_of(duration)
            task.wait_until = now + task.callback_after * 1000
        elif until.strip():
            moment = waits.moment_of(until)
            if moment is None:
                task.reason = f"Invalid/Unsupported Wait Until format.  Provided: {until}"
                task.status = "FAILED_WITH_TERMINAL_ERROR"
            else:
                task.callback_after, task.wait_until = max(0, (moment - now) // 1000), moment
        else:
            task.callback_after = _FOREVER
        return task

    def _sub_workflow(self, workflow: WorkflowRecord, step: Step, now: int) -> TaskRecord:
        param: dict[str, Any] = step.wire.get("subWorkflowParam") or {}
        inline = param.get("workflowDefinition")
        named = {key: value for key, value in param.items() if key != "workflowDefinition"}
        resolved = self._evaluated(workflow, named)
        if isinstance(inline, str):
            inline = evaluate(inline, functools.partial(scope_of, workflow), None)
        source = {
            "subWorkflowDefinition": inline,
            "workflowInput": self._evaluated(workflow, step.parameters),
            "subWorkflowTaskToDomain": resolved.get("taskToDomain"),
            "idempotencyKey": resolved.get("idempotencyKey"),
            "subWorkflowName": resolved.get("name"),
            "priority": resolved.get("priority"),
            "subWorkflowVersion": None if inline is not None else resolved.get("version"),
            "idempotencyStrategy": resolved.get("idempotencyStrategy"),
        }
        task = self._task(workflow, step, source, now)
        task.callback_after = step.start_delay
        if isinstance(param.get("priority"), int):
            task.priority = param["priority"]
        return task

    # Further attempts

    def retry(self, task: TaskRecord, now: int) -> TaskRecord:
        """Return the attempt after an unsuccessful one, due after the delay of its definition."""
        again = self.attempt_after(task, now)
        again.start_delay = again.callback_after = retry_delay(task.step.definition, task.attempt)
        again.reason = task.reason
        return again

    def attempt_after(self, task: TaskRecord, now: int) -> TaskRecord:
        """Return the attempt after another one, due at once."""
        workflow, step = task.workflow, task.step
        again = self._task(workflow, step, {}, now)
        fresh = self._input(workflow, step, again.task_id)
        again.input = {key: value for key, value in task.input.items() if key != "subWorkflowId"} | fresh
        again.first_scheduled, again.attempt = task.first_scheduled, task.attempt + 1
        again.retried_task_id = task.task_id
        again.priority, again.wait_until = task.priority, task.wait_until
        return again

    def _input(self, workflow: WorkflowRecord, step: Step, task_id: str) -> dict[str, Any]:
        scope = functools.partial(scope_of, workflow)
        return parameters(step.parameters, scope, task_id, step.definition.input_template)

    def _evaluated(
        self, workflow: WorkflowRecord, declared: dict[str, Any], task_id: str | None = None
    ) -> dict[str, Any]:
        return parameters(declared, functools.partial(scope_of, workflow), task_id)


def following_step(workflow: WorkflowRecord, step: Step) -> Step | None:
    """Return the step after another one, past those that are skipped; None after the last."""
    return _unskipped(workflow, step.following)


def _unskipped(workflow: WorkflowRecord, step: Step | None) -> Step | None:
    while step is not None and (task := workflow.latest.get(step.reference)) is not None:
        if task.status != "SKIPPED":
            break
        step = step.following
    return step
