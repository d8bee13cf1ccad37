"""The one place that calls listeners."""

import logging
from collections.abc import Callable, Iterable
from typing import Any

from anyworker.errors import ConfigurationError
from anyworker.events.handlers import handlers_of, problem_of
from anyworker.events.kinds import TaskRunnerEvent
from anyworker.events.listener import KINDS, Listener, TaskRunnerEventsListener, method_of
from anyworker.tallies import NoTallies, TallySource

logger = logging.getLogger(__name__)


class Publisher:
    """Bring events to the listeners that want them, in the order in which they were given.

    Args:
        listeners: Who hears them.
        tallies: What counts beside them.

    Raises:
        ConfigurationError: Something given as a listener cannot be one.
    """

    def __init__(self, listeners: Iterable[Listener] = (), tallies: TallySource | None = None) -> None:
        self.tallies: TallySource = tallies or NoTallies()
        listeners, methods = tuple(listeners), {kind: method_of(kind) for kind in KINDS}
        problems = [problem for listener in listeners if (problem := problem_of(listener, methods.values()))]
        if problems:
            raise ConfigurationError(problems)
        self._handlers: dict[type[TaskRunnerEvent], tuple[Callable[[Any], object], ...]] = {
            kind: tuple(handlers_of(listeners, name, TaskRunnerEventsListener))
            for kind, name in methods.items()
        }

    def hears(self, kind: type[TaskRunnerEvent]) -> bool:
        """Return whether anybody listens, so that no event is built for nobody."""
        return bool(self._handlers[kind])

    def publish(self, event: TaskRunnerEvent) -> None:
        """Call each listener; what one raises is logged and reaches neither the others nor the worker."""
        for handler in self._handlers[type(event)]:
            try:
                handler(event)
            except (Exception, SystemExit):
                logger.exception("A listener failed on %s: %r", type(event).__name__, handler)
