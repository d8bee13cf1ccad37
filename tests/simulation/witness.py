"""Watch a run from both ends, and say what must never be seen.

The witness hears the wire (what a process sent and what reached it), the server's engine (what really
happened), the functions (what ran to its end) and the events (what the worker says). It keeps its own books
and compares them with the worker's.
"""

import itertools
import json
from typing import TYPE_CHECKING, Any

import anyio
from books import Holding, Result
from names import Names
from scenario import Scenario
from wire import Exchange

from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle.results import Report
from anyworker.devserver.records.changes import Change
from anyworker.devserver.records.records import TaskRecord
from anyworker.runner.polls.polling import POLL_GRACE

if TYPE_CHECKING:
    from anyworker.fleet.fleet import Fleet

EPSILON = 0.05
"""Seconds by which what is due may be late under virtual time: the server counts in milliseconds."""
LOSSES = ("LeaseLost", "Terminated", "TimedOut")
"""Reasons of a cancellation after which the server is told nothing."""
LEASE_SHARE = 1 / 3
"""Of a response timeout, within which a heartbeat is promised."""


class Witness:
    """Keep the books of one run."""

    def __init__(self, scenario: Scenario, engine: Engine) -> None:
        self.scenario = scenario
        self.violations: list[str] = []
        self.trace: list[str] = []
        self.workflows: dict[str, str] = {}
        """Status of each workflow, by id."""
        self.all_ended = anyio.Event()
        self.fleets: dict[int, Fleet] = {}
        """Those that are alive, by the number of their process."""
        self.results: dict[str, Result] = {}
        self.steps = 0
        self._kinds = {kind.name: kind for kind in scenario.kinds}
        self._engine = engine
        self._tasks = engine.store.tasks
        self._names = Names(engine)
        self._holdings: dict[str, Holding] = {}
        self._lives: dict[str, int] = {}
        """Numbers of processes by the ids that they poll under."""
        self._open: dict[Exchange, None] = {}
        self._spare: dict[str, int] = {}
        """Tasks that were found when no slot was free, and are handed back unrun: their poll counts."""
        self._reclaimed_polls: dict[str, int] = {}
        """Poll counts of tasks that were found before, or without, the answers of their polls."""
        self._tokens = itertools.count(1)
        self._calls: dict[tuple[int, str], int] = {}
        engine.on_change.append(self._changed)
        self._update, engine.update = engine.update, self._updated  # type: ignore[method-assign]

    # ---------------------------------------------------------------- what is seen

    def note(self, who: object, what: str) -> None:
        """Write a line of the trace."""
        self.trace.append(f"{anyio.current_time():9.3f}  {who:<7} {what}")

    def accuse(self, what: str) -> None:
        """Say what must not be; the first time only."""
        if what not in self.violations:
            self.violations.append(what)
            self.note("!!!", what)

    def sent(self, exchange: Exchange) -> None:
        """A process sends a request."""
        self._open[exchange] = None
        self.note(f"p{exchange.life}", f"> {self._names.exchange(exchange)}")
        if exchange.what == "poll":
            self._lives[exchange.params["workerid"]] = exchange.life
            self._check_room(exchange)
        elif exchange.what == "beat":
            self._touch(exchange)
        self.step()

    def ended(self, exchange: Exchange) -> None:
        """A process has its answer, or will never have it."""
        del self._open[exchange]
        came = "nothing" if exchange.status is None else str(exchange.status)
        if exchange.what == "poll" and exchange.is_cancelled:
            self._check_patience(exchange)
        if exchange.what == "poll" and exchange.is_accepted and isinstance(exchange.answer, list):
            came = " ".join([came, *(self._names.task(task["taskId"]) for task in exchange.answer)])
            for task in exchange.answer:
                self._arrived(task["taskId"], task["pollCount"])
        self.note(f"p{exchange.life}", f"< {came} for {self._names.exchange(exchange)}")
        if exchange.what in {"beat", "update"}:
            self._touch(exchange)
        if exchange.what == "update" and exchange.is_accepted:
            self._settled(str(exchange.task_id))
        self.step()

    def called(self, life: int, task_id: str, delta: int) -> None:
        """A function begins (1) or ends (-1) in a process."""
        for result in self.results.values():
            if result.task_id == task_id and result.is_interim and delta > 0:
                result.is_arrived = True
        kind = self._kinds[self._tasks[task_id].task_type]
        key = (life, kind.name)
        self._calls[key] = self._calls.get(key, 0) + delta
        if self._calls[key] > kind.thread_count:
            self.accuse(f"{self._calls[key]} calls of {kind.name} at once, thread_count {kind.thread_count}")

    def ran(self, life: int, task_id: str, *, is_interim: bool) -> str:
        """A function has come to its end; return a token that its result must carry."""
        token = f"token-{next(self._tokens)};"
        self.results[token] = Result(token, task_id, life, is_interim)
        self.note(f"p{life}", f"  {self._names.task(task_id)} ran to its end: {token}")
        return token

    def found(self, body: str) -> None:
        """A result lies in the outbox's file."""
        for result in self._carried(body):
            result.is_surfaced = True

    def heard(self, life: int, event: Any) -> None:
        """A process publishes an event about a task whose result it parts with."""
        name = type(event).__name__
        self.note(f"p{life}", f"  {name} of {self._names.task(event.task_id)}")
        carried = getattr(event, "task_result", None) or getattr(event, "late_result", None)
        if carried is not None:
            text = json.dumps([carried.output_data, carried.reason_for_incompletion], default=str)
            for result in self._carried(text):
                result.is_surfaced = True
        if name in {"ResultStored", "ResultReplayed"}:
            self._is_in_outbox(event.task_id, has_left=name == "ResultReplayed")
        if name == "TaskReclaimed":
            self._reclaimed(event)
        elif name == "LeaseLost":
            if (holding := self._holdings.get(event.task_id)) is not None:
                holding.is_lost = True
        elif name != "TaskCancelled" or type(event.reason).__name__ in {
            "LeaseLost",
            "Terminated",
            "TimedOut",
        }:
            self._settled(event.task_id)

    def _changed(self, change: Change) -> None:
        if change.task_id is None:
            self.note("server", f"workflow {self._names.flow(change.workflow_id)} is {change.status}")
            self.workflows[change.workflow_id] = change.status
            self._look_for_the_end()
            return
        self.note("server", f"{self._names.task(change.task_id)} is {change.status}")
        if change.status == "IN_PROGRESS":
            self._holdings[change.task_id] = Holding(change.worker_id)
        else:
            self._holdings.pop(change.task_id, None)

    def _updated(self, report: Report, now: int) -> TaskRecord | None:
        record = self._tasks.get(report.task_id or "")
        if record is not None and not report.extend_lease:
            for result in self._carried(json.dumps([report.output, report.reason])):
                result.is_arrived = True
            self.note("server", f"gets {report.status} for {self._names.task(record.task_id)}")
            if not record.is_terminal and record.task_id not in self._holdings:
                self.accuse(f"{self._names.task(record.task_id)} was updated after it was given back")
        return self._update(report, now)

    # ---------------------------------------------------------------- books

    def _carried(self, text: str) -> list[Result]:
        return [result for token, result in self.results.items() if token in text]

    def _is_in_outbox(self, task_id: str, *, has_left: bool) -> None:
        results = [result for result in self.results.values() if result.task_id == task_id]
        has_ended = any(result.is_arrived and not result.is_interim for result in results)
        for result in results:
            result.is_surfaced = False
            # A task that was handed out twice takes one result; the other is as good as delivered.
            result.is_arrived = result.is_arrived or (has_left and has_ended)

    def _reclaimed(self, event: Any) -> None:
        self._reclaimed_polls[event.task_id] = self._tasks[event.task_id].poll_count
        if event.outcome == "handed_back":
            self._spare[event.task_id] = self._tasks[event.task_id].poll_count
        elif (holding := self._holdings.get(event.task_id)) is not None:
            holding.arrived = holding.touched = anyio.current_time()

    def _is_spare(self, task_id: str) -> bool:
        return self._spare.get(task_id) == self._tasks[task_id].poll_count

    def _arrived(self, task_id: str, poll_count: int) -> None:
        record = self._tasks[task_id]
        is_stale = task_id in self._holdings and record.poll_count != poll_count
        if record.is_terminal or is_stale or self._reclaimed_polls.get(task_id) == poll_count:
            return
        # A server that hands a task out twice may do so when it has it back.
        holding = self._holdings.setdefault(task_id, Holding(record.worker_id))
        holding.arrived = holding.touched = anyio.current_time()

    def _settled(self, task_id: str) -> None:
        if (holding := self._holdings.get(task_id)) is not None:
            holding.is_settled = True

    def _touch(self, exchange: Exchange) -> None:
        if (holding := self._holdings.get(str(exchange.task_id))) is not None:
            holding.touched = anyio.current_time()

    def _look_for_the_end(self) -> None:
        if len(self.workflows) == len(self.scenario.flows) and "RUNNING" not in self.workflows.values():
            self.all_ended.set()

    # ---------------------------------------------------------------- what must hold

    def step(self) -> None:
        """Check what must hold at any moment."""
        self.steps += 1
        for life, fleet in self.fleets.items():
            in_hand = set[str]()
            for worker in fleet.status().workers:
                ids = [task.task_id for task in worker.tasks]
                in_hand.update(ids)
                count = sum(1 for task_id in ids if not self._is_spare(task_id))
                if count > worker.slots and not self.scenario.has_surplus:
                    self.accuse(f"{count} tasks of {worker.task_type} in hand, {worker.slots} slots")
            self._check_whereabouts(life, in_hand)
            self._check_beats(life, in_hand)

    def _check_room(self, poll: Exchange) -> None:
        """Refuse a poll that could bring more tasks than there is room for, by what the wire has shown."""
        kind = self._kinds[poll.task_type]
        if self.scenario.has_surplus:
            return
        asked = sum(
            int(other.params.get("count", 1))
            for other in self._open
            if other.what == "poll" and other.life == poll.life and other.task_type == kind.name
        )
        held = sum(
            1
            for task_id, holding in self._holdings.items()
            if holding.arrived is not None
            and not holding.is_settled
            and self._lives.get(str(holding.worker_id)) == poll.life
            and self._tasks[task_id].task_type == kind.name
        )
        if asked + held > kind.thread_count:
            self.accuse(
                f"{asked} tasks of {kind.name} asked for beside {held} held, thread_count {kind.thread_count}"
            )

    def _check_patience(self, poll: Exchange) -> None:
        """Refuse to cut off a poll that a server in good health may still answer: it may have taken tasks."""
        waited = anyio.current_time() - poll.sent
        longest = int(poll.params.get("timeout", 100)) / 1000 + POLL_GRACE
        if waited + EPSILON < longest:
            self.accuse(f"a poll of {poll.task_type} was cut off after {waited:.3f} s of {longest:.3f}")

    def _check_whereabouts(self, life: int, in_hand: set[str]) -> None:
        now = anyio.current_time()
        for task_id, holding in self._holdings.items():
            if self._lives.get(str(holding.worker_id)) != life or task_id in in_hand:
                continue
            if holding.arrived is not None and holding.arrived < now and not holding.is_settled:
                self.accuse(
                    f"{self._names.task(task_id)} came to p{life}, which has it no more and has told nobody"
                )

    def _check_beats(self, life: int, in_hand: set[str]) -> None:
        now = anyio.current_time()
        under_way = {exchange.task_id for exchange in self._open if exchange.what in {"beat", "update"}}
        for task_id in in_hand - under_way:
            holding = self._holdings.get(task_id)
            kind = self._kinds[self._tasks[task_id].task_type]
            if holding is None or holding.arrived is None or not kind.extends_leases:
                continue
            if self._lives.get(str(holding.worker_id)) != life or holding.is_settled or holding.is_lost:
                continue
            if now > holding.touched + kind.response_timeout * LEASE_SHARE + EPSILON:
                self.accuse(f"no heartbeat for {self._names.task(task_id)} for {now - holding.touched:.3f} s")

    def check_end(self, forgetful: set[int]) -> None:
        """Check what must hold when all is over.

        Args:
            forgetful: Processes that were killed and had their results in memory only.
        """
        for workflow_id, status in self.workflows.items():
            if status == "RUNNING":
                self.accuse(f"workflow {self._names.flow(workflow_id)} has not ended")
        for result in self.results.values():
            if not (result.is_arrived or result.is_surfaced or result.life in forgetful):
                self.accuse(f"the result {result.token} of {self._names.task(result.task_id)} is gone")
