"""What stands in a function's signature: its parameters and annotations, resolved one by one."""

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from anyworker.errors import DeclarationError
from anyworker.values.fields import evaluated


def parameters_of(function: Callable[..., object]) -> list[inspect.Parameter]:
    """Return the parameters.

    Raises:
        DeclarationError: They cannot be read.
    """
    try:
        return list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError) as error:
        reason = f"{name_of(function)}: its parameters cannot be read: {error}"
        raise DeclarationError(reason) from None


def annotated_function(function: Callable[..., object]) -> Callable[..., object]:
    """Return the plain function inside partials, wrappers, bound methods and callable objects."""
    target = function
    while True:
        if isinstance(target, functools.partial):
            target = target.func
        elif inspect.ismethod(target):
            target = target.__func__
        elif hasattr(target, "__wrapped__"):
            target = target.__wrapped__
        elif inspect.isroutine(target) or isinstance(target, type):
            return target
        else:
            target = type(target).__call__


def bound_names(target: Callable[..., object], free: list[inspect.Parameter]) -> frozenset[str]:
    """Return the names that ``**kwargs`` cannot take, because a method or partial has filled them.

    Args:
        target: The plain function inside.
        free: The parameters that are left.
    """
    if all(parameter.kind is not inspect.Parameter.VAR_KEYWORD for parameter in free):
        return frozenset()
    by_name = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    names = {parameter.name for parameter in parameters_of(target) if parameter.kind in by_name}
    return frozenset(names.difference(parameter.name for parameter in free))


def scope_of(target: Callable[..., object], namespace: Mapping[str, Any]) -> dict[str, Any]:
    """Return where the names in the annotations of a plain function are looked up."""
    scope = {**getattr(target, "__globals__", {}), **namespace}
    scope.update((variable.__name__, variable) for variable in getattr(target, "__type_params__", ()))
    code, cells = getattr(target, "__code__", None), getattr(target, "__closure__", None) or ()
    for name, cell in zip(code.co_freevars if code is not None else (), cells, strict=False):
        try:
            scope[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    return scope


def annotation_of(parameter: inspect.Parameter, scope: dict[str, Any]) -> Any:
    """Resolve one annotation by itself, so that a failure belongs to its parameter."""
    if parameter.annotation is parameter.empty:
        return parameter.empty
    return evaluated(parameter.annotation, scope)


def name_of(function: Callable[..., object]) -> str:
    """Return how messages call a function."""
    target = annotated_function(function)
    return f"{target.__module__}.{target.__qualname__}"
