"""Whether a result is sent by update-v2, whose answer brings the next task: pure counting.

The server takes such a result and then looks for a task of the same type, for `SERVER_WAIT` if there is none.
A hit saves the poll that would fetch the successor and hands it over at once. A miss keeps the slot, and one
of the server's threads, for the whole wait. So it is used while it is likely to hit: while most of the last
results, or of the polls for slots that they freed, found a task.
"""

import attrs

SERVER_WAIT = 0.1
"""Seconds for which the server looks for a task before it answers that there is none."""
MOST_UNDER_WAY = 8
"""Results of a worker that may be under way so at once. Should all miss, as many of the server's
threads wait."""
BATCH = 6
"""Tasks of one poll from which on such polls are better than a request for each, for both sides."""
_WEIGHT = 0.25
"""Of the latest find in the rate of hits."""
_LEAST_RATE = 0.5


@attrs.define(eq=False)
class Chaining:
    """Watch how often the successor of a task is there at once."""

    is_possible: bool = True
    """Whether the server knows update-v2, as far as is known."""
    under_way: int = 0
    """Results that were sent so and not answered yet."""
    rate: float = 0.0
    """Of hits, the latest counting most: from 0 to 1."""

    @property
    def is_worth_it(self) -> bool:
        """Whether the next result is better sent so."""
        return self.rate >= _LEAST_RATE and self.under_way < MOST_UNDER_WAY and self.is_possible

    def filled(self, received: int) -> None:
        """Take in how many tasks a poll for freed slots has brought."""
        if received < BATCH:
            self.saw(hit=received > 0)
        else:
            self.rate = 0.0

    def saw(self, *, hit: bool) -> None:
        """Take in whether it was worth it, or would have been."""
        self.rate += _WEIGHT * (hit - self.rate)
