"""Play a scenario: the server, one process after another, and what happens to them, under virtual time."""

import contextlib
import json
import sqlite3
from collections.abc import Awaitable, Callable
from tempfile import TemporaryDirectory
from typing import Any, Literal

import anyio
import attrs
from repeatable import quiet_logs, repeatable
from scenario import STORM_ENDS, Deed, Departure, Scenario, TaskKind
from trio_scheduler import seeded_scheduler
from wire import Wire
from witness import EPSILON, Witness

import anyworker
from anyworker import Configuration, NonRetryableException, TaskInProgress, Worker, get_task_context
from anyworker.devserver import DevServer
from anyworker.devserver.faults.chaos import CHAOS_KINDS
from anyworker.devserver.http.exchange import Request
from anyworker.fleet.fleet import CANCEL_SECONDS, Fleet
from anyworker.outbox_settings import OutboxSettings
from anyworker.runner.outbox.outbox import LAST_SECONDS
from anyworker.testing import run_inline, run_virtual

URL = "http://devserver/api"
PATIENCE = 900.0
"""Seconds after which a workflow that has not ended never will."""
RECOVERY = 65.0
"""Seconds after the last fault until polling must be back to normal: the longest silence and pause."""
CALM_SECONDS = 3.0
"""Beyond its grace, that a process may take to leave when nothing goes wrong: a poll under way is awaited."""
EPOCH = 1_700_000_000.0


@attrs.frozen
class Outcome:
    """What a run came to."""

    scenario: Scenario
    violations: tuple[str, ...]
    trace: tuple[str, ...]
    steps: int


def play(seed: int, backend: Literal["asyncio", "trio"] = "asyncio") -> Outcome:
    """Return what becomes of a seed's scenario."""
    scenario = Scenario.drawn(seed)
    with quiet_logs(), repeatable(seed, EPOCH), seeded_scheduler(seed), TemporaryDirectory() as directory:
        return run_virtual(World(scenario, directory).play, backend=backend)


@attrs.define(eq=False)
class Listener:
    """Bring what one process says about its results to the witness."""

    life: int
    witness: Witness
    is_dead: bool = False

    def heard(self, event: Any) -> None:
        if not self.is_dead:
            self.witness.heard(self.life, event)

    on_task_update_failure = on_result_stored = on_result_replayed = heard
    on_result_refused = on_task_cancelled = on_lease_lost = on_task_reclaimed = heard


