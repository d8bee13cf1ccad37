"""The places for tasks that all workers of a process share, beside each one's own slots."""

import anyio

from anyworker.policy.shares import Shares, Wish
from anyworker.runner.polls.permits import Permits


class Places:
    """As many places as a process may have tasks in hand: ``max_tasks``.

    A poll has its places before it is sent, and keeps those that brought a task until that is settled.

    Args:
        total: How many, None for any number.
        workers: How many share them.
    """

    def __init__(self, total: int | None = None, workers: int = 1) -> None:
        self.permits = Permits(workers)
        """For polls that wait at the server."""
        self._shares = None if total is None else Shares(total, workers)
        self._turns: dict[Wish, anyio.Event] = {}

    @property
    def are_limited(self) -> bool:
        """Whether there are not as many as anybody wants."""
        return self._shares is not None

    @property
    def total(self) -> int | None:
        """How many there are, None for any number."""
        return None if self._shares is None else self._shares.total

    @property
    def are_wanted(self) -> bool:
        """Whether somebody waits for one."""
        return self._shares is not None and self._shares.is_wanted

    async def take(self, owner: object, count: int) -> tuple[int, bool]:
        """Wait for places.

        Returns:
            How many of ``count`` there are, 0 only after `leave`; and whether they are scarce: there was
            something to wait for, or others wait now.
        """
        if self._shares is None:
            return count, False
        wish, turn = Wish(owner, count), anyio.Event()
        self._turns[wish] = turn
        self._shares.ask(wish)
        self._grant(self._shares)
        is_late = not turn.is_set()
        try:
            await turn.wait()
        except BaseException:
            self.leave(owner)
            self.give_back(wish.granted)
            raise
        return wish.granted, is_late or self._shares.is_wanted

    def take_nowait(self) -> bool:
        """Take a place that nobody waits for, if there is one."""
        if self._shares is None:
            return True
        if self._shares.is_wanted or not self._shares.free:
            return False
        self._shares.free -= 1
        return True

    def give_back(self, count: int = 1) -> None:
        """Give places back, to who waits longest."""
        if self._shares is not None and count:
            self._shares.give_back(count)
            self._grant(self._shares)

    def leave(self, owner: object) -> None:
        """Let polls of a worker that wait for places go without."""
        if self._shares is not None:
            for wish in self._shares.withdraw(owner):
                self._turns.pop(wish).set()

    def _grant(self, shares: Shares) -> None:
        for wish in shares.granted():
            self._turns.pop(wish).set()
