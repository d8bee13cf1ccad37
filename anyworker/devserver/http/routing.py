"""From method and path to the handler of an endpoint."""

from collections.abc import Iterator
from typing import Generic, TypeVar

import attrs

Handler = TypeVar("Handler")


@attrs.define(eq=False)
class _Node(Generic[Handler]):
    """One segment of known paths."""

    literals: "dict[str, _Node[Handler]]" = attrs.field(factory=dict)
    variable: "_Node[Handler] | None" = None
    handlers: dict[str, Handler] = attrs.field(factory=dict)


@attrs.frozen
class WrongMethod:
    """The path is known, but not with this method."""

    allowed: tuple[str, ...]


class Router(Generic[Handler]):
    """Handlers by method and path; where several patterns fit, the one that is literal earlier goes first."""

    def __init__(self) -> None:
        self._root: _Node[Handler] = _Node()
        self.routes: list[tuple[str, str]] = []
        """Method and pattern of all that was added."""

    def add(self, method: str, pattern: str, handler: Handler) -> None:
        """Make a handler known.

        Args:
            method: Upper case.
            pattern: ``/tasks/{id}/log``: a segment in braces stands for any one segment.
            handler: What to return for it.
        """
        node = self._root
        for segment in pattern.split("/")[1:]:
            if segment.startswith("{"):
                node.variable = node.variable or _Node()
                node = node.variable
            else:
                node = node.literals.setdefault(segment, _Node())
        node.handlers[method] = handler
        self.routes.append((method, pattern))

    def find(self, method: str, segments: list[str]) -> tuple[Handler, tuple[str, ...]] | WrongMethod | None:
        """Return the handler and the path's variables, or why there is none: None for an unknown path."""
        allowed: dict[str, None] = {}
        for handlers, variables in _matches(self._root, segments, 0, ()):
            handler = handlers.get(method)
            if handler is not None:
                return handler, variables
            allowed.update(dict.fromkeys(handlers))
        return WrongMethod(tuple(allowed)) if allowed else None


def _matches(
    node: _Node[Handler], segments: list[str], position: int, variables: tuple[str, ...]
) -> Iterator[tuple[dict[str, Handler], tuple[str, ...]]]:
    if position == len(segments):
        if node.handlers:
            yield node.handlers, variables
        return
    segment = segments[position]
    literal = node.literals.get(segment)
    if literal is not None:
        yield from _matches(literal, segments, position + 1, variables)
    if node.variable is not None and segment:
        yield from _matches(node.variable, segments, position + 1, (*variables, segment))
