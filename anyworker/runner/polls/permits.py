"""The permits for polls that wait at the server, which all workers of a process share."""

import logging
from collections import deque

import anyio
import attrs

from anyworker.policy.congestion import Congestion

logger = logging.getLogger(__name__)


@attrs.define(eq=False)
class _Turn:
    """A poll that waits for a permit."""

    owner: object
    has_permit: bool = False
    event: anyio.Event = attrs.field(factory=anyio.Event)


class Permits:
    """Hand out permits, first come, first served.

    Args:
        workers: How many workers share them.
    """

    def __init__(self, workers: int = 1) -> None:
        self._congestion = Congestion(workers)
        self._turns: deque[_Turn] = deque()
        self.held = 0
        """How many polls have one."""

    @property
    def total(self) -> int:
        """How many there are just now."""
        return self._congestion.permits

    @property
    def waiting(self) -> int:
        """How many polls wait for one."""
        return len(self._turns)

    def take_nowait(self) -> bool:
        """Take a permit that nobody waits for, if there is one."""
        if self._turns or self.held >= self._congestion.permits:
            return False
        self.held += 1
        return True

    async def take(self, owner: object) -> bool:
        """Wait for a permit; return False if `leave` came first."""
        turn = _Turn(owner)
        self._turns.append(turn)
        try:
            await turn.event.wait()
        except BaseException:
            if turn.has_permit:
                self._give_back()
            elif turn in self._turns:
                self._turns.remove(turn)
            raise
        return turn.has_permit

    def wait(self, wanted: float) -> float:
        """Return the seconds for which a poll with a permit may wait, 0 for not at all."""
        return self._congestion.wait(wanted)

    def give_back(self, sent: float, wait: float, now: float, *, has_answer: bool) -> None:
        """Give back the permit of a poll that was sent, was to wait so many seconds, and has ended now."""
        if self._congestion.ended(sent, wait, now, has_answer=has_answer):
            logger.log(
                logging.WARNING if self._congestion.are_scarce else logging.DEBUG,
                "The server took %.1f s for a poll that was to wait %.1f s there: too many requests wait at "
                "it. At most %d polls of this process wait at once from now on",
                *(now - sent, wait, self._congestion.permits),
            )
        self._give_back()

    def leave(self, owner: object) -> None:
        """Let polls of a worker that wait for permits go without."""
        for turn in [turn for turn in self._turns if turn.owner is owner]:
            self._turns.remove(turn)
            turn.event.set()

    def _give_back(self) -> None:
        self.held -= 1
        while self._turns and self.held < self._congestion.permits:
            self.held += 1
            turn = self._turns.popleft()
            turn.has_permit = True
            turn.event.set()
