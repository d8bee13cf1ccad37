"""What a witness writes down of tasks and results."""

import itertools
import json
from typing import Any

import anyio
import attrs
from wire import Exchange

from anyworker.devserver.engine import Engine


@attrs.define(eq=False)
class Holding:
    """A task that the server has given away."""

    worker_id: str | None
    arrived: float | None = None
    """When a poll's answer brought it to its process; None as long as it is not known to have come."""
    is_lost: bool = False
    """Whether its process has said that its lease is over."""
    is_settled: bool = False
    """Whether its process has parted with it: its result was accepted or surfaced, or its call dropped."""
    touched: float = 0.0
    """When its process last sent or heard something about it."""


@attrs.define(eq=False)
class Result:
    """What a call came to."""

    token: str
    task_id: str
    life: int
    is_interim: bool
    """Whether the task goes on after it: what a later call of the same task comes to takes its place."""
    poll_count: int
    """Of the poll that brought the task."""
    is_arrived: bool = False
    """Whether the server has it, or needs it no more."""
    is_surfaced: bool = False
    """Whether an event has carried it, and no outbox has taken it over since."""


class Books:
    """Know where each task and each result is, by what was seen.

    Args:
        engine: The server's, which knows what really happened.
    """

    def __init__(self, engine: Engine) -> None:
        self.tasks = engine.store.tasks
        self.holdings: dict[str, Holding] = {}
        self.results: dict[str, Result] = {}
        self.lives: dict[str, int] = {}
        """Numbers of processes by the ids that they poll under."""
        self.open: dict[Exchange, None] = {}
        """Requests under way."""
        self.without_token: set[int] = set()
        """Processes that can send nothing, because the server has given them no token that is good."""
        self.token_asked: dict[int, float] = {}
        """When a process last asked for a token, or heard that it needs one."""
        self._spare: set[tuple[int, str]] = set()
        """Tasks that a process found when no slot was free, and that it hands back unrun."""
        self._arrivals: dict[tuple[int, str], int] = {}
        """The last poll count with which each task came to each process."""
        self._reclaimed_polls: dict[str, int] = {}
        """Poll counts of tasks that were found before, or without, the answers of their polls."""
        self._surfaced: dict[str, list[Result]] = {}
        """What the last event about a task has carried."""
        self._tokens = itertools.count(1)

    def life_of(self, holding: Holding) -> int | None:
        """Return the process that a task was given to."""
        return self.lives.get(str(holding.worker_id))

    def new_result(self, life: int, task_id: str, *, is_interim: bool) -> Result:
        """Write down that a function has come to its end."""
        token = f"token-{next(self._tokens)};"
        poll_count = self._arrivals.get((life, task_id), self.tasks[task_id].poll_count)
        result = self.results[token] = Result(token, task_id, life, is_interim, poll_count)
        return result

    def begun(self, task_id: str) -> None:
        """Write down that a function begins: whatever earlier calls came to has been taken."""
        for result in self.results.values():
            if result.task_id == task_id and result.is_interim:
                result.is_arrived = True

    def carried(self, *texts: Any) -> list[Result]:
        """Return the results whose tokens are in texts, or in what is not text yet."""
        text = json.dumps(texts, default=str)
        return [result for token, result in self.results.items() if token in text]

    def surfaced(self, task_id: str, *texts: Any) -> None:
        """Write down that an event has carried what a task came to."""
        self._surfaced[task_id] = self.carried(*texts)
        for result in self._surfaced[task_id]:
            result.is_surfaced = True

    def went_to_outbox(self, task_id: str) -> None:
        """Write down that an outbox has taken over what an event has just carried."""
        for result in self._surfaced.pop(task_id, []):
            result.is_surfaced = False

    def left_outbox(self, task_id: str) -> None:
        """Write down that an outbox says of a task's result that the server has it."""
        results = [result for result in self.results.values() if result.task_id == task_id]
        has_ended = any(result.is_arrived and not result.is_interim for result in results)
        for result in results:
            # A task that was handed out twice takes one result; the other is as good as delivered. So is an
            # interim one of an earlier poll, because nobody can tell it from the one that was taken.
            task = self.tasks[task_id]
            is_past = result.is_interim and (task.is_terminal or task.poll_count > result.poll_count)
            result.is_arrived = result.is_arrived or has_ended or is_past

    def reclaimed(self, life: int, task_id: str, *, is_spare: bool) -> None:
        """Write down that a search has found a task, and whether it is handed back at once."""
        self._reclaimed_polls[task_id] = self.tasks[task_id].poll_count
        self._arrivals[life, task_id] = self.tasks[task_id].poll_count
        self._spare.discard((life, task_id))
        if is_spare:
            self._spare.add((life, task_id))
        elif (holding := self.holdings.get(task_id)) is not None:
            holding.arrived = holding.touched = anyio.current_time()

    def is_spare(self, life: int, task_id: str) -> bool:
        """Return whether a process has found a task for which there was no slot."""
        return (life, task_id) in self._spare

    def arrived(self, life: int, task_id: str, poll_count: int) -> None:
        """Write down that a poll's answer has brought a task."""
        self._arrivals[life, task_id] = poll_count
        record = self.tasks[task_id]
        is_stale = task_id in self.holdings and record.poll_count != poll_count
        if record.is_terminal or is_stale or self._reclaimed_polls.get(task_id) == poll_count:
            return
        self._spare.discard((life, task_id))
        # A server that hands a task out twice may do so when it has it back: nobody need account for it then.
        holding = self.holdings.setdefault(task_id, Holding(record.worker_id, is_settled=True))
        holding.arrived = holding.touched = anyio.current_time()

    def settled(self, task_id: str) -> None:
        """Write down that a process has parted with a task."""
        if (holding := self.holdings.get(task_id)) is not None:
            holding.is_settled = True

    def touched(self, exchange: Exchange) -> None:
        """Write down that something was sent or heard about a task."""
        if (holding := self.holdings.get(str(exchange.task_id))) is not None:
            holding.touched = anyio.current_time()

    def asked_for_token(self, exchange: Exchange) -> None:
        """Write down whether a process may send anything, after an exchange."""
        now = anyio.current_time()
        if exchange.is_token or exchange.status == 401:
            self.token_asked[exchange.life] = now
        if exchange.is_token and exchange.is_accepted and isinstance(exchange.answer, dict):
            self.without_token.discard(exchange.life)
            for holding in self.holdings.values():
                if self.life_of(holding) == exchange.life:
                    holding.touched = now
        elif exchange.is_token or exchange.status == 401:
            self.without_token.add(exchange.life)
