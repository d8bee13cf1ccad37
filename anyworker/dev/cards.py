"""What is known of a worker once its code is imported: its input, and an example to try it with."""

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from anyworker.dev.messages import Card
from anyworker.options import ResolvedWorker
from anyworker.runner.assembly import call_of
from anyworker.values.objects import Absent, Member, ObjectShape
from anyworker.values.shapes import Misfit, Shape
from anyworker.worker import Worker

_CANDIDATES: tuple[object, ...] = (
    "text",
    1.5,
    1,
    True,
    [],
    {},
    "2026-01-31T12:00:00Z",
    "2026-01-31",
    "12:00:00",
    "PT1H",
    "00000000-0000-4000-8000-000000000000",
)
"""Tried in this order: the first that a type takes is shown as its example."""


def card(resolved: ResolvedWorker) -> Card:
    """Return the card of a worker.

    Raises:
        DeclarationError: A parameter that no input can fill.
    """
    worker = resolved.worker
    members = call_of(resolved).members.members
    values = _defaults(worker)
    defaults = {member.key: values[member.name] for member in members if member.name in values}
    known = [
        member for member in members if member.absent is not Absent.LEFT_OUT or _is_settable(member, defaults)
    ]
    task_def = _task_def(worker)
    stated: list[str] = [] if task_def is None else task_def.get("inputKeys", [])
    template: Mapping[str, Any] = {} if task_def is None else task_def.get("inputTemplate", {})
    names = dict.fromkeys([*(member.key for member in known), *stated, *template])
    return Card(
        task_type=worker.task_definition_name,
        origin=str(worker.origin),
        inputs=list(names),
        defaults={**defaults, **template},
        example=example(members),
        task_def=task_def,
        domain=resolved.options.domain,
        registers=resolved.options.register_task_def,
    )


def example(members: Iterable[Member]) -> dict[str, Any]:
    """Return a value for each member that must be there."""
    return {member.key: _example_of(member.shape) for member in members if member.absent is Absent.REFUSED}


def _example_of(shape: Shape) -> object:
    if isinstance(shape, ObjectShape):
        # Nothing is built: the user's own class would run.
        return example(shape.members.members)
    for candidate in _CANDIDATES:
        if type(candidate) in shape.accepts:
            try:
                shape.convert(candidate)
            except Misfit:
                continue
            return candidate
    return None


def _is_settable(member: Member, defaults: Mapping[str, Any]) -> bool:
    """Tell whether a null in the place of an absent value leaves the function its default.

    A task definition's template replaces null by the default where JSON can say it.
    """
    return member.key in defaults or type(None) in member.shape.accepts


def _defaults(worker: Worker) -> dict[str | None, Any]:
    """Return the defaults of parameters by their names, those that JSON can say and that are not null."""
    found: dict[str | None, Any] = {}
    try:
        parameters = inspect.signature(worker.execute_function).parameters.values()
    except (TypeError, ValueError):
        return found
    for parameter in parameters:
        if parameter.default is parameter.empty or parameter.default is None:
            continue
        try:
            found[parameter.name] = msgspec.json.decode(msgspec.json.encode(parameter.default))
        except (TypeError, ValueError, OverflowError, RecursionError):
            continue
    return found


def _task_def(worker: Worker) -> dict[str, Any] | None:
    if worker.task_def is None:
        return None
    wire: dict[str, Any] = msgspec.to_builtins(worker.task_def)
    return {**wire, "name": worker.task_definition_name}
