"""The one place that calls listeners."""

from collections.abc import Iterable
from time import perf_counter

from anyworker.errors import ConfigurationError
from anyworker.events.calls import LOOK_SECONDS, Account, Ear, name_of
from anyworker.events.handlers import handler_of, problem_of
from anyworker.events.kinds import TaskRunnerEvent
from anyworker.events.listener import KINDS, Listener, TaskRunnerEventsListener, method_of
from anyworker.tallies import NoTallies, TallySource


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
        now = perf_counter()
        accounts = [Account(name_of(listener), now) for listener in listeners]
        self._ears: dict[type[TaskRunnerEvent], tuple[Ear, ...]] = {
            kind: tuple(
                Ear(handler, account, kind.__name__)
                for listener, account in zip(listeners, accounts, strict=True)
                if (handler := handler_of(listener, name, TaskRunnerEventsListener)) is not None
            )
            for kind, name in methods.items()
        }

    def hears(self, kind: type[TaskRunnerEvent]) -> bool:
        """Return whether anybody listens, so that no event is built for nobody."""
        return bool(self._ears[kind])

    def publish(self, event: TaskRunnerEvent) -> None:
        """Call each listener; what one raises is logged and reaches neither the others nor the worker."""
        before = perf_counter()
        for ear in self._ears[type(event)]:
            try:
                ear.method(event)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - a stray cancellation would end the worker
                ear.failed(error)
            else:
                if ear.failures:
                    ear.worked()
            now = perf_counter()
            account, taken = ear.account, now - before
            account.spent += taken
            if account.spent > LOOK_SECONDS:
                account.look(now, taken)
            before = now
