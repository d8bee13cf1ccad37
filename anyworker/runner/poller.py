"""Send the polls of one worker, each with places for what it may bring."""

from collections.abc import Callable

import anyio
from anyio.abc import TaskGroup

from anyworker.conductor.models import Task
from anyworker.errors import ConductorError
from anyworker.policy.planner import Planner
from anyworker.runner.polls.polling import Identity, PollClient, PollUnderWay, kind_of
from anyworker.runner.polls.reclaiming import Reclaimer, Take
from anyworker.runner.polls.slots import Slot, Slots
from anyworker.runner.prospects import asked_pause
from anyworker.runner.reporting import Reporter

TakeInHand = Callable[[list[Task], list[Slot], TaskGroup, float], None]
"""Takes tasks that came at a loop time, with the slots for them: those it uses it takes out of the list."""


class Poller:
    """Poll for one worker.

    Args:
        identity: What to poll.
        client: The server.
        planner: Decides about polls, and is told of each what became of it.
        slots: The worker's.
        reporter: Hears what happens.
        reclaimer: Looks after polls whose answers are lost.
        take: Takes in hand what a poll brings.
        take_back: Takes in hand what the reclaimer finds.
    """

    def __init__(
        self,
        identity: Identity,
        client: PollClient,
        *,
        planner: Planner,
        slots: Slots,
        reporter: Reporter,
        reclaimer: Reclaimer,
        take: TakeInHand,
        take_back: Take,
    ) -> None:
        self._identity = identity
        self._client = client
        self._planner = planner
        self._slots = slots
        self._reporter = reporter
        self._reclaimer = reclaimer
        self._take = take
        self._take_back = take_back
        self._polls: set[PollUnderWay] = set()

    def hasten(self) -> None:
        """Wait for answers no longer than a server in good health needs, and for places no more."""
        self._slots.leave()
        self._slots.places.permits.leave(self)
        for poll in self._polls:
            poll.hasten()
        self._reclaimer.hasten()

    async def poll(self, under_way: PollUnderWay, children: TaskGroup) -> None:
        """Send a poll once there are places for it, and take in hand what it brings."""
        try:
            if self._slots.places.are_limited:
                are_scarce = await self._slots.place(under_way.slots)
                under_way.poll = under_way.poll.fitted(len(under_way.slots), may_wait=not are_scarce)
            if not under_way.slots or not self._is_polling:
                self._planner.polled(under_way.poll, 0, anyio.current_time())
            elif under_way.poll.timeout:
                await self._wait_at_server(under_way, children)
            else:
                await self._send(under_way, children)
        finally:
            for slot in under_way.slots:
                self._slots.free_up(slot)

    @property
    def _is_polling(self) -> bool:
        return not (self._planner.is_draining or self._planner.is_paused)

    async def _wait_at_server(self, under_way: PollUnderWay, children: TaskGroup) -> None:
        """Send a poll that waits at the server once it has a permit for that."""
        permits = self._slots.places.permits
        if not permits.take_nowait() and not await permits.take(self):
            self._planner.polled(under_way.poll, 0, anyio.current_time())
            return
        under_way.sent = anyio.current_time()
        has_answer = False
        try:
            if self._is_polling:
                under_way.poll = under_way.poll.shortened(permits.wait(under_way.poll.timeout))
                await self._send(under_way, children)
                has_answer = not self._planner.failures
            else:
                self._planner.polled(under_way.poll, 0, anyio.current_time())
        finally:
            now = anyio.current_time()
            permits.give_back(under_way.sent, under_way.poll.timeout, now, has_answer=has_answer)

    async def _send(self, under_way: PollUnderWay, children: TaskGroup) -> None:
        poll, identity = under_way.poll, self._identity
        started = under_way.sent = anyio.current_time()
        self._polls.add(under_way)
        try:
            self._reporter.poll_started(poll.count)
            tasks = await self._client.poll(
                identity.task_type,
                count=poll.count,
                timeout=poll.timeout,
                worker_id=identity.worker_id,
                domain=identity.domain,
            )
            now = anyio.current_time()
            self._reporter.poll_completed(now - started, len(tasks))
            self._planner.polled(poll, len(tasks), now)
            self._reclaimer.answered(tasks)
            if tasks:
                self._take(tasks, under_way.slots, children, now)
        except ConductorError as error:
            self._failed(under_way, error, children)
        except anyio.get_cancelled_exc_class():
            self._failed(under_way, identity.too_late(), children)
            raise
        finally:
            self._polls.discard(under_way)

    def _failed(self, under_way: PollUnderWay, error: ConductorError, children: TaskGroup) -> None:
        now = anyio.current_time()
        self._reporter.poll_failed(now - under_way.sent, error)
        self._planner.poll_failed(under_way.poll, kind_of(error), now, asked_pause(error))
        self._reporter.polls.back_off(self._planner.failing_until - now)
        if self._reclaimer.lost(under_way.sent, under_way.poll.timeout, error):
            children.start_soon(self._reclaimer.run, self._take_back, children)
