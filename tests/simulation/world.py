"""Play a scenario: the server, one process after another, and what happens to them, under virtual time."""

import contextlib
import sqlite3
from collections.abc import Awaitable, Callable
from tempfile import TemporaryDirectory
from typing import Any, Literal

import anyio
import attrs
from judge import EPSILON
from repeatable import quiet_logs, repeatable
from scenario import Departure, Scenario
from service import KEY, SECRET, Service
from trio_scheduler import seeded_scheduler
from weather import STORM_ENDS, Outage
from wire import Wire
from witness import Witness
from workforce import Workforce

import anyworker
from anyworker import AuthenticationSettings, Configuration
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
COMPANION = 100
"""The number of the process that serves beside the others."""


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
    with (
        quiet_logs(),
        repeatable(seed, lambda at: EPOCH + at + scenario.weather.wall_clock(at)),
        seeded_scheduler(seed),
        TemporaryDirectory() as directory,
    ):
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
        self._service = Service(scenario, EPOCH)
        self._killed = set[int]()

    async def play(self) -> Outcome:
        """Play from the first poll of the first process to the end of the last."""
        self._witness = witness = Witness(self._scenario, self._service.engine)
        self._service.define()
        async with anyio.create_task_group() as history:
            self._service.let_loose(history, witness.note)
            if (company := self._scenario.weather.company) is not None:
                history.start_soon(self._accompany, company)
            for flow in self._scenario.flows:
                history.start_soon(self._history, flow.number)
            for life, departure in enumerate(self._scenario.departures, 1):
                await self._live(life, departure)
            await self._live(len(self._scenario.departures) + 1, None)
            history.cancel_scope.cancel()
        self._read_file()
        witness.check_end(set() if self._scenario.has_file else self._killed)
        return Outcome(self._scenario, tuple(witness.violations), tuple(witness.trace), witness.steps)

    # ---------------------------------------------------------------- the users

    async def _history(self, number: int) -> None:
        flow = self._scenario.flows[number]
        await anyio.sleep_until(flow.starts)
        start = {"name": f"flow{number}", "input": {"flow": number}}
        workflow_id = self._service.ask("POST", "/workflow", start).decode()
        self._witness.workflows.setdefault(workflow_id, "RUNNING")
        if flow.terminated is not None:
            await anyio.sleep_until(flow.terminated)
            if self._witness.workflows[workflow_id] == "RUNNING":
                self._witness.note("user", f"terminates w{number}")
                self._service.ask("DELETE", f"/workflow/{workflow_id}")

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
        wire = Wire(self._service.line, life, witness)
        listener = Listener(life, witness)
        workforce = Workforce(self._scenario, life, wire, witness)
        grace = 5.0 if departure is None else departure.grace
        witness.note(f"p{life}", "  begins")
        async with anyworker.serving(
            *workforce.workers(),
            configuration=self._configuration(wire),
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
            await self._until(departure, fleet)
            if departure.how == "kill":
                witness.note(f"p{life}", "  is killed")
                del witness.fleets[life]
                self._killed.add(life)
                wire.is_cut = listener.is_dead = True
                _take_file_away(fleet)
                await fleet.stop()
                return
            leave = fleet.drain if departure.how == "drain" else fleet.stop
            await self._leave(life, leave, grace if departure.how == "drain" else 0.0)

    async def _until(self, departure: Departure, fleet: Fleet) -> None:
        """Wait until it is time for a process to leave."""
        await anyio.sleep_until(departure.at)

    async def _accompany(self, company: Outage) -> None:
        """Serve as a second process for a time."""
        await anyio.sleep_until(company.starts)
        await self._live(COMPANION, Departure(company.starts + company.seconds, "drain", 2.0))

    def _configuration(self, wire: Wire) -> Configuration:
        is_asked = self._scenario.weather.token_lifetime is not None
        authentication = AuthenticationSettings(KEY, SECRET) if is_asked else None
        return Configuration(server_api_url=URL, transport=wire, authentication_settings=authentication)

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
        self._check_parting(life, witness.fleets.pop(life))

    def _check_parting(self, life: int, fleet: Fleet) -> None:
        """Refuse that a process which has ended has anything in its hands."""
        if in_hand := sum(worker.in_hand for worker in fleet.status().workers):
            self._witness.accuse(f"p{life} has left with {in_hand} tasks in hand")

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


def _take_file_away(fleet: Fleet) -> None:
    """Leave the outbox's file as a killed process leaves it: nothing is written on the way out."""
    archive = fleet.outbox._archive
    if archive is not None and archive.file._connection is not None:
        archive.file._connection.close()
        archive.file._connection = None
        archive.file.path /= "gone"
