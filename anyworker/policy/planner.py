"""When to poll, and for how many: a pure state machine that is told what happened and asked what is next.

Two kinds of polls keep a worker both prompt and cheap. A *waiting* poll asks for one task and lets the
server hold the answer: SQL-backed servers hold a larger one until it is full. A *fill* asks for every free
slot and does not wait: it follows whatever suggests that more is queued - the start, a hit, a full fill,
a freed slot. One of each may be under way at a time.
"""

import enum
import math
from collections.abc import Callable

import attrs

from anyworker.option_table import FIRST_POLL_TIMEOUT
from anyworker.policy.backoff import authorization_delay, empty_poll_delay, error_delay
from anyworker.policy.chaining import Chaining
from anyworker.policy.congestion import BOUND
from anyworker.policy.rates import Rate, RateLimit

LARGEST_BATCH = 64
"""Most tasks to ask for at once: what a Redis-backed server gives at most."""


@attrs.frozen
class Poll:
    """Send a poll."""

    count: int
    """Tasks to ask for, never more than slots are free."""
    timeout: float
    """Seconds the server may hold the answer."""
    is_fill: bool
    """Whether it takes what is queued now, without waiting."""
    withheld: float = 0.0
    """Seconds for which the server might have held it, were places or permits not scarce."""

    def fitted(self, count: int, *, may_wait: bool) -> "Poll":
        """Return the same for so many tasks, and without a wait at the server where it may not wait."""
        if self.timeout and not may_wait:
            return attrs.evolve(self, count=count, timeout=0.0, withheld=self.timeout)
        return self if count == self.count else attrs.evolve(self, count=count)

    def shortened(self, wait: float) -> "Poll":
        """Return the same with so long a wait at the server; 0 stands for none, and a pause in its place."""
        if wait == self.timeout:
            return self
        return attrs.evolve(self, timeout=wait, withheld=0.0 if wait else BOUND)


@attrs.frozen
class Wait:
    """Do nothing before this loop time, unless something changes."""

    until: float


@attrs.frozen
class Stop:
    """Nothing is in hand and nothing will come: the loop ends."""


Decision = Poll | Wait | Stop


class PollFailureKind(enum.Enum):
    """Why a poll failed, as far as the wait after it depends on it."""

    AUTHORIZATION = enum.auto()
    ERROR = enum.auto()


@attrs.frozen
class PollSettings:
    """A worker's options that decide about polling. Durations in seconds."""

    thread_count: int
    poll_interval: float
    poll_timeout: float | None = None
    """The server-side wait; None lets it adapt from 0.1 s to ``idle_poll_timeout``."""
    idle_poll_timeout: float = 1.0
    rate: Rate | None = None
    """How many tasks may come in what time, None for any number."""

    @property
    def shortest_wait(self) -> float:
        """The server-side wait of a busy worker."""
        return (
            min(FIRST_POLL_TIMEOUT, self.idle_poll_timeout)
            if self.poll_timeout is None
            else self.poll_timeout
        )

    @property
    def longest_wait(self) -> float:
        """The server-side wait of an idle worker."""
        return self.idle_poll_timeout if self.poll_timeout is None else self.poll_timeout


