"""A listener that keeps what it hears."""

from typing import TypeVar

from anyworker.events import TaskRunnerEvent
from anyworker.events.listener import KINDS, method_of

Event = TypeVar("Event", bound=TaskRunnerEvent)


class Ear:
    """Hear events of some kinds, or of all.

    Args:
        kinds: Which; none means all.
    """

    def __init__(self, *kinds: type[TaskRunnerEvent]) -> None:
        self.events: list[TaskRunnerEvent] = []
        for kind in kinds or KINDS:
            setattr(self, method_of(kind), self.events.append)

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]

    def names(self) -> list[str]:
        return [type(event).__name__ for event in self.events]
