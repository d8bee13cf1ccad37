"""What must hold at any moment, and in the end."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import anyio
from books import Books
from names import Names
from scenario import Scenario
from wire import Exchange

from anyworker.runner.polls.polling import POLL_GRACE

if TYPE_CHECKING:
    from anyworker.fleet.fleet import Fleet

EPSILON = 0.05
"""Seconds by which what is due may be late under virtual time: the server counts in milliseconds."""
LEASE_SHARE = 1 / 3
"""Of a response timeout, within which a heartbeat is promised."""


class Judge:
    """Compare a run's books with what its processes have.

    Args:
        scenario: What happens.
        books: What was seen.
        names: How tasks are called.
        accuse: Hears what must not be.
    """

    def __init__(self, scenario: Scenario, books: Books, names: Names, accuse: Callable[[str], None]) -> None:
        self._scenario = scenario
        self._kinds = {kind.name: kind for kind in scenario.kinds}
        self._books = books
        self._names = names
        self._accuse = accuse
        self._calls: dict[tuple[int, str], int] = {}

    def step(self, fleets: Mapping[int, "Fleet"]) -> None:
        """Check what must hold at any moment."""
        for life, fleet in fleets.items():
            in_hand = set[str]()
            for worker in fleet.status().workers:
                ids = [task.task_id for task in worker.tasks]
                if in_hand.intersection(ids) or len(set(ids)) < len(ids):
                    self._accuse(f"p{life} has a task in hand twice: {ids}")
                in_hand.update(ids)
                count = sum(1 for task_id in ids if not self._books.is_spare(life, task_id))
                if count > worker.slots and not self._scenario.has_surplus:
                    self._accuse(f"{count} tasks of {worker.task_type} in hand, {worker.slots} slots")
            self._check_whereabouts(life, in_hand)
            self._check_outbox(life, fleet, in_hand)
            self._check_beats(life, in_hand)
        self._check_replayers(fleets)

    def check_calls(self, life: int, task_id: str, delta: int) -> None:
        """Refuse more calls at once than a worker has threads."""
        kind = self._kinds[self._books.tasks[task_id].task_type]
        key = (life, kind.name)
        self._calls[key] = self._calls.get(key, 0) + delta
        if self._calls[key] > kind.thread_count:
            self._accuse(f"{self._calls[key]} calls of {kind.name} at once, thread_count {kind.thread_count}")

    def check_room(self, poll: Exchange) -> None:
        """Refuse a poll that could bring more tasks than there is room for, by what the wire has shown."""
        kind, books = self._kinds[poll.task_type], self._books
        if self._scenario.has_surplus:
            return
        asked = sum(
            int(other.params.get("count", 1))
            for other in books.open
            if other.what == "poll" and other.life == poll.life and other.task_type == kind.name
        )
        held = sum(
            1
            for task_id, holding in books.holdings.items()
            if holding.arrived is not None
            and not holding.is_settled
            and books.life_of(holding) == poll.life
            and books.tasks[task_id].task_type == kind.name
        )
        if asked + held > kind.thread_count:
            self._accuse(
                f"{asked} tasks of {kind.name} asked for beside {held} held, thread_count {kind.thread_count}"
            )

    def check_patience(self, poll: Exchange) -> None:
        """Refuse to cut off a poll that a server in good health may still answer: it may have taken tasks."""
        waited = anyio.current_time() - poll.sent
        longest = int(poll.params.get("timeout", 100)) / 1000 + POLL_GRACE
        if poll.sent - self._books.token_asked.get(poll.life, -longest) < longest:
            return  # It waited for a token before it was sent, or sent again: a part of its time.
        if waited + EPSILON < longest:
            self._accuse(f"a poll of {poll.task_type} was cut off after {waited:.3f} s of {longest:.3f}")

    def check_end(self, workflows: Mapping[str, str], forgetful: set[int]) -> None:
        """Check what must hold when all is over.

        Args:
            workflows: Statuses by id.
            forgetful: Processes that were killed and had their results in memory only.
        """
        for workflow_id, status in workflows.items():
            if status == "RUNNING":
                self._accuse(f"workflow {self._names.flow(workflow_id)} has not ended")
        for result in self._books.results.values():
            if not (result.is_arrived or result.is_surfaced or result.life in forgetful):
                self._accuse(f"the result {result.token} of {self._names.task(result.task_id)} is gone")

    def _check_whereabouts(self, life: int, in_hand: set[str]) -> None:
        """Refuse a process that has lost a task which came to it."""
        now = anyio.current_time()
        for task_id, holding in self._books.holdings.items():
            if self._books.life_of(holding) != life or task_id in in_hand:
                continue
            if holding.arrived is not None and holding.arrived < now and not holding.is_settled:
                self._accuse(
                    f"{self._names.task(task_id)} came to p{life}, which has it no more and has told nobody"
                )

    def _check_outbox(self, life: int, fleet: "Fleet", in_hand: set[str]) -> None:
        """Refuse that a task is in hand whose end lies in the outbox, unless it was handed out twice."""
        if self._scenario.hands_out_twice:
            return
        for stored in fleet.outbox._memory.oldest(fleet.outbox.waiting):
            if stored.is_terminal and stored.task_id in in_hand:
                self._accuse(f"p{life} has {self._names.task(stored.task_id)} in hand and in the outbox")

    def _check_replayers(self, fleets: Mapping[int, "Fleet"]) -> None:
        """Refuse that two processes replay one file, unless the clock has made fools of them."""
        if self._scenario.weather.worker_jumps:
            return
        archives = [fleet.outbox._archive for fleet in fleets.values()]
        if sum(archive is not None and archive.is_replayer for archive in archives) > 1:
            self._accuse("two processes replay the same file")

    def _check_beats(self, life: int, in_hand: set[str]) -> None:
        books, now = self._books, anyio.current_time()
        under_way = {exchange.task_id for exchange in books.open if exchange.what in {"beat", "update"}}
        for task_id in in_hand - under_way:
            holding = books.holdings.get(task_id)
            kind = self._kinds[books.tasks[task_id].task_type]
            if holding is None or holding.arrived is None or not kind.extends_leases:
                continue
            if books.life_of(holding) != life or holding.is_settled or holding.is_lost:
                continue
            if life in books.without_token:
                continue
            if now > holding.touched + kind.response_timeout * LEASE_SHARE + EPSILON:
                self._accuse(
                    f"no heartbeat for {self._names.task(task_id)} for {now - holding.touched:.3f} s"
                )
