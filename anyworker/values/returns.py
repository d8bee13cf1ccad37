"""A function's return annotation, resolved: what its output may be."""

import typing
from collections import abc
from collections.abc import Callable, Collection, Mapping
from types import NoneType, UnionType
from typing import Any

import attrs

from anyworker.values import docstrings
from anyworker.values.constraints import Described
from anyworker.values.convert import ShapeBuilder
from anyworker.values.fields import evaluated
from anyworker.values.models import ModelShape
from anyworker.values.objects import ObjectShape
from anyworker.values.scalars import NULL
from anyworker.values.shapes import Deferred, Leaf, MapShape, Shape, is_constant
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
    is_strict: bool = False
    """Whether objects with known members have no others."""


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
    builder = ShapeBuilder(scope, is_strict=strict, is_output=True)
    try:
        annotation = evaluated(target.__annotations__["return"], scope)
        shapes = [builder.shape(option) for option in _options(annotation, {*ignored, NoneType})]
        builder.finish()
    except Exception:  # noqa: BLE001 - an annotation is any expression, and may raise anything
        return BoundReturn(description=description)
    flat = [option for shape in shapes for option in _flat(shape) if option.form != NULL.form]
    return BoundReturn(
        tuple(shape for shape in flat if _may_be_output(shape)),
        tuple(shape for shape in flat if _may_be_result(shape)),
        description,
        strict,
    )


def _options(annotation: Any, ignored: Collection[object]) -> list[Any]:
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in _AWAITABLE and arguments:
        return _options(arguments[-1], ignored)
    if origin in {typing.Union, UnionType}:
        return [option for argument in arguments for option in _options(argument, ignored)]
    if origin is typing.Annotated:
        annotated: Any = typing.Annotated
        return [annotated[option, *arguments[1:]] for option in _options(arguments[0], ignored)]
    if hasattr(annotation, "__value__"):  # an alias of a type statement
        return _options(annotation.__value__, ignored)
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


def _may_be_output(shape: Shape) -> bool:
    """Whether some value of the shape is an object, and so the output itself."""
    core = _core(shape)
    return isinstance(core, ObjectShape | MapShape) or (dict in core.accepts and not is_constant(core))


def _may_be_result(shape: Shape) -> bool:
    """Whether some value of the shape is no object."""
    core = _core(shape)
    if isinstance(core, ObjectShape | MapShape):
        return False
    if isinstance(core, ModelShape | Leaf) and dict in core.accepts:
        return core.own_schema.get("type") != "object"
    return True
