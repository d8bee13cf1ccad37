"""One task in hand."""

from collections.abc import Callable

import anyio
import attrs

from anyworker.policy.cancellation import CancelReason
from anyworker.policy.outcome import Draft, Sent


@attrs.define(eq=False)
class Execution:
    """One task in hand, from its arrival to the acceptance of its result."""

    draft: Draft
    wire_poll_count: int
    """The server's own count, hand-backs included."""
    taken: float = 0.0
    """Loop time of the answer that brought it."""
    since: float = 0.0
    """Epoch seconds of it."""
    scope: anyio.CancelScope | None = None
    """What cancels the call of the function, while it goes on."""
    progress_scope: anyio.CancelScope | None = None
    """Around the delivery of a result that does not end the task, while it goes on."""
    started: float = 0.0
    """Loop time at which the function was called, where somebody wants to know."""
    thread_id: int | None = None
    """The thread in which a plain function runs, while it does."""
    has_begun: bool = False
    """Whether the function was ever called."""
    entry: list[None] | None = None
    """Of a thread to the function. It is taken out once: by the thread, or by whoever leaves the call."""
    thread_end: anyio.Event | None = None
    """Set when that thread has ended, where somebody waits for it."""
    is_left: bool = False
    """Whether nobody waits for the call any more."""
    is_abandoned: bool = False
    """Whether it was left while a thread ran the function."""
    late: Callable[[], Sent | None] | None = None
    """Tells what a call came to after it was given up, None if to nothing."""
    is_marked: bool = False
    """Whether the child that runs it bears the mark of a stray cancellation, whatever came of that."""
    has_outcome: bool = False
    """Whether the call is over, so that its result is all that there is to do."""
    extensions: int = 0
    """Heartbeats under way: one, or more if the first is late."""
    extension: anyio.Event | None = None
    """Set when they have their answers; None while there is none."""
    is_held: bool = False
    """Whether no heartbeat may be sent, because a result is on its way: the server would mix them up."""
    has_no_successor: bool = False
    """Whether the server has looked for the next task with its result, and found none."""
    is_interrupted: bool = False
    """Whether the function ran when its call was cancelled."""
    cancelled_at: float | None = None
    """Loop time at which the call was cancelled."""

    def cancel(self, reason: CancelReason) -> None:
        """Cancel the call, if it is still going on; the first reason counts."""
        self.draft.cancel_reason = self.draft.cancel_reason or reason
        if self.cancelled_at is None:
            self.cancelled_at = anyio.current_time()
        if self.scope is not None:
            self.is_interrupted = True
            self.scope.cancel()

    def enter(self) -> bool:
        """Return, in its thread, whether the function may begin, and take note that it does."""
        if not self._takes_entry():
            return False
        self.has_begun = True
        return True

    def leave(self) -> None:
        """Wait for the call no longer. A thread that is in it goes on."""
        self.is_left = True
        self.is_abandoned = not self._takes_entry() and self.thread_id is not None

    def came_to(self) -> Sent | None:
        """Return what the call came to although it was given up, None as long as a thread goes on with it."""
        return None if self.is_abandoned or self.late is None else self.late()

    def _takes_entry(self) -> bool:
        try:
            return self.entry is not None and self.entry.pop() is None
        except IndexError:  # the other one was faster: taking it out is atomic
            return False

    def has_come_back(self, poll_count: int) -> bool:
        """Return whether a poll shows that the task was given back, although no answer has said so yet.

        A higher poll count means that the server took the result which is still being sent: no more of that.
        """
        if self.progress_scope is None or poll_count <= self.wire_poll_count:
            return False
        self.progress_scope.cancel()
        return True