class World:
    """One run.

    Args:
        scenario: What happens.
        directory: For what outlives a process.
    """

    def __init__(self, scenario: Scenario, directory: str) -> None:
        self._scenario = scenario
        path = f"{directory}/outbox" if scenario.has_file else None
        self._outbox = OutboxSettings(path=path, write_ahead=scenario.has_file)
        self._server = DevServer(waiting=scenario.waiting, epoch=EPOCH, seed=scenario.seed)
        self._killed = set[int]()

    async def play(self) -> Outcome:
        """Play from the first poll of the first process to the end of the last."""
        self._witness = witness = Witness(self._scenario, self._server.engine)
        self._define()
        self._let_loose()
        async with anyio.create_task_group() as history:
            for flow in self._scenario.flows:
                history.start_soon(self._history, flow.number)
            for life, departure in enumerate(self._scenario.departures, 1):
                await self._live(life, departure)
            await self._live(len(self._scenario.departures) + 1, None)
            history.cancel_scope.cancel()
        self._read_file()
        witness.check_end(set() if self._scenario.has_file else self._killed)
        return Outcome(self._scenario, tuple(witness.violations), tuple(witness.trace), witness.steps)

    # ---------------------------------------------------------------- the server

    def _ask(self, method: str, path: str, content: object = None) -> bytes:
        body = b"" if content is None else json.dumps(content).encode()
        answer = self._server.answer(Request(method, f"/api{path}", "", "application/json", body))
        assert answer.status < 300, answer.body
        return answer.body

    def _define(self) -> None:
        definitions = [
            {
                "name": kind.name,
                "responseTimeoutSeconds": kind.response_timeout,
                "timeoutSeconds": 0,
                "retryCount": kind.retry_count,
                "retryDelaySeconds": 1,
            }
            for kind in self._scenario.kinds
        ]
        self._ask("POST", "/metadata/taskdefs", definitions)
        flows = [
            {
                "name": f"flow{flow.number}",
                "tasks": [
                    {
                        "name": step,
                        "taskReferenceName": f"{step}{number}",
                        "inputParameters": {"flow": flow.number, "reference": f"{step}{number}"},
                    }
                    for number, step in enumerate(flow.steps)
                ],
            }
            for flow in self._scenario.flows
        ]
        self._ask("PUT", "/metadata/workflow", flows)

    def _let_loose(self) -> None:
        scenario, faults = self._scenario, self._server.faults
        for outage in scenario.outages:
            faults.drop(outage.match, how="refuse", starting_in=outage.starts, lasting=outage.seconds)
        if scenario.chaos_rate:
            kinds = [kind for kind in CHAOS_KINDS if kind != "surplus" or scenario.has_surplus]
            faults.chaos(seed=scenario.seed, rate=scenario.chaos_rate, kinds=kinds, lasting=STORM_ENDS)

    async def _history(self, number: int) -> None:
        flow = self._scenario.flows[number]
        await anyio.sleep_until(flow.starts)
        start = {"name": f"flow{number}", "input": {"flow": number}}
        workflow_id = self._ask("POST", "/workflow", start).decode()
        self._witness.workflows.setdefault(workflow_id, "RUNNING")
        if flow.terminated is not None:
            await anyio.sleep_until(flow.terminated)
            if self._witness.workflows[workflow_id] == "RUNNING":
                self._witness.note("user", f"terminates w{number}")
                self._ask("DELETE", f"/workflow/{workflow_id}")

    def _read_file(self) -> None:
        """Show the witness what the outbox still holds: it waits there for the next process."""
        if self._outbox.path is not None:
            with contextlib.closing(sqlite3.connect(self._outbox.path)) as connection:
                for (body,) in connection.execute("SELECT body FROM results"):
                    self._witness.found(bytes(body).decode())

    # ---------------------------------------------------------------- a process

    async def _live(self, life: int, departure: Departure | None) -> None:
        """Serve as one process, until it is its time to leave."""
        witness = self._witness
        wire = Wire(self._server.transport(), life, witness)
        listener = Listener(life, witness)
        grace = 5.0 if departure is None else departure.grace
        witness.note(f"p{life}", "  begins")
        async with anyworker.serving(
            *(self._worker(kind, life, wire) for kind in self._scenario.kinds),
            configuration=Configuration(server_api_url=URL, transport=wire),
            event_listeners=[listener],
            run_sync=run_inline,
            grace=grace,
            update_retry_delays=self._scenario.retry_delays,
            outbox=self._outbox,
        ) as fleet:
            witness.fleets[life] = fleet
            if departure is None:
                await self._last_days(fleet)
                await self._leave(life, fleet.drain, grace)
                return
            await anyio.sleep_until(departure.at)
            if departure.how == "kill":
                witness.note(f"p{life}", "  is killed")
                del witness.fleets[life]
                self._killed.add(life)
                wire.is_cut = listener.is_dead = True
                await fleet.stop()
                return
            leave = fleet.drain if departure.how == "drain" else fleet.stop
            await self._leave(life, leave, grace if departure.how == "drain" else 0.0)

    async def _leave(self, life: int, leave: Callable[[], Awaitable[None]], grace: float) -> None:
        """Let a process end of its own accord, in its time, with nothing in its hands."""
        witness, began = self._witness, anyio.current_time()
        witness.note(f"p{life}", "  leaves")
        await leave()
        took = anyio.current_time() - began
        witness.note(f"p{life}", f"  has left after {took:.3f} s")
        is_calm = self._scenario.is_peaceful or began >= STORM_ENDS + RECOVERY
        longest = grace + (CALM_SECONDS if is_calm else CANCEL_SECONDS + LAST_SECONDS) + EPSILON
        if took > longest:
            witness.accuse(f"p{life} took {took:.3f} s to leave, of {longest:.3f}")
        witness.step()
        fleet = witness.fleets.pop(life)
        if in_hand := sum(worker.in_hand for worker in fleet.status().workers):
            witness.accuse(f"p{life} has left with {in_hand} tasks in hand")

    async def _last_days(self, fleet: Fleet) -> None:
        """Wait until the storm is over and everything has ended."""
        with anyio.move_on_after(PATIENCE):
            await self._witness.all_ended.wait()
            await anyio.sleep_until(STORM_ENDS)
        if anyio.current_time() < STORM_ENDS + RECOVERY:
            return
        for worker in fleet.status().workers:
            if worker.failing_since is not None:
                self._witness.accuse(f"polls of {worker.task_type} still fail: {worker.failure}")

    def _worker(self, kind: TaskKind, life: int, wire: Wire) -> Worker:
        function = self._asynchronous(life, wire) if kind.is_async else self._plain(life, wire)
        return Worker(
            kind.name,
            function,
            thread_count=kind.thread_count,
            lease_extend_enabled=kind.extends_leases,
            timeout=kind.timeout,
        )

    def _asynchronous(self, life: int, wire: Wire) -> Callable[[int, str], Awaitable[object]]:
        async def work(flow: int, reference: str) -> object:
            task_id = get_task_context().get_task_id()
            deed = self._deed(flow, reference)
            self._witness.called(life, task_id, 1)
            try:
                await anyio.sleep(deed.seconds)
                return self._end(deed, life, task_id, wire)
            finally:
                self._witness.called(life, task_id, -1)

        return work

    def _plain(self, life: int, wire: Wire) -> Callable[[int, str], object]:
        def work(flow: int, reference: str) -> object:
            task_id = get_task_context().get_task_id()
            self._witness.called(life, task_id, 1)
            try:
                return self._end(self._deed(flow, reference), life, task_id, wire)
            finally:
                self._witness.called(life, task_id, -1)

        return work

    def _deed(self, flow: int, reference: str) -> Deed:
        context = get_task_context()
        return self._scenario.deed(flow, reference, context.get_retry_count(), context.get_poll_count())

    def _end(self, deed: Deed, life: int, task_id: str, wire: Wire) -> object:
        token = "dead" if wire.is_cut else self._witness.ran(life, task_id, is_interim=deed.ending == "go on")
        match deed.ending:
            case "complete":
                return {"token": token}
            case "go on":
                return TaskInProgress(deed.pause, {"token": token})
            case "fail":
                raise RuntimeError(token)
            case "fail for good":
                raise NonRetryableException(token)
