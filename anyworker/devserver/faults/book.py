"""All faults of a server: kept in order, counted, undone."""

import functools
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator

from anyworker.devserver.faults import checks
from anyworker.devserver.faults.chaos import Chaos
from anyworker.devserver.faults.kinds import Delivery, Kind
from anyworker.devserver.faults.passage import Hit, Passage
from anyworker.devserver.faults.patterns import Route, Routes
from anyworker.devserver.faults.rules import Fault, Limits
from anyworker.devserver.http.exchange import Request

LOG_SIZE = 10_000
POLLS = ("GET /tasks/poll/{type}", "GET /tasks/poll/batch/{type}", "POST /tasks/update-v2")
"""Requests whose answers bring tasks."""


class FaultBook:
    """The faults of a server.

    Args:
        routes: The endpoints of the server.
        clock: Returns the server's time in epoch milliseconds, None where it cannot be known.
        in_loop: Calls something in the server's event loop, from wherever it is called.
    """

    def __init__(
        self,
        routes: Iterable[Route],
        clock: Callable[[], int | None] = lambda: None,
        in_loop: Callable[[Callable[[], None]], None] = lambda call: call(),
    ) -> None:
        self._routes = Routes(routes, "endpoint of this server")
        self._polls = Routes([(method, path) for method, path in map(str.split, POLLS)], "poll")
        self._clock = clock
        self._in_loop = in_loop
        self._faults: tuple[Fault, ...] = ()
        self._added = 0
        self.log: deque[Hit] = deque(maxlen=LOG_SIZE)
        """The last hits of all faults, also of removed ones."""
        self.counts: Counter[str] = Counter()
        """How many hits there were of each kind, also of removed faults."""
        self.is_armed = False
        """Whether there is any fault."""

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._faults)

    def __len__(self) -> int:
        return len(self._faults)

    @property
    def hits(self) -> int:
        """How many hits there were in all."""
        return self.counts.total()

    def find(self, number: int) -> Fault | None:
        """Return the fault of a number, None if there is none."""
        return next((fault for fault in self._faults if fault.number == number), None)

    def clear(self) -> None:
        """Remove all faults, and let go on what waits because of them; counts and log stay."""
        for fault in self._faults:
            fault.remove()

    def reset(self) -> None:
        """Remove all faults, and begin counts and log anew."""
        self.clear()
        self.counts.clear()
        self.log.clear()

    def release(self) -> None:
        """Let go on what waits because of a fault; the faults stay."""
        for fault in self._faults:
            fault.release()

    def passage(self, request: Request) -> Passage:
        """Return the way of a request past the faults, those that are added while it waits too."""
        return Passage(request, self._routes.target(request), lambda: self._faults, self._record)

    def _record(self, hit: Hit) -> None:
        self.log.append(hit)
        self.counts[hit.kind] += 1

    def _add(self, name: str, match: object, kind: Kind | Chaos, given: Limits) -> Fault:
        """Add a fault, behind those that are there.

        Raises:
            ConfigurationError: Its pattern or its limits make no sense.
        """
        limits = checks.limits(given, after_effect=isinstance(kind, Chaos) or kind.after_effect)
        needs_tasks = limits.with_tasks or isinstance(kind, Delivery)
        patterns = checks.patterns(match, self._routes, self._polls if needs_tasks else None)
        self._added += 1
        fault = Fault(
            number=self._added,
            name=name,
            kind=kind,
            patterns=patterns,
            chance=limits.chance,
            remove=lambda: self._remove(fault),
            release=lambda: self._release(fault),
            times=limits.times,
            skip=limits.skip,
            probability=limits.probability,
            span=limits.span,
            with_tasks=limits.with_tasks,
        )
        now = self._clock()
        if now is not None:
            fault.begin(now)
        self._faults = (*self._faults, fault)
        self.is_armed = True
        return fault

    def _remove(self, fault: Fault) -> None:
        fault.is_removed = True
        self._faults = tuple(other for other in self._faults if other is not fault)
        self.is_armed = bool(self._faults)
        self._release(fault)

    def _release(self, fault: Fault) -> None:
        if fault.held:
            self._in_loop(functools.partial(_let_go, fault))


def _let_go(fault: Fault) -> None:
    for let_go in tuple(fault.held):
        let_go()
