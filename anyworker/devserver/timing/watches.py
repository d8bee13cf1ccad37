"""Requests that wait until something holds, looked at now and then, as the real server looks."""

from collections.abc import Callable

import attrs

from anyworker.devserver.timing.deadlines import Deadline, Deadlines

LOOK = 100
"""Milliseconds from one look to the next."""


@attrs.define(eq=False)
class Watch:
    """One thing that is waited for; it goes on by itself, whether or not its client is still there."""

    holds: Callable[[], bool]
    until: int
    """Epoch milliseconds of the last look."""
    outcome: bool | None = None
    """Whether it came to hold in time, None while that is open."""
    on_done: Callable[[], None] | None = None
    """Called once when the outcome is there."""
    deadline: Deadline | None = None

    @property
    def is_done(self) -> bool:
        """Whether the outcome is there."""
        return self.outcome is not None


class Watches:
    """All that is waited for."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._open: dict[Watch, None] = {}

    def add(self, holds: Callable[[], bool], timeout: int, now: int) -> Watch:
        """Wait until something holds.

        Args:
            holds: Looked at every tenth of a second, for the first time after one; not after it was true.
            timeout: Milliseconds it may take; for 0 or less it is not looked at.
            now: Epoch milliseconds.
        """
        watch = Watch(holds, now + timeout)
        if timeout <= 0:
            watch.outcome = False
            return watch
        self._open[watch] = None
        self._look_later(watch, now)
        return watch

    def end_all_early(self) -> None:
        """Look at everything for the last time."""
        for watch in list(self._open):
            self._end(watch, outcome=watch.holds())

    def _look_later(self, watch: Watch, now: int) -> None:
        at = min(now + LOOK, watch.until)
        watch.deadline = self._deadlines.add(at, lambda moment: self._look(watch, moment))

    def _look(self, watch: Watch, now: int) -> None:
        outcome = watch.holds()
        if outcome or now >= watch.until:
            self._end(watch, outcome=outcome)
        else:
            self._look_later(watch, now)

    def _end(self, watch: Watch, *, outcome: bool) -> None:
        self._open.pop(watch)
        watch.outcome = outcome
        if watch.deadline is not None:
            self._deadlines.cancel(watch.deadline)
        if watch.on_done is not None:
            watch.on_done()
