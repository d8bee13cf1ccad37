"""Look at objects that are given as listeners."""

import inspect
from collections.abc import Callable, Iterable, Iterator
from typing import Any


def handlers_of(listeners: Iterable[object], name: str, base: type) -> Iterator[Callable[[Any], object]]:
    """Return the listeners' methods of a name, without those that they only have from their base."""
    for listener in listeners:
        handler = getattr(listener, name, None)
        if handler is None or getattr(type(listener), name, None) is getattr(base, name):
            continue
        yield handler


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
