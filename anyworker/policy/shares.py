"""Who gets the next place, where workers share fewer than they have slots: pure, first come, first served."""

from collections import deque
from collections.abc import Iterator

import attrs


@attrs.define(eq=False)
class Wish:
    """A poll that waits for places."""

    owner: object
    """The worker."""
    count: int
    """How many it can use."""
    granted: int = 0
    """How many it has got."""


class Shares:
    """Divide a number of places.

    A wish gets what is free, at least one place, but no more than a worker's even share of that: whoever
    asks first leaves something to those that ask a moment later. One that could use more asks again, behind
    all that wait by then, so that workers with much to do take turns, whatever their numbers of slots.

    Args:
        total: How many places there are.
        workers: How many divide them.
    """

    def __init__(self, total: int, workers: int) -> None:
        self.total = total
        """How many places there are."""
        self.free = total
        """How many nobody has."""
        self._workers = max(workers, 1)
        self._wishes: deque[Wish] = deque()

    @property
    def is_wanted(self) -> bool:
        """Whether somebody waits for a place."""
        return bool(self._wishes)

    def ask(self, wish: Wish) -> None:
        """Put a wish behind all others; `granted` tells when it is its turn."""
        self._wishes.append(wish)

    def granted(self) -> Iterator[Wish]:
        """Yield the wishes whose turn it is, with what they have got."""
        while self._wishes and self.free:
            wish = self._wishes.popleft()
            wish.granted = min(wish.count, -(-self.free // self._workers))
            self.free -= wish.granted
            yield wish

    def withdraw(self, owner: object) -> list[Wish]:
        """Take back the wishes of a worker, and return them."""
        mine = [wish for wish in self._wishes if wish.owner is owner]
        self._wishes = deque(wish for wish in self._wishes if wish.owner is not owner)
        return mine

    def give_back(self, count: int) -> None:
        """Take note that so many places are free again."""
        self.free += count
