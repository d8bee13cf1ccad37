"""The places for tasks: tokens of a CapacityLimiter, each with a child of the task group that serves it."""

import anyio
import attrs

from anyworker.runner.in_hand import Execution
from anyworker.runner.polls.places import Places


@attrs.define(eq=False)
class Slot:
    """One place. Its child takes one task after another: starting a child for each would cost more than
    all the rest of a short task."""

    execution: Execution | None = None
    """The task in it, until its result is settled."""
    has_place: bool = False
    """Whether it has one of the places that all workers share."""
    is_served: bool = False
    """Whether its child has been started."""
    is_retired: bool = False
    """Whether its child shall end."""
    given: anyio.Event = attrs.field(factory=anyio.Event)
    """Set when a task is put in, or the slot is retired."""

    def give(self, execution: Execution) -> bool:
        """Put a task in.

        Returns:
            Whether a child is there to run it; if not, the caller starts one.
        """
        self.execution = execution
        self.given.set()
        was_served, self.is_served = self.is_served, True
        return was_served

    def empty(self) -> None:
        """Take note that its task is settled."""
        self.execution = None
        # The class of this event loop's events is known by now; anyio.Event() would look it up again.
        self.given = type(self.given)()

    def retire(self) -> None:
        """Let its child end."""
        self.is_retired = True
        self.given.set()


class Slots:
    """As many slots as a worker may have tasks in hand. Those used last are used first.

    Args:
        thread_count: How many.
        places: What all workers of the process share.
    """

    def __init__(self, thread_count: int, places: Places) -> None:
        self.places = places
        """What all workers of the process share."""
        self._limiter = anyio.CapacityLimiter(thread_count)
        self.total = thread_count
        """How many there are."""
        self._idle: list[Slot] = []
        self._made: list[Slot] = []
        self.are_retired = False
        """Whether their children end."""

    @property
    def free(self) -> int:
        """How many hold neither a task nor a place for what a poll may bring."""
        return int(self._limiter.available_tokens)

    @property
    def in_use(self) -> int:
        """How many hold a task. Any thread may ask."""
        return sum(slot.execution is not None for slot in self._made)

    def take(self, count: int) -> list[Slot]:
        """Take free slots; there must be as many.

        Raises:
            anyio.WouldBlock: There are fewer.
        """
        slots = []
        for _ in range(count):
            slot = self._idle.pop() if self._idle else self._another()
            self._limiter.acquire_on_behalf_of_nowait(slot)
            slots.append(slot)
        return slots

    def _another(self) -> Slot:
        self._made.append(slot := Slot())
        return slot

    async def place(self, slots: list[Slot]) -> bool:
        """Wait for places for slots that were taken; those that get none are freed, and off the list.

        Returns:
            Whether places are scarce.
        """
        granted, are_scarce = await self.places.take(self, len(slots))
        for slot in slots[:granted]:
            slot.has_place = True
        while len(slots) > granted:
            self.free_up(slots.pop())
        return are_scarce

    def take_placed(self) -> list[Slot]:
        """Take one slot, if one is free and there is a place for it at once."""
        if self.free <= 0 or not self.places.take_nowait():
            return []
        [slot] = self.take(1)
        slot.has_place = self.places.are_limited
        return [slot]

    def leave(self) -> None:
        """Let polls that wait for places go without."""
        self.places.leave(self)

    def free_up(self, slot: Slot) -> None:
        """Give a slot back, its task settled or none come."""
        if slot.execution is not None:
            slot.empty()
        if slot.has_place:
            slot.has_place = False
            self.places.give_back()
        self._limiter.release_on_behalf_of(slot)
        self._idle.append(slot)

    def retire(self) -> None:
        """Let the children of all slots end; there must be no task in any."""
        self.are_retired = True
        for slot in self._idle:
            slot.retire()
