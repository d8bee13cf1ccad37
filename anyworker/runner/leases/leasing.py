"""Look after the tasks in hand, above all their leases: one keeper for a runner, however many tasks.

It sleeps until the earliest deadline that it knows. Tasks that end before theirs cost nothing: the keeper
learns of a task by looking through those in hand when it wakes, and a task taken later than another is due
later, too, so that taking it wakes nobody.
"""

import math
from collections.abc import Callable, Mapping, Sequence

import anyio
import anyio.abc
import attrs

from anyworker.conductor.models import Task
from anyworker.errors import ConductorError, NotFoundError, TransportError
from anyworker.policy.cancellation import CancelReason, LeaseLost, Terminated
from anyworker.policy.leases import Lease, earliest_extension, longest_patience
from anyworker.policy.watching import earliest_look
from anyworker.runner.in_hand import Execution
from anyworker.runner.leases.reporting import LeaseReporter
from anyworker.runner.leases.watching import Watch
from anyworker.runner.polls.polling import PollClient

EXTENSIONS_AT_ONCE = 32
"""Most heartbeats of a runner that are under way together."""
EXTENSIONS_OF_ONE = 3
"""Most of them for one task: beside those that are late there may be one that is not."""
LONGEST_EXTENSION = 10.0
"""Seconds after which a heartbeat that is late is given up."""