class Planner:
    """Decide about the polls of one worker.

    A poll that `next` returns counts as sent; `polled` or `poll_failed` must follow for it exactly once.
    """

    def __init__(self, settings: PollSettings, random: Callable[[], float]) -> None:
        self._settings = settings
        self._random = random
        self._server_wait = settings.shortest_wait
        self._rate = RateLimit(settings.rate)
        self.chaining = Chaining()
        """Whether results ask for the next task."""
        self._is_fill_due = True
        self._has_freed = False
        """Whether it is due because a slot was freed, so that what it brings would have come by update-v2."""
        self._fill_tells = False
        """Whether the fill that is out was."""
        self._fill_out = 0
        """Tasks asked for by the fill that is out, 0 if none is."""
        self._wait_out = 0
        """The same for the waiting poll."""
        self._empty_polls = 0
        self._next_wait = -math.inf
        self._failures = 0
        self._failing_until = -math.inf
        self._is_paused = False
        self._is_draining = False

    @property
    def is_draining(self) -> bool:
        """Whether the worker polls no more and ends when nothing is in hand."""
        return self._is_draining

    @property
    def is_paused(self) -> bool:
        """Whether nothing is polled until `resume`."""
        return self._is_paused

    @property
    def failures(self) -> int:
        """Length of the present streak of failed polls."""
        return self._failures

    @property
    def failing_until(self) -> float:
        """Loop time before which nothing is sent because polls have failed."""
        return self._failing_until

    def next(self, now: float, free: int) -> Decision:
        """Return what to do.

        Args:
            now: Loop time in seconds, never less than before.
            free: Slots that no task and no poll under way holds.
        """
        is_poll_out = bool(self._fill_out or self._wait_out)
        if self._is_draining:
            is_empty = free == self._settings.thread_count and not is_poll_out
            return Stop() if is_empty else Wait(math.inf)
        if self._is_paused or free <= 0 or (self._failures and is_poll_out):
            return Wait(math.inf)
        if now < self._failing_until:
            return Wait(self._failing_until)
        allowed = self._rate.allowed(now)
        if not allowed:
            return Wait(self._rate.opens_at())
        return self._next_poll(now, int(min(free, allowed, LARGEST_BATCH)), is_poll_out=is_poll_out)

    def _next_poll(self, now: float, most: int, *, is_poll_out: bool) -> Poll | Wait:
        if self._is_fill_due and not self._fill_out:
            self._is_fill_due = False
            self._fill_tells, self._has_freed = self._has_freed, False
            self._fill_out = most
            self._rate.hold(most)
            return Poll(most, 0.0, is_fill=True)
        if is_poll_out:
            return Wait(math.inf)
        if now < self._next_wait:
            return Wait(self._next_wait)
        # A server that is not asked to wait does not hold a larger poll back either.
        self._wait_out = count = 1 if self._server_wait > 0 else most
        self._rate.hold(count)
        return Poll(count, self._server_wait, is_fill=False)

    def polled(self, poll: Poll, received: int, now: float) -> None:
        """Take in that a poll was answered with so many tasks."""
        self._end(poll)
        # What was not asked for is handed back.
        self._rate.take(min(received, poll.count), now)
        self._failures = 0
        self._failing_until = -math.inf
        if poll.is_fill and self._fill_tells:
            self.chaining.filled(received)
        if received > 0:
            self._hit(now)
            self._is_fill_due = self._is_fill_due or received >= poll.count
            return
        self._empty_polls += 1
        pause = empty_poll_delay(self._empty_polls, self._settings.poll_interval, self._random())
        self._next_wait = now + max(pause, poll.withheld)
        if not poll.is_fill:
            self._server_wait = min(self._server_wait * 2, self._settings.longest_wait)

    def _hit(self, now: float) -> None:
        self._empty_polls = 0
        self._next_wait = now
        self._server_wait = self._settings.shortest_wait

    def poll_failed(
        self, poll: Poll, kind: PollFailureKind, now: float, retry_after: float | None = None
    ) -> None:
        """Take in that a poll failed: until a delay has passed nothing is sent, then one poll at a time.

        Args:
            poll: The poll.
            kind: What it failed of.
            now: Loop time in seconds.
            retry_after: Seconds the server asked to wait, None if it did not.
        """
        self._end(poll)
        self._is_fill_due = True
        if now < self._failing_until:
            return  # The other poll of this moment has failed already: one streak, one step.
        self._failures += 1
        if kind is PollFailureKind.AUTHORIZATION:
            delay = max(authorization_delay(self._failures), min(retry_after or 0.0, 60.0))
        else:
            delay = error_delay(self._failures, self._random(), retry_after)
        self._failing_until = now + delay

    def may_take(self, now: float) -> bool:
        """Return whether a task may be taken that no poll under way has asked for."""
        return not self._is_draining and self._rate.allowed(now) > 0

    def took(self, now: float) -> None:
        """Take in that such a task has come."""
        self._rate.take(1, now)

    def may_chain(self, now: float) -> bool:
        """Return whether a result may ask for the next task; if so, `chained` must follow."""
        if self._is_draining or self._is_paused or self._failures or self._rate.allowed(now) < 1:
            return False
        self._rate.hold(1)
        self.chaining.under_way += 1
        return True

    def chained(self, now: float, *, hit: bool | None) -> None:
        """Take in whether the answer to such a result had a task, None where none came."""
        self._rate.release(1)
        self.chaining.under_way -= 1
        if hit is not None:
            self.chaining.saw(hit=hit)
        if hit:
            self._rate.take(1, now)
            self._hit(now)

    def slot_freed(self) -> None:
        """Take in that a result was accepted: its successor is often queued already."""
        self._is_fill_due = self._has_freed = True

    def pause(self) -> None:
        """Poll no more until `resume`; tasks in hand go on."""
        self._is_paused = True

    def resume(self) -> None:
        """Poll again, at once."""
        self._is_paused = False
        self._is_fill_due = True

    def drain(self) -> None:
        """Poll no more and stop when nothing is in hand."""
        self._is_draining = True

    def _end(self, poll: Poll) -> None:
        if poll.is_fill:
            self._rate.release(self._fill_out)
            self._fill_out = 0
        else:
            self._rate.release(self._wait_out)
            self._wait_out = 0
