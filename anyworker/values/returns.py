"""A function's return annotation, resolved: what its output may be."""

import typing
from collections import abc
from collections.abc import Callable, Collection, Mapping
from types import NoneType, UnionType
from typing import Any

import attrs

from anyworker.errors import DeclarationError
from anyworker.values import docstrings
from anyworker.values.constraints import Described
from anyworker.values.convert import ShapeBuilder
from anyworker.values.fields import evaluated
from anyworker.values.objects import ModelShape, ObjectShape
from anyworker.values.shapes import Deferred, MapShape, Shape
from anyworker.values.signatures import annotated_function, scope_of
from anyworker.values.unions import UnionShape

_AWAITABLE = (abc.Awaitable, abc.Coroutine)


@attrs.frozen(eq=False)
class BoundReturn:
    """What a function may return."""

    outputs: tuple[Shape, ...] = ()
    """What is the output itself: objects."""
    results: tuple[Shape, ...] = ()
    """What stands in the output under ``result``."""
    description: str | None = None


def resolve_return(
    function: Callable[..., object],
    *,
    strict: bool = False,
    ignored: Collection[object] = (),
    namespace: Mapping[str, Any] | None = None,
) -> BoundReturn:
    """Resolve what a function returns; nothing is known of an annotation that cannot be read.

    Args:
        function: Function, bound method, ``functools.partial`` or any callable.
        strict: Whether objects with known members have no others.
        ignored: Members of a union that say nothing about the output; None is one of them always.
        namespace: Further names for annotations that are text.
    """
    target = annotated_function(function)
    scope = scope_of(target, namespace or {})
    description = docstrings.returns(target)
    builder = ShapeBuilder(scope, is_strict=strict)
    try:
        annotation = evaluated(target.__annotations__["return"], scope)
        shapes = [builder.shape(option) for option in _options(annotation, {*ignored, NoneType})]
        builder.finish()
    except (KeyError, AttributeError, NameError, TypeError, DeclarationError):
        return BoundReturn(description=description)
    flat = [option for shape in shapes for option in _flat(shape)]
    return BoundReturn(
        tuple(_as_output(shape) for shape in flat if _is_output(shape)),
        tuple(shape for shape in flat if not _is_output(shape)),
        description,
    )


def _options(annotation: Any, ignored: Collection[object]) -> list[Any]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _AWAITABLE and arguments:
        return _options(arguments[-1], ignored)
    if origin in {typing.Union, UnionType}:
        return [option for argument in arguments for option in _options(argument, ignored)]
    return [] if annotation in ignored or annotation is None else [annotation]


def _flat(shape: Shape) -> tuple[Shape, ...]:
    core = _core(shape)
    return core.options if isinstance(core, UnionShape) else (shape,)


def _core(shape: Shape) -> Shape:
    while isinstance(shape, Described | Deferred):
        inner = shape.base if isinstance(shape, Described) else shape.target
        if inner is None:
            break
        shape = inner
    return shape


def _as_output(shape: Shape) -> Shape:
    """Return the shape without the array that a NamedTuple is read from, but never written as."""
    if isinstance(shape, ObjectShape) and shape.is_positional:
        return attrs.evolve(shape, is_positional=False)
    return shape


def _is_output(shape: Shape) -> bool:
    core = _core(shape)
    return isinstance(core, ObjectShape | ModelShape | MapShape) or set(core.accepts) == {dict}