class Keeper:
    """Extend the leases of one runner's tasks.

    Args:
        client: The server.
        reporter: Hears what happens.
        in_hand: The tasks, by id; the runner puts them in and takes them out.
        watch: Looks after their functions whenever the keeper wakes.
        extends: Whether leases are extended at all.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        client: PollClient,
        reporter: LeaseReporter,
        in_hand: Mapping[str, Execution],
        watch: Watch,
        *,
        extends: bool,
        draw: Callable[[], float],
    ) -> None:
        self._client = client
        self._reporter = reporter
        self._in_hand = in_hand
        self._watch = watch
        self._extends = extends
        self._draw = draw
        self._leases: dict[Execution, Lease] = {}
        """Of the tasks that were in hand when it last looked."""
        self._under_way = 0
        self._wakes_at = math.inf
        self._woken = anyio.Event()
        self.wakeups = 0
        """How often it has woken from waiting for a deadline."""

    def took(self, tasks: Sequence[Task], now: float) -> None:
        """Take note of tasks that were just taken in hand, at least one."""
        shortest = min(task.response_timeout_seconds for task in tasks)
        after = earliest_look(shortest)
        if self._extends:
            after = min(after, earliest_extension(shortest))
        self._expect(now + after)

    def look(self) -> None:
        """Look through the tasks in hand now."""
        self._expect(anyio.current_time())

    async def hold(self, execution: Execution) -> None:
        """Send no heartbeat for a task until `release`; return when those under way have their answers.

        A result sent beside a heartbeat may be lost: the server writes the task back as it was before. One
        that comes after the lease is lost for certain, so a late heartbeat is awaited no longer than that.
        """
        execution.is_held = True
        if execution.extension is not None:
            self.look()
            await execution.extension.wait()

    def release(self, execution: Execution) -> None:
        """Go on with the heartbeats of a task whose result was not taken."""
        execution.is_held = False
        self._expect(anyio.current_time())

    async def run(self) -> None:
        """Keep leases until cancelled."""
        try:
            async with anyio.create_task_group() as extensions:
                while True:
                    while (now := anyio.current_time()) < self._wakes_at:
                        with anyio.CancelScope(deadline=self._wakes_at):
                            await self._woken.wait()
                        self._woken = anyio.Event()
                        self.wakeups += 1
                    self._look_through(now, extensions)
        finally:
            self._reporter.look_through(())

    def _look_through(self, now: float, extensions: anyio.abc.TaskGroup) -> None:
        due: list[tuple[float, Execution, Lease]] = []
        self._wakes_at = self._watch.look_through(self._in_hand.values(), now, extensions)
        self._leases = {execution: self._lease_of(execution) for execution in self._leased()}
        self._reporter.look_through(self._leases)
        for execution, lease in self._leases.items():
            if lease.is_over:
                continue
            if execution.is_held:
                self._let_result_go(execution, lease, now)
            elif lease.due <= now and self._is_due(execution, lease, now):
                due.append((lease.ends, execution, lease))
            elif not lease.is_over:
                self._wakes_at = min(self._wakes_at, lease.due)
        due.sort(key=lambda entry: entry[0])
        for _, execution, lease in due[: EXTENSIONS_AT_ONCE - self._under_way]:
            self._under_way += 1
            execution.extensions += 1
            if execution.extension is None or execution.extension.is_set():
                execution.extension = anyio.Event()
            lease.due = now + lease.patience(now)
            self._wakes_at = min(self._wakes_at, lease.due)
            extensions.start_soon(self._extend, execution, lease)

    def _let_result_go(self, execution: Execution, lease: Lease, now: float) -> None:
        """Stop awaiting a late heartbeat while there is time to send the result; look again before that.

        Once nothing is held, whatever ends that tells when the next heartbeat is due.
        """
        if execution.extension is not None and not execution.extension.is_set():
            if lease.last_call <= now:
                execution.extension.set()
            else:
                self._wakes_at = min(self._wakes_at, lease.last_call)

    def _is_due(self, execution: Execution, lease: Lease, now: float) -> bool:
        """Return whether to send a heartbeat now; one without an answer in time has failed."""
        if execution.extensions:
            self._failed(execution, lease, _too_late(longest_patience(lease.response_timeout)))
        if lease.is_lost(now):
            self._lose(execution, lease)
            return False
        if execution.extensions < EXTENSIONS_OF_ONE:
            return True
        lease.due = now + lease.patience(now)
        return False

    def _leased(self) -> list[Execution]:
        if not self._extends:
            return []
        return [
            execution
            for execution in self._in_hand.values()
            if execution.draft.task.response_timeout_seconds > 0
        ]

    def _lease_of(self, execution: Execution) -> Lease:
        lease = self._leases.get(execution)
        if lease is None:
            task = execution.draft.task
            lease = Lease(task.response_timeout_seconds, execution.taken, self._draw)
        return lease

    def _lose(self, execution: Execution, lease: Lease) -> None:
        lease.is_over = True
        self._reporter.lost(execution, lease.response_timeout)
        self._cancel(execution, LeaseLost())

    def _cancel(self, execution: Execution, reason: CancelReason) -> None:
        if not execution.has_outcome:
            execution.cancel(reason)
            self.look()

    async def _extend(self, execution: Execution, lease: Lease) -> None:
        sent = anyio.current_time()
        error: ConductorError | None = None
        try:
            # Not cut off when it is late: what the server does then would come beside the result.
            with anyio.move_on_after(LONGEST_EXTENSION) as scope:
                await self._client.extend_lease(execution.draft.task)
            if scope.cancelled_caught:
                error = _too_late(anyio.current_time() - sent)
        except ConductorError as failure:
            error = failure
        finally:
            self._under_way -= 1
            execution.extensions -= 1
            if execution.extension is not None and not execution.extensions:
                execution.extension.set()
                execution.extension = None
        self._extended(execution, lease, sent, error)

    def _extended(
        self, execution: Execution, lease: Lease, sent: float, error: ConductorError | None
    ) -> None:
        now = anyio.current_time()
        if error is None:
            self._reporter.extended(execution, now - sent)
            if lease.failures or sent >= lease.ends:
                # The server accepts heartbeats also for a task that it has given away meanwhile.
                self._watch.look_soon(execution)
                self._expect(now)
            lease.extended(sent, now)
        elif isinstance(error, NotFoundError):
            lease.is_over = True
            self._cancel(execution, Terminated(str(error)))
        else:
            self._failed(execution, lease, error)
        # Where many were due at once, this one has made room for another.
        is_crowded = self._under_way == EXTENSIONS_AT_ONCE - 1
        self._expect(now if is_crowded else lease.due)

    def _failed(self, execution: Execution, lease: Lease, error: ConductorError) -> None:
        now = anyio.current_time()
        lease.failed(now)
        self._reporter.failed(execution, error, failures=lease.failures, left=lease.ends - now)

    def _expect(self, due: float) -> None:
        """Wake at a time, if not before."""
        if due < self._wakes_at:
            self._wakes_at = due
            self._woken.set()


@attrs.frozen(eq=False)
class Heartbeats:
    """The heartbeats of one task, for whoever sends its result."""

    keeper: Keeper
    execution: Execution

    async def hold(self) -> None:
        """Send none until `release`; return when the one under way has its answer."""
        await self.keeper.hold(self.execution)

    def release(self) -> None:
        """Go on with them, because the result was not taken."""
        self.keeper.release(self.execution)


def _too_late(seconds: float) -> TransportError:
    reason = f"no answer to a heartbeat within {seconds:.1f} s"
    return TransportError(reason, method="POST", path="/tasks", may_have_arrived=True)
