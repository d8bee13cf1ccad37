"""What a task came to: tell the server, and have the task in hand no more."""

from typing import TYPE_CHECKING

import anyio
from anyio.abc import TaskGroup

from anyworker.conductor.models import Task
from anyworker.context import now_ms
from anyworker.errors import ConductorError
from anyworker.policy.outcome import Abandoned, Dropped, HandedBack, Outcome, to_result
from anyworker.runner.calling.execution import Executor
from anyworker.runner.delivery import Delivery
from anyworker.runner.in_hand import Execution
from anyworker.runner.leases.leasing import Heartbeats, Keeper
from anyworker.runner.outbox.journal import Journal
from anyworker.runner.parcel import Parcel
from anyworker.runner.reporting import Reporter

if TYPE_CHECKING:
    from anyworker.runner.successors import Successors


class Settlement:
    """Settle the tasks of one worker.

    Args:
        in_hand: The tasks in hand, by id; those that are settled are taken out.
        executor: Makes results ready for the wire.
        delivery: Brings them home.
        keeper: Keeps the leases of tasks whose results wait.
        reporter: Hears what happens.
        journal: Knows which functions have begun, where that is kept.
    """

    def __init__(
        self,
        in_hand: dict[str, Execution],
        executor: Executor,
        delivery: Delivery,
        keeper: Keeper,
        *,
        reporter: Reporter,
        journal: Journal | None,
    ) -> None:
        self._in_hand = in_hand
        self._executor = executor
        self._delivery = delivery
        self._keeper = keeper
        self._reporter = reporter
        self._journal = journal
        self.successors: Successors | None = None
        """What asks for the next task with a result, where something does."""
        self.finished = 0
        """Tasks that have left the worker's hands, one way or another."""
        self._left: set[str] = set()
        """Tasks whose functions began here and of which the server is told nothing."""
        self.abandoned: list[Execution] = []
        """Tasks whose threads could not be stopped; the server gives them away when their lease ends."""

    def knows(self, task_id: str) -> bool:
        """Return whether a task is in hand, or has been and is not to be run here once more."""
        return task_id in self._in_hand or task_id in self._left or task_id in self._delivery.given_up

    def is_repeated(self, task: Task) -> bool:
        """Return whether a poll brings a task that is in hand, and has not been given back meanwhile."""
        known = self._in_hand.get(task.task_id)
        if known is None or known.has_come_back(task.poll_count):
            return False
        # The server counts this poll too; a higher count than known would pass for somebody else's poll.
        known.wire_poll_count = max(known.wire_poll_count, task.poll_count)
        return True

    async def stores(self, task_id: str) -> bool:
        """Return whether the outbox holds the task's result."""
        return await self._delivery.stores(task_id)

    async def settle(
        self, execution: Execution, outcome: Outcome, children: TaskGroup | None = None
    ) -> Task | None:
        """Tell the server what a task came to, and have it in hand no more.

        Args:
            execution: The task.
            outcome: What it came to.
            children: Given where a next task is welcome; what has to do with it is started there.

        Returns:
            The next task, which came with the answer: in nobody's hands yet.
        """
        result, parcel, successor = None, None, None
        execution.has_outcome = True
        if execution.is_interrupted:
            self._reporter.cancelled(execution, outcome)
        try:
            if isinstance(outcome, Dropped | Abandoned):
                self._let_go(execution, outcome)
                return None
            result = to_result(outcome, execution.draft, now_ms=now_ms)
            parcel = await self._executor.packed(result, execution)
            parcel.is_hand_back = isinstance(outcome, HandedBack)
            self._leave_journal(execution, outcome)
            result = parcel.result
            self._reporter.executed(execution, outcome, parcel)
            if parcel.surplus_logs:
                await self._delivery.send_surplus_logs(parcel)
            await self._delivery.store_ahead(parcel)
            execution.is_held = True
            if execution.extension is not None:
                await self._keeper.hold(execution)
            if not parcel.is_terminal:
                is_taken = await self._progress(execution, parcel, outcome)
            elif children and self.successors and self.successors.are_wanted(execution):
                heartbeats = Heartbeats(self._keeper, execution)
                is_taken, successor = await self.successors.deliver(execution, parcel, heartbeats, children)
            else:
                # As `deliver`, of which there would be one more for every result under way.
                try:
                    await self._delivery.attempt(parcel)
                    is_taken = True
                except ConductorError as error:
                    heartbeats = Heartbeats(self._keeper, execution)
                    is_taken = await self._delivery.persist(parcel, error, heartbeats)
            self._delivery.settled(parcel, is_taken=is_taken)
        except anyio.get_cancelled_exc_class():
            if result is not None:
                self._delivery.surface(result, parcel)
            raise
        finally:
            self._finish(execution, outcome)
        return successor

    def _let_go(self, execution: Execution, outcome: Dropped | Abandoned) -> None:
        if isinstance(outcome, Dropped):
            self._reporter.dropped(execution, outcome)
        else:
            self.abandoned.append(execution)
            self._reporter.abandoned(execution)

    def _finish(self, execution: Execution, outcome: Outcome) -> None:
        self._leave_journal(execution, outcome)
        task_id = execution.draft.task.task_id
        if isinstance(outcome, Dropped | Abandoned):
            self._left.add(task_id)
        if self._in_hand.get(task_id) is execution:
            del self._in_hand[task_id]
            self.finished += 1

    def _leave_journal(self, execution: Execution, outcome: Outcome) -> None:
        """Note that the task can harm the process no more."""
        if self._journal is not None:
            is_over = not isinstance(outcome, HandedBack | Dropped | Abandoned)
            self._journal.end(execution.draft.task, is_over=is_over)

    async def _progress(self, execution: Execution, parcel: Parcel, outcome: Outcome) -> bool:
        # If the task comes back meanwhile, the server has had it.
        is_taken = True
        execution.progress_scope = anyio.CancelScope()
        with execution.progress_scope:
            is_taken = await self._delivery.deliver(parcel, Heartbeats(self._keeper, execution))
        if is_taken and isinstance(outcome, HandedBack):
            self._reporter.handed_back(execution, outcome)
        return is_taken
