"""What the code says of its task types, for the server to know."""

import logging
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from anyworker.conductor.models import TaskDef, TaskResult
from anyworker.context import TaskInProgress
from anyworker.errors import ConfigurationError, DeclarationError
from anyworker.options import ResolvedWorker
from anyworker.runner.assembly import call_of
from anyworker.runner.registration import Declared
from anyworker.values.returns import resolve_return
from anyworker.values.schema import input_schema, output_schema

logger = logging.getLogger(__name__)


def declarations(workers: Iterable[ResolvedWorker]) -> list[Declared]:
    """Return what is to be registered, one for each task type.

    Workers of one task type, each of its own domain, share its definition: what their templates say is put
    together, the schemas are the first one's.

    Raises:
        ConfigurationError: Templates that contradict each other; all fields are named.
    """
    return merged(resolved for resolved in workers if resolved.options.register_task_def)


def check_templates(workers: Iterable[ResolvedWorker]) -> None:
    """Refuse what `declarations` would refuse of templates, also of workers that run in other processes.

    Raises:
        ConfigurationError: Templates that contradict each other; all fields are named.
    """
    registered = [resolved for resolved in workers if resolved.options.register_task_def]
    if problems := [problem for group in _by_type(registered) for problem in _contradictions(group)]:
        raise ConfigurationError(problems)


def merged(workers: Iterable[ResolvedWorker]) -> list[Declared]:
    """Return what the code says of each task type, as `declarations` does, registered or not.

    Raises:
        ConfigurationError: Parameters that no input can fill, templates that contradict each other.
    """
    groups = _by_type(workers)
    problems = [problem for group in groups for problem in _contradictions(group)]
    found: list[Declared] = []
    for group in groups:
        try:
            found.append(_of_group(group))
        except DeclarationError as error:
            problems += error.problems
    if problems:
        raise ConfigurationError(problems)
    return found


def declared(resolved: ResolvedWorker) -> Declared:
    """Return what the code says of a worker's task type.

    Raises:
        DeclarationError: A parameter that no input can fill.
    """
    worker, strict = resolved.worker, resolved.options.strict_schema
    returned = resolve_return(
        worker.execute_function,
        strict=strict,
        ignored={TaskInProgress, TaskResult},
        namespace=worker.local_types,
    )
    return Declared(
        task_type=worker.task_definition_name,
        template=worker.task_def,
        input_schema=input_schema(call_of(resolved)),
        output_schema=output_schema(returned),
        overwrite=resolved.options.overwrite_task_def,
    )


def _by_type(workers: Iterable[ResolvedWorker]) -> list[list[ResolvedWorker]]:
    groups: dict[str, list[ResolvedWorker]] = {}
    for resolved in workers:
        groups.setdefault(resolved.worker.task_definition_name, []).append(resolved)
    return list(groups.values())


def _of_group(group: Sequence[ResolvedWorker]) -> Declared:
    first, *others = (declared(resolved) for resolved in group)
    for resolved, other in zip(group[1:], others, strict=True):
        if (other.input_schema, other.output_schema) != (first.input_schema, first.output_schema):
            logger.warning(
                "Task type %r is registered with the schemas of %s; those of %s differ",
                first.task_type,
                group[0].worker.origin,
                resolved.worker.origin,
            )
    fields = {name: value for resolved in group for name, value in _said(resolved).items()}
    return Declared(
        task_type=first.task_type,
        template=TaskDef(**{**fields, "name": first.task_type}) if fields else None,
        input_schema=first.input_schema,
        output_schema=first.output_schema,
        overwrite=all(resolved.options.overwrite_task_def for resolved in group),
    )


def _contradictions(group: Sequence[ResolvedWorker]) -> list[str]:
    said: dict[str, tuple[Any, ResolvedWorker]] = {}
    problems: list[str] = []
    for resolved in group:
        for name, value in _said(resolved).items():
            found, source = said.setdefault(name, (value, resolved))
            if found != value and name != "name":
                problems.append(
                    f"task type {resolved.worker.task_definition_name!r} has one definition for all domains, "
                    f"but its task_defs say {name}={found!r} ({source.worker.origin}) and {name}={value!r} "
                    f"({resolved.worker.origin}): say the same, or leave it to one of them"
                )
    return problems


def _said(resolved: ResolvedWorker) -> dict[str, Any]:
    """Return the fields that a worker's template sets."""
    template = resolved.worker.task_def
    if template is None:
        return {}
    fields = msgspec.structs.asdict(template)
    return {name: value for name, value in fields.items() if value is not msgspec.UNSET}
