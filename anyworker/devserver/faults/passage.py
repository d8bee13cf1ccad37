"""One request on its way past the faults: what it meets before its effect and after."""

from collections.abc import Callable, Iterator

import attrs

from anyworker.devserver.faults.chaos import Chaos
from anyworker.devserver.faults.kinds import Delivery, Kind, Nothing, Outcome, Pause, Reply
from anyworker.devserver.faults.patterns import Target
from anyworker.devserver.faults.rules import Fault
from anyworker.devserver.http.exchange import Answer, Request


@attrs.frozen
class Hit:
    """A fault happened to a request."""

    at: int
    """Epoch milliseconds."""
    request: str
    """Method and path."""
    kind: str
    """The kind of the fault; what was drawn, where chance draws."""
    fault: int
    """The fault's number."""


@attrs.frozen
class Trouble:
    """What a request meets."""

    pauses: tuple[tuple[Fault, float | None], ...] = ()
    """First these, each with its seconds, None for until it is released."""
    reply: Reply | None = None
    """Then this; None: nothing more."""


class Passage:
    """The way of one request past the faults.

    Of the faults that decide what the client gets, the first in order happens and the others do not count
    the request; pauses add up.

    Args:
        request: What was asked.
        target: The same as patterns see it.
        faults: Returns the faults in order.
        record: Called for each hit.
    """

    def __init__(
        self,
        request: Request,
        target: Target,
        faults: Callable[[], tuple[Fault, ...]],
        record: Callable[[Hit], None],
    ) -> None:
        self._request = request
        self._target = target
        self._faults = faults
        self._record = record
        self._met: set[Fault] = set()
        self._drawn: dict[Fault, tuple[str, Kind]] = {}
        self._is_decided = False

    def before(self, now: int) -> Trouble:
        """Return what happens when the request arrives."""
        return self._meet(self._arriving(now), None, now)

    def deliveries(self, now: int) -> Iterator[tuple[Fault, Delivery]]:
        """Yield what happens to the tasks of a poll that is done; those it is for count when taken up."""
        for fault, name, kind in self._leaving(now, has_tasks=True):
            if isinstance(kind, Delivery) and self._strikes(fault, now):
                self._note(fault, name, now)
                yield fault, kind

    def after(self, now: int, answer: Answer, *, has_tasks: bool) -> Trouble:
        """Return what happens when the answer is ready.

        Args:
            now: Epoch milliseconds.
            answer: The answer as it should be.
            has_tasks: Whether it carries tasks.
        """
        return self._meet(self._leaving(now, has_tasks=has_tasks), answer, now)

    def _arriving(self, now: int) -> Iterator[tuple[Fault, str, Kind]]:
        for fault in self._fitting():
            if not isinstance(fault.kind, Chaos):
                if not fault.kind.after_effect:
                    yield fault, fault.name, fault.kind
            elif fault.is_on(now) and (drawn := fault.kind.draw(self._target.name)) is not None:
                self._drawn[fault] = drawn
                if not drawn[1].after_effect:
                    yield fault, *drawn

    def _leaving(self, now: int, *, has_tasks: bool) -> Iterator[tuple[Fault, str, Kind]]:
        for fault in self._fitting():
            if fault.with_tasks and not has_tasks:
                continue
            name, kind = self._drawn.get(fault, (fault.name, fault.kind))
            if not isinstance(kind, Chaos) and kind.after_effect:
                yield fault, name, kind

    def _fitting(self) -> Iterator[Fault]:
        return (fault for fault in self._faults() if fault.fits(self._target))

    def _meet(
        self, candidates: Iterator[tuple[Fault, str, Kind]], answer: Answer | None, now: int
    ) -> Trouble:
        pauses: list[tuple[Fault, float | None]] = []
        reply: Reply | None = None
        for fault, name, kind in candidates:
            if isinstance(kind, Delivery) or (self._is_decided and kind.is_exclusive):
                continue
            found = kind.reply(self._request, answer, now) if isinstance(kind, Outcome) else None
            if isinstance(kind, Outcome) and found is None and not isinstance(kind, Nothing):
                continue
            if not self._strikes(fault, now):
                continue
            self._note(fault, name, now)
            if isinstance(kind, Pause):
                pauses.append((fault, kind.seconds))
            else:
                self._is_decided, reply = True, found
        return Trouble(tuple(pauses), reply)

    def _strikes(self, fault: Fault, now: int) -> bool:
        # A step of a script does not begin with the request that ended the step before it.
        return fault.previous not in self._met and fault.strikes(now)

    def _note(self, fault: Fault, name: str, now: int) -> None:
        self._met.add(fault)
        self._record(Hit(now, f"{self._request.method} {self._request.path}", name, fault.number))
