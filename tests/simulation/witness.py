"""Watch a run from both ends.

The witness hears the wire (what a process sent and what reached it), the server's engine (what really
happened), the functions (what ran to its end) and the events (what the worker says). What it sees goes into
books, which a judge compares with the workers' own.
"""

from typing import TYPE_CHECKING, Any

import anyio
from books import Books, Holding
from judge import Judge
from names import Names
from scenario import Scenario
from wire import Exchange

from anyworker.devserver.engine import Engine
from anyworker.devserver.lifecycle.results import Report
from anyworker.devserver.records.changes import Change
from anyworker.devserver.records.records import TaskRecord

if TYPE_CHECKING:
    from anyworker.fleet.fleet import Fleet

LOSSES = frozenset({"LeaseLost", "Terminated", "TimedOut"})
"""Reasons of a cancellation after which the server is told nothing."""


class Witness:
    """See what happens in one run."""

    def __init__(self, scenario: Scenario, engine: Engine) -> None:
        self.violations: list[str] = []
        self.trace: list[str] = []
        self.workflows: dict[str, str] = {}
        """Status of each workflow, by id."""
        self.all_ended = anyio.Event()
        self.fleets: dict[int, Fleet] = {}
        """Those that are alive, by the number of their process."""
        self.steps = 0
        self._count = len(scenario.flows)
        self._hands_out_twice = scenario.hands_out_twice
        self._names = Names(engine)
        self._books = Books(engine)
        self._judge = Judge(scenario, self._books, self._names, self.accuse)
        engine.on_change.append(self._changed)
        self._update, engine.update = engine.update, self._updated  # type: ignore[method-assign]

    def note(self, who: object, what: str) -> None:
        """Write a line of the trace."""
        self.trace.append(f"{anyio.current_time():9.3f}  {who:<7} {what}")

    def accuse(self, what: str) -> None:
        """Say what must not be; the first time only."""
        if what not in self.violations:
            self.violations.append(what)
            self.note("!!!", what)

    def step(self) -> None:
        """Check what must hold at any moment."""
        self.steps += 1
        self._judge.step(self.fleets)

    def check_end(self, forgetful: set[int]) -> None:
        """Check what must hold when all is over.

        Args:
            forgetful: Processes that were killed and had their results in memory only.
        """
        self._judge.check_end(self.workflows, forgetful)

    # ---------------------------------------------------------------- the wire

    def sent(self, exchange: Exchange) -> None:
        """A process sends a request."""
        self._books.open[exchange] = None
        self.note(f"p{exchange.life}", f"> {self._names.exchange(exchange)}")
        if exchange.what == "poll":
            self._books.lives[exchange.params["workerid"]] = exchange.life
            self._judge.check_room(exchange)
        elif exchange.what == "beat":
            self._books.touched(exchange)
        self.step()

    def ended(self, exchange: Exchange) -> None:
        """A process has its answer, or will never have it."""
        books = self._books
        del books.open[exchange]
        came = "nothing" if exchange.status is None else str(exchange.status)
        if exchange.what == "poll" and exchange.is_cancelled:
            self._judge.check_patience(exchange)
        for task in exchange.brought:
            came = f"{came} {self._names.task(task['taskId'])}"
            books.arrived(exchange.life, task["taskId"], task["pollCount"])
        self.note(f"p{exchange.life}", f"< {came} for {self._names.exchange(exchange)}")
        books.asked_for_token(exchange)
        if exchange.what in {"beat", "update"}:
            books.touched(exchange)
        if exchange.what == "update" and exchange.is_accepted:
            books.settled(str(exchange.task_id))
        self.step()

    # ---------------------------------------------------------------- functions and events

    def called(self, life: int, task_id: str, delta: int) -> None:
        """A function begins (1) or ends (-1) in a process."""
        if delta > 0:
            self._books.begun(task_id)
        self._judge.check_calls(life, task_id, delta)

    def ran(self, life: int, task_id: str, *, is_interim: bool) -> str:
        """A function has come to its end; return a token that its result must carry."""
        token = self._books.new_result(life, task_id, is_interim=is_interim).token
        self.note(f"p{life}", f"  {self._names.task(task_id)} ran to its end: {token}")
        return token

    def found(self, body: str) -> None:
        """A result lies in the outbox's file."""
        for result in self._books.carried(body):
            result.is_surfaced = True

    def heard(self, life: int, event: Any) -> None:
        """A process publishes an event about a task whose result it parts with."""
        name, books = type(event).__name__, self._books
        self.note(f"p{life}", f"  {name} of {self._names.task(event.task_id)}")
        carried = getattr(event, "task_result", None) or getattr(event, "late_result", None)
        if carried is not None:
            books.surfaced(event.task_id, carried.output_data, carried.reason_for_incompletion)
        if name == "ResultStored":
            books.went_to_outbox(event.task_id)
        elif name == "ResultReplayed":
            books.left_outbox(event.task_id)
        if name == "TaskReclaimed":
            books.reclaimed(life, event.task_id, is_spare=event.outcome == "handed_back")
        elif name == "LeaseLost":
            if (holding := books.holdings.get(event.task_id)) is not None:
                holding.is_lost = True
        elif name != "TaskCancelled" or type(event.reason).__name__ in LOSSES:
            books.settled(event.task_id)

    # ---------------------------------------------------------------- the server

    def _changed(self, change: Change) -> None:
        if change.task_id is None:
            self.note("server", f"workflow {self._names.flow(change.workflow_id)} is {change.status}")
            self.workflows[change.workflow_id] = change.status
            if len(self.workflows) == self._count and "RUNNING" not in self.workflows.values():
                self.all_ended.set()
            return
        self.note("server", f"{self._names.task(change.task_id)} is {change.status}")
        if change.status == "IN_PROGRESS":
            self._books.holdings[change.task_id] = Holding(change.worker_id)
        else:
            self._books.holdings.pop(change.task_id, None)

    def _updated(self, report: Report, now: int) -> TaskRecord | None:
        record = self._books.tasks.get(report.task_id or "")
        if record is not None and not report.extend_lease:
            for result in self._books.carried(report.output, report.reason):
                result.is_arrived = True
            self.note("server", f"gets {report.status} for {self._names.task(record.task_id)}")
            # Of a task that was handed out twice one call may give it back and the other end it.
            is_twice = self._hands_out_twice
            if not (is_twice or record.is_terminal or record.task_id in self._books.holdings):
                self.accuse(f"{self._names.task(record.task_id)} was updated after it was given back")
        return self._update(report, now)
