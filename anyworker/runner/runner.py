"""One worker's life: poll as the planner says, one child of the task group for each task, deliver."""

import random
from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from anyworker.conductor.models import Task
from anyworker.events import Publisher
from anyworker.policy.cancellation import Draining
from anyworker.policy.outcome import Draft, HandedBack, Outcome
from anyworker.policy.planner import Planner, Poll, PollSettings, Stop, Wait
from anyworker.runner.calling.beginning import Beginning
from anyworker.runner.calling.execution import Executor
from anyworker.runner.calling.raising import is_stray
from anyworker.runner.delivery import Delivery
from anyworker.runner.in_hand import Execution
from anyworker.runner.leases.leasing import Keeper
from anyworker.runner.leases.reporting import LeaseReporter
from anyworker.runner.leases.watching import Watch
from anyworker.runner.outbox.journal import Journal
from anyworker.runner.poller import Poller
from anyworker.runner.polls.places import Places
from anyworker.runner.polls.polling import Identity, PollClient, PollHistory, PollUnderWay
from anyworker.runner.polls.reclaiming import Reclaimer
from anyworker.runner.polls.slots import Slot, Slots
from anyworker.runner.reporting import Reporter
from anyworker.runner.settling import Settlement
from anyworker.runner.successors import Successors


class Runner:
    """Run one worker until it has drained.

    Args:
        identity: What to poll.
        settings: The options that decide about polling.
        client: The server.
        executor: Calls the function.
        delivery: Brings the results home.
        publisher: Hears what happens.
        places: What all workers of the process share.
        journal: Keeps which functions have begun, None for nobody does.
        extends_leases: Whether the leases of tasks in hand are extended.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        identity: Identity,
        settings: PollSettings,
        *,
        client: PollClient,
        executor: Executor,
        delivery: Delivery,
        publisher: Publisher,
        places: Places | None = None,
        journal: Journal | None = None,
        extends_leases: bool = False,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.identity = identity
        self.settings = settings
        self._client = client
        self.executor = executor
        """Calls the function."""
        executor.leaks.publisher = publisher
        self.delivery = delivery
        """Brings the results home."""
        self._reporter = Reporter(publisher, identity.task_type, identity.worker_id)
        self._planner = Planner(settings, draw)
        self._slots = Slots(settings.thread_count, places or Places())
        self._in_hand: dict[str, Execution] = {}
        watch = Watch(client, identity.worker_id, self._reporter, timeout=executor.timeout, draw=draw)
        leases = LeaseReporter(publisher, identity.task_type, identity.worker_id)
        self._keeper = Keeper(client, leases, self._in_hand, watch, extends=extends_leases, draw=draw)
        settlement = self._settlement = Settlement(
            self._in_hand, executor, delivery, self._keeper, reporter=self._reporter, journal=journal
        )
        self._reclaimer = Reclaimer(client, identity, settlement, publisher, draw)
        settlement.successors = Successors(
            *(delivery, self._planner, self._slots.places),
            reporter=self._reporter,
            reclaimer=self._reclaimer,
            take_back=self._take_back,
        )
        self._poller = Poller(
            identity,
            client,
            planner=self._planner,
            slots=self._slots,
            reporter=self._reporter,
            reclaimer=self._reclaimer,
            take=self._take_in_hand,
            take_back=self._take_back,
        )
        self._beginning = Beginning(executor, self._planner, self._reporter, journal)
        self._changed = anyio.Event()
        self.wakeups = 0
        """How often the loop has woken from waiting for a change or a deadline."""

    @property
    def slots(self) -> int:
        """How many tasks it may have in hand at once."""
        return self._slots.total

    @property
    def max_tasks(self) -> int | None:
        """How many all workers of the process may have in hand at once, None for any number."""
        return self._slots.places.total

    @property
    def polls(self) -> PollHistory:
        """How polling has gone."""
        return self._reporter.polls

    @property
    def in_hand(self) -> int:
        """Tasks polled whose results the server has not accepted yet."""
        return len(self._in_hand)

    def oldest(self, count: int) -> list[Execution]:
        """Return the tasks in hand that came first. Any thread may call it."""
        return list(self._in_hand.values())[:count]

    @property
    def finished(self) -> int:
        """Tasks that have left the worker's hands, one way or another."""
        return self._settlement.finished

    @property
    def abandoned(self) -> int:
        """Tasks whose threads could not be stopped."""
        return len(self._settlement.abandoned)

    @property
    def slots_in_use(self) -> int:
        """How many of its slots hold a task."""
        return self._slots.in_use

    @property
    def restartable(self) -> bool | None:
        """Whether tasks whose function has begun may be given back; None leaves it to their definitions."""
        return self.executor.restartable

    @property
    def is_paused(self) -> bool:
        """Whether it polls no more until `resume`."""
        return self._planner.is_paused

    @property
    def has_lost_polls(self) -> bool:
        """Whether the server may have given it tasks that it never heard of."""
        return self._reclaimer.has_given_up

    def pause(self) -> None:
        """Poll no more; what is in hand goes on."""
        self._planner.pause()

    def resume(self) -> None:
        """Poll again, at once."""
        self._planner.resume()
        self._changed.set()

    def drain(self) -> None:
        """Poll no more, finish what is in hand, end. A poll under way is awaited, its tasks handed back."""
        self._planner.drain()
        self.executor.leaks.drain()
        self._poller.hasten()
        self._changed.set()

    def cancel(self) -> None:
        """Drain, and end what runs: tasks that may run again are handed back."""
        self.drain()
        self.delivery.hurry()
        for execution in list(self._in_hand.values()):
            execution.cancel(Draining())
        self._keeper.look()

    async def run(self) -> None:
        """Poll, execute and deliver until drained."""
        async with anyio.create_task_group() as beside:
            beside.start_soon(self._keeper.run)
            async with anyio.create_task_group() as children:
                while not self._slots.are_retired:
                    with anyio.CancelScope() as scope:
                        await self._plan(children, scope)
            beside.cancel_scope.cancel()

    async def _plan(self, children: TaskGroup, scope: anyio.CancelScope) -> None:
        """Do what the planner says until it says stop, or until ``scope`` cuts off a late poll."""
        while True:
            match self._planner.next(anyio.current_time(), self._slots.free):
                case Poll() as poll:
                    # Its slots are taken before anything else can: a child begins only later.
                    slots = self._slots.take(poll.count)
                    # Beside tasks in hand a waiting poll needs a child, since their slots poll, too.
                    if poll.is_fill or not self._in_hand:
                        await self._poller.poll(PollUnderWay(poll, slots, scope), children)
                    else:
                        children.start_soon(self._poll_beside, poll, slots, children)
                case Wait(until):
                    await self._wait(until)
                case Stop():
                    self._slots.retire()
                    return

    async def _wait(self, until: float) -> None:
        with anyio.CancelScope(deadline=until):
            await self._changed.wait()
        self._changed = anyio.Event()
        self.wakeups += 1

    async def _poll_beside(self, poll: Poll, slots: list[Slot], children: TaskGroup) -> None:
        try:
            with anyio.CancelScope() as scope:
                await self._poller.poll(PollUnderWay(poll, slots, scope), children)
        finally:
            self._changed.set()

    def _take_back(self, task: Task, taken: float, children: TaskGroup) -> bool:
        """Take a task in hand that a lost poll brought, or hand it back where nobody may run it here."""
        now = anyio.current_time()
        slots = self._slots.take_placed() if self._planner.may_take(now) else []
        if may_run := bool(slots):
            self._planner.took(now)
        self._take_in_hand([task], slots, children, taken)
        for slot in slots:
            self._slots.free_up(slot)
        return may_run

    def _take_in_hand(self, tasks: list[Task], slots: list[Slot], children: TaskGroup, now: float) -> None:
        self._keeper.took(tasks, now)
        for task in tasks:
            if self._settlement.is_repeated(task) or self._reclaimer.has_taken_back(task):
                self._reporter.repeated(task)
                continue
            execution = Execution(
                Draft.of(task, self.identity.worker_id), task.poll_count, now, self.polls.last or 0.0
            )
            self._in_hand[task.task_id] = execution
            if not slots:
                # More than was asked for, or found too late: nobody may run it here.
                back = HandedBack("shutdown" if self._planner.is_draining else "surplus")
                children.start_soon(self._settlement.settle, execution, back)
                continue
            slot = slots.pop()
            if not slot.give(execution):
                children.start_soon(self._serve, slot, children)

    async def _serve(self, slot: Slot, children: TaskGroup) -> None:
        """Run the tasks that a slot is given, one after another, until it is retired."""
        try:
            while not slot.is_retired:
                outcome: Outcome | None = None
                with anyio.CancelScope() as scope:
                    while not slot.is_retired:
                        if (execution := slot.execution) is None:
                            await slot.given.wait()
                            continue
                        outcome = None
                        outcome = await self._beginning.execute(execution, scope)
                        if scope.cancel_called:
                            break
                        successor = await self._settlement.settle(execution, outcome, children)
                        if execution.is_abandoned:
                            await self.executor.leaks.outlast(execution, self.slots, self._reporter)
                        slot.is_served = is_fit = not (execution.is_marked or is_stray(outcome))
                        self._go_on(slot, successor, children)
                        if not is_fit:
                            return
                if slot.execution is not None:
                    # The call was cancelled, so whatever follows stands outside of its scope.
                    outcome = self.executor.ended(slot.execution, outcome)
                    await self._settlement.settle(slot.execution, outcome)
                    if slot.execution.is_abandoned:
                        await self.executor.leaks.outlast(slot.execution, self.slots, self._reporter)
                    self._freed(slot)
        finally:
            if slot.execution is not None:
                self._settlement.abandoned.append(slot.execution)

    def _go_on(self, slot: Slot, successor: Task | None, children: TaskGroup) -> None:
        """Go on with the next task in the same slot, or let the slot go."""
        if successor is not None:
            slot.execution = None
            self._take_in_hand([successor], [slot], children, self._reporter.now())
            if slot.execution is not None:
                return
            slot.empty()
        self._freed(slot)

    def _freed(self, slot: Slot) -> None:
        is_done = slot.execution is not None and slot.execution.has_no_successor
        self._slots.free_up(slot)
        if not is_done:
            self._planner.slot_freed()
        self._changed.set()
