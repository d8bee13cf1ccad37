"""Look at objects that are given as listeners."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any


def handler_of(listener: object, name: str, base: type) -> Callable[[Any], object] | None:
    """Return the listener's method of a name, None where it has none but that of its base."""
    if getattr(type(listener), name, None) is getattr(base, name):
        return None
    handler: Callable[[Any], object] | None = getattr(listener, name, None)
    return handler


def problem_of(listener: object, names: Iterable[str]) -> str | None:
    """Return why an object cannot be a listener, None if it can.

    Args:
        listener: The object.
        names: The methods that are called.
    """
    if isinstance(listener, type):
        return f"event listener {listener.__name__} is a class: give an instance, {listener.__name__}()"
    names = tuple(names)
    handlers = [getattr(listener, name, None) for name in names]
    if not any(handlers):
        return f"event listener {listener!r} has none of the methods {', '.join(names)}"
    for name, handler in zip(names, handlers, strict=True):
        if handler is not None and not callable(handler):
            return f"event listener {listener!r}: {name} is not callable"
        if inspect.iscoroutinefunction(handler):
            return (
                f"event listener {listener!r}: {name} is async; events are published synchronously, use def"
            )
    return None
