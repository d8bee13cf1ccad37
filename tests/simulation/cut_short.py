"""A short life of a worker, cut short at a chosen await; a second process takes over what it leaves."""

from tempfile import TemporaryDirectory
from typing import Literal

import anyio
import attrs
from injection import Injection, Site
from repeatable import quiet_logs, repeatable
from scenario import Deed, Departure, Flow, Scenario, TaskKind
from trio_scheduler import seeded_scheduler
from weather import Weather
from world import EPOCH, PATIENCE, World

from anyworker.fleet.fleet import Fleet
from anyworker.policy.cancellation import Terminated
from anyworker.testing import run_virtual
from anyworker.testing.clock import BackendName

Way = Literal["stop", "host", "terminate", "abandon"]
"""How a life is cut short: ``stop`` cancels what runs; ``host`` cancels the block that serves; ``terminate``
cancels each call, because its workflow was terminated; ``abandon`` cancels everything, delivery and all, as
a fleet does in the end with what has not ended."""

GRACE = 1.0
FORGIVEN = ("was cut off", "has not ended")
"""What cannot be held against a life that was abandoned: nothing could be given back."""

WITH_FILE = ("abandon",)
"""Ways that are tried with an outbox in a file, which each result reaches before the server."""


@attrs.frozen
class Scene(Scenario):
    """One task of each kind of trouble: heartbeats, turns, failures, results that are not taken at once."""

    def deed(self, flow: int, reference: str, attempt: int, call: int) -> Deed:
        """Return what a function does, which is no matter of chance here."""
        seconds = 1.6 if flow == 0 else 0.2
        if flow == 1 and call == 1:
            return Deed(seconds, "go on", 1)
        return Deed(seconds, "fail" if flow == 2 and attempt == 0 else "complete", 1)


SCENE = Scene(
    seed=7,
    waiting="first",
    kinds=(
        TaskKind("a", 2, True, True, 3, 3, None),
        TaskKind("b", 1, False, False, 3600, 3, 5.0),
    ),
    flows=(
        Flow(0, 0.1, ("a",), None),
        Flow(1, 0.2, ("a",), None),
        Flow(2, 0.3, ("b",), None),
    ),
    chaos_rate=0.0,
    has_surplus=False,
    outages=(),
    departures=(Departure(0.0, "stop", GRACE),),
    retry_delays=(),
    has_file=False,
    weather=Weather(None, None, (), (), (), None),
)


@attrs.frozen
class Cut:
    """What a life came to that was cut short."""

    site: Site | None
    """Where it was; None if it ended before."""
    violations: tuple[str, ...]
    trace: tuple[str, ...]


class CutShort(World):
    """The scene, and what is done to its first process.

    Args:
        way: What.
        at: At which moment that a task waits.
        most: How often the same await counts.
        directory: For what outlives a process.
    """

    def __init__(self, way: Way, at: int, most: float, directory: str) -> None:
        super().__init__(attrs.evolve(SCENE, has_file=way in WITH_FILE), directory)
        self._way = way
        self._known: list[str] = []
        faults = self._service.faults
        faults.answer(503, "POST /tasks", times=1, skip=1)
        faults.drop("POST /tasks", after_effect=True, times=1, skip=3)
        faults.drop("GET /tasks/poll/batch/{type}", after_effect=True, times=1, skip=8)
        self.injection = Injection(at, self._strike, most)

    async def play_cut(self) -> Cut:
        """Play it."""
        self._stay, self._host = anyio.CancelScope(), anyio.CancelScope()
        with anyio.fail_after(3600), self.injection.watching():
            outcome = await self.play()
        violations = tuple(text for text in outcome.violations if not self._is_forgiven(text))
        return Cut(self.injection.site, violations, outcome.trace)

    def _is_forgiven(self, violation: str) -> bool:
        # Nor does anybody wait for a function that ends once its worker is being abandoned.
        late = (f"result {token} " for token in self._results() if token not in self._known)
        return self._way == "abandon" and any(text in violation for text in (*FORGIVEN, *late))

    def _results(self) -> list[str]:
        """Return the tokens of all results that there are."""
        return list(self._witness._books.results)

    async def _live(self, life: int, departure: Departure | None) -> None:
        if life > 1 and self._way == "abandon":
            return
        with self._host if life == 1 else anyio.CancelScope():
            await super()._live(life, departure)
        if (fleet := self._witness.fleets.pop(life, None)) is not None:
            self._check_parting(life, fleet)

    def _check_parting(self, life: int, fleet: Fleet) -> None:
        """Refuse that a process which has ended has anything in its hands that it does not own up to."""
        for worker in fleet.status().workers:
            if worker.in_hand > (worker.abandoned if self._way == "abandon" else 0):
                self._witness.accuse(
                    f"p{life} has left with {worker.in_hand} tasks of {worker.task_type} in hand"
                )

    async def _until(self, departure: Departure, fleet: Fleet) -> None:
        with self._stay:
            await self._witness.all_ended.wait()

    async def _last_days(self, fleet: Fleet) -> None:
        with anyio.move_on_after(PATIENCE):
            await self._witness.all_ended.wait()

    def _strike(self) -> None:
        self._witness.note("!", f"{self._way} at {self.injection.site}")
        self._known = self._results()
        fleet = self._witness.fleets.get(1)
        if fleet is None:
            return
        match self._way:
            case "stop":
                fleet.stop()
                self._stay.cancel()
            case "host":
                self._host.cancel()
            case "abandon":
                fleet._scope.cancel()
                self._stay.cancel()
            case "terminate":
                for workflow_id, status in list(self._witness.workflows.items()):
                    if status == "RUNNING":
                        self._service.ask("DELETE", f"/workflow/{workflow_id}")
                for runner in fleet._runners:
                    for execution in runner.oldest(100):
                        execution.cancel(Terminated("terminated"))


def cut_short(way: Way, at: int, backend: BackendName, *, most: float) -> Cut:
    """Return what becomes of the scene, cut short at the ``at``-th moment; see `CutShort`."""
    with (
        quiet_logs(),
        repeatable(SCENE.seed, lambda now: EPOCH + now),
        seeded_scheduler(SCENE.seed),
        TemporaryDirectory() as directory,
    ):
        return run_virtual(CutShort(way, at, most, directory).play_cut, backend=backend)
