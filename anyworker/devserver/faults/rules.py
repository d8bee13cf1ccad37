"""One fault: its kind, for which requests and how often, and what it has hit so far."""

import contextlib
import random
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self, TypedDict

import attrs

from anyworker.devserver.faults.chaos import Chaos
from anyworker.devserver.faults.kinds import Kind
from anyworker.devserver.faults.patterns import Pattern, Target


class Limits(TypedDict, total=False):
    """How often a fault happens. Nothing given: every time, for ever."""

    times: int | None
    """At most so many times; by default without end, in a script once."""
    skip: int
    """Spare the first so many requests."""
    probability: float
    """Happen to a request with this probability, repeatable by the seed."""
    seed: int
    """What chance begins with, 0 by default."""
    starting_in: float
    """Seconds before it begins."""
    lasting: float | None
    """Seconds after which it is over."""
    with_tasks: bool
    """Only where the answer carries tasks, and so only after the effect."""


@attrs.frozen
class Span:
    """When a fault may happen. Milliseconds, from when it begins to count."""

    start: int = 0
    length: int | None = None

    def has_begun(self, elapsed: int) -> bool:
        """Tell whether it has begun."""
        return elapsed >= self.start

    def has_passed(self, elapsed: int) -> bool:
        """Tell whether it is over."""
        return self.length is not None and elapsed >= self.start + self.length


@attrs.define(eq=False)
class Fault:
    """Something that goes wrong on demand, until it is removed.

    As a context manager it is removed at the end of the block.
    """

    number: int
    """Its name among the faults of a server."""
    name: str
    """The kind, as scripts and the admin route call it."""
    kind: Kind | Chaos
    patterns: tuple[Pattern, ...]
    chance: random.Random
    remove: Callable[[], None]
    """Undo it: it does not happen any more, and what waits because of it goes on."""
    release: Callable[[], None]
    """Let go on what waits because of it."""
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    span: Span = Span()
    with_tasks: bool = False
    previous: "Fault | None" = None
    """What must be over before it begins."""
    hits: int = attrs.field(default=0, init=False)
    """How many requests it has happened to."""
    seen: int = attrs.field(default=0, init=False)
    """How many requests it was meant for while it was on, spared ones included."""
    held: dict[Callable[[], None], None] = attrs.field(factory=dict, init=False)
    """Those that wait because of it: calls that let one go on each."""
    is_removed: bool = attrs.field(default=False, init=False)
    _since: int | None = attrs.field(default=None, init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.remove()

    @property
    def waiting(self) -> int:
        """How many requests wait because of it."""
        return len(self.held)

    @property
    def match(self) -> list[str]:
        """Which requests it is for."""
        return [pattern.text for pattern in self.patterns]

    def fits(self, target: Target) -> bool:
        """Tell whether it is for such a request."""
        return any(pattern.fits(target) for pattern in self.patterns)

    def begin(self, now: int) -> None:
        """Count its time from now on, unless that has begun already."""
        if self._since is None:
            self._since = now

    def wait_for(self, previous: "Fault") -> None:
        """Begin when another one is over; its time counts from then."""
        self.previous = previous
        self._since = None

    def is_over(self, now: int) -> bool:
        """Tell whether it cannot happen any more."""
        if self.times is not None and self.hits >= self.times:
            return True
        return self._since is not None and self.span.has_passed(now - self._since)

    def is_on(self, now: int) -> bool:
        """Tell whether it may happen to a request of this moment."""
        if self.previous is not None and not self.previous.is_over(now):
            return False
        if self._since is None:
            self._since = now
        return not self.is_over(now) and self.span.has_begun(now - self._since)

    def strikes(self, now: int) -> bool:
        """Tell whether it happens to a request that it is for, and count."""
        if not self.is_on(now):
            return False
        self.seen += 1
        if self.seen <= self.skip or (self.probability < 1 and self.chance.random() >= self.probability):
            return False
        self.hits += 1
        return True

    @contextlib.contextmanager
    def holding(self, let_go: Callable[[], None]) -> Iterator[None]:
        """Count one that waits because of it for the length of the block.

        Args:
            let_go: Called when it is to go on, at once if the fault is removed already.
        """
        if self.is_removed:
            let_go()
        self.held[let_go] = None
        try:
            yield
        finally:
            del self.held[let_go]

    def take_back(self) -> None:
        """Count a hit as none: there was nothing for it to happen to."""
        self.hits -= 1
