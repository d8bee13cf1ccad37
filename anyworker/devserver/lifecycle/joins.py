"""What a JOIN becomes when the tasks that it waits for move."""

from anyworker.devserver.records.records import TaskRecord, WorkflowRecord


def evaluate(join: TaskRecord) -> str | None:
    """Collect what has been put out so far; return the status of a JOIN that is over, None while it waits.

    A task that failed ends it, unless it is optional, or permissive and others still go on. Cancelled tasks
    alone cancel it. The reason is set with the status.
    """
    workflow = join.workflow
    names: list[str] = join.input["joinOn"]
    found = [task for name in names if (task := workflow.latest.get(name)) is not None]
    is_complete = len(found) == len(names) and all(task.is_terminal for task in found)
    output = dict(join.output)
    for task in found:
        if task.output:
            output[task.reference] = task.output
        if _ends(task, is_complete=is_complete):
            join.output = output
            return _fail(join, found)
    join.output = output
    return _complete(join, found) if is_complete else None


def _ends(task: TaskRecord, *, is_complete: bool) -> bool:
    step = task.step
    return task.is_unsuccessful and not step.optional and (is_complete or not step.permissive)


def _fail(join: TaskRecord, tasks: list[TaskRecord]) -> str:
    unsuccessful = [task for task in tasks if task.is_unsuccessful]
    join.reason = " ".join(task.reason for task in unsuccessful if task.reason is not None)
    only_cancelled = all(task.status == "CANCELED" for task in unsuccessful if not task.step.optional)
    return "CANCELED" if only_cancelled else "FAILED"


def _complete(join: TaskRecord, tasks: list[TaskRecord]) -> str:
    erroneous = [
        f"{task.step.definition_name}/{task.task_id} "
        for task in tasks
        if task.step.optional and task.status == "COMPLETED_WITH_ERRORS"
    ]
    if not erroneous:
        return "COMPLETED"
    join.reason = "".join(erroneous) + "completed with errors"
    return "COMPLETED_WITH_ERRORS"


def waiting(workflow: WorkflowRecord) -> list[TaskRecord]:
    """Return the JOINs of a workflow that are not over."""
    return [
        task
        for task in workflow.pending.values()
        if task.step.kind == "JOIN" and task.status == "IN_PROGRESS"
    ]
