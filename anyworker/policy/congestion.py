"""How many polls of a process may wait at the server at once, and for how long: pure arithmetic.

Each waiting poll holds one of the server's threads, of which it has 200 for all of its clients; once they are
used up, every request stalls for seconds. No process knows of the others, so each looks at how late its own
answers come, as TCP does: it halves what it takes when they come late, and takes a little more while they do
not. Many processes settle below the limit so, whatever their number.
"""

import math

FIRST_PERMITS = 32
MOST_PERMITS = 64
GROWTH_SECONDS = 1.0
"""For one permit more."""
LATE = 0.5
"""Seconds beyond the server's own wait from which on an answer is late: in good health it takes a tenth."""
BOUND = 2.0
"""Seconds within which each worker is to be polled again."""
SHORTEST_WAIT = 0.1
"""Seconds: SQL-backed servers look for tasks only so often."""


class Congestion:
    """Decide for one process.

    Args:
        workers: How many workers poll.
    """

    def __init__(self, workers: int) -> None:
        self._workers = max(workers, 1)
        self.permits = FIRST_PERMITS
        """How many polls may wait at the server at once, at least one."""
        self._halved = -math.inf
        self._grows_from = -math.inf

    @property
    def are_scarce(self) -> bool:
        """Whether there are fewer than workers."""
        return self.permits < self._workers

    def wait(self, wanted: float) -> float:
        """Return the seconds for which a poll may wait, so that others get their turn; 0 for not at all.

        Args:
            wanted: What it would wait for by itself.
        """
        turns = -(-self._workers // self.permits)
        longest = BOUND / turns if turns > 1 else wanted
        return min(wanted, longest) if longest >= SHORTEST_WAIT else 0.0

    def ended(self, sent: float, wait: float, now: float, *, has_answer: bool) -> bool:
        """Take in that a waiting poll came to an end; return whether there are fewer permits for it.

        Answers to what was sent before the last halving tell nothing new.

        Args:
            sent: When it was sent.
            wait: Seconds that the server was to wait.
            now: The time.
            has_answer: Whether that was an answer.
        """
        if now - sent <= wait + LATE:
            if has_answer and now >= self._grows_from:
                self.permits = min(self.permits + 1, MOST_PERMITS)
                self._grows_from = now + GROWTH_SECONDS
            return False
        if sent < self._halved:
            return False
        self._halved = now
        self._grows_from = now + GROWTH_SECONDS
        self.permits = max(self.permits // 2, 1)
        return True
