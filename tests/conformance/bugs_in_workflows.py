"""Bugs in how workflows go on."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from planted_bugs import bug

from anyworker.devserver.lifecycle import endings, joins, limits, scheduling
from anyworker.devserver.lifecycle.endings import Endings
from anyworker.devserver.lifecycle.families import Families
from anyworker.devserver.lifecycle.limits import Ending
from anyworker.devserver.lifecycle.scheduling import Scheduler
from anyworker.devserver.metadata import expressions, validation
from anyworker.devserver.records.records import TaskRecord, WorkflowRecord

# ---------------------------------------------------------------- workflows


@bug("9-expression", "a parameter whose value is missing has no key")
def _(patch: pytest.MonkeyPatch) -> None:
    def dense(declared: Mapping[str, Any], *more: Any) -> dict[str, Any]:
        return {key: value for key, value in parameters(declared, *more).items() if value is not None}

    parameters = expressions.parameters
    for module in (scheduling, endings):
        patch.setattr(module, "parameters", dense)


@bug("9-expression", "a whole value becomes text")
def _(patch: pytest.MonkeyPatch) -> None:
    resolve = expressions.__dict__["_resolve"]
    patch.setattr(expressions, "_resolve", lambda *given: expressions.as_text(resolve(*given)))


@bug("9-join", "a join waits for every branch")
def _(patch: pytest.MonkeyPatch) -> None:
    evaluate = joins.evaluate

    def patient(join: TaskRecord) -> str | None:
        others = [task for task in join.workflow.tasks if task is not join]
        return evaluate(join) if all(task.is_terminal for task in others) else None

    patch.setattr(joins, "evaluate", patient)


@bug("9-switch", "a switch takes no notice of upper and lower case")
def _(patch: pytest.MonkeyPatch) -> None:
    text = scheduling.as_text
    patch.setattr(scheduling, "as_text", lambda value: text(value).upper())


@bug("5.6-", "an optional task is forgiven at once")
def _(patch: pytest.MonkeyPatch) -> None:
    may = limits.may_be_retried
    patch.setattr(limits, "may_be_retried", lambda task: may(task) and not task.step.optional)


@bug("9-failure-workflow", "a termination starts the failure workflow")
def _(patch: pytest.MonkeyPatch) -> None:
    def remedied(self: Endings, workflow: WorkflowRecord, ending: Ending, now: int, **_: Any) -> None:
        end(self, workflow, ending, now, is_remedied=True)

    end = Endings.end
    patch.setattr(Endings, "end", remedied)


@bug("9-terminate", "a TERMINATE lets the other branches go on")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Endings, "_cancel", lambda self, workflow, status, now: None)


@bug("9-sub-workflow", "a sub-workflow does not end with the workflow around it")
def _(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Families, "end_child", lambda self, child, reason, now: None)


@bug("8-rule", "timeoutSeconds may be less than responseTimeoutSeconds")
def _(patch: pytest.MonkeyPatch) -> None:
    def lenient(wire: dict[str, Any], path: str) -> Iterator[Any]:
        return check({**wire, "timeoutSeconds": 0}, path)

    check = validation.task_definition
    patch.setattr(validation, "task_definition", lenient)


@bug("8-workflowdef", "a running workflow sees definitions that come later")
def _(patch: pytest.MonkeyPatch) -> None:
    following = Scheduler.after

    def latest(self: Scheduler, workflow: WorkflowRecord, task: TaskRecord, now: int) -> list[TaskRecord]:
        catalog = self._state.catalog
        plan = catalog.plan(workflow.plan.name, workflow.plan.version)
        if plan is not None:
            workflow.plan = plan
            task.step = plan.by_reference.get(task.reference, task.step)
        return following(self, workflow, task, now)

    patch.setattr(Scheduler, "after", latest)
