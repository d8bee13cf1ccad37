"""What the code says of its task types, for the server to know."""

from collections.abc import Iterable

from anyworker.conductor.models import TaskResult
from anyworker.context import TaskInProgress
from anyworker.options import ResolvedWorker
from anyworker.runner.assembly import call_of
from anyworker.runner.registration import Declared
from anyworker.values.returns import resolve_return
from anyworker.values.schema import input_schema, output_schema


def declarations(workers: Iterable[ResolvedWorker]) -> list[Declared]:
    """Return what is to be registered, of several workers of one task type the first one's."""
    found: dict[str, Declared] = {}
    for resolved in workers:
        if resolved.options.register_task_def:
            found.setdefault(resolved.worker.task_definition_name, declared(resolved))
    return list(found.values())


def declared(resolved: ResolvedWorker) -> Declared:
    """Return what the code says of a worker's task type.

    Raises:
        DeclarationError: A parameter that no input can fill.
    """
    worker, strict = resolved.worker, resolved.options.strict_schema
    returned = resolve_return(worker.execute_function, strict=strict, ignored={TaskInProgress, TaskResult})
    return Declared(
        task_type=worker.task_definition_name,
        template=worker.task_def,
        input_schema=input_schema(call_of(resolved)),
        output_schema=output_schema(returned),
        overwrite=resolved.options.overwrite_task_def,
    )
