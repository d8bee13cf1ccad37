"""Running cases: each on a dev server of its own under virtual time, or many side by side in real time."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import anyio
import attrs
import httpx
from black_box import Conductor
from conformance_cases import BACKENDS, Backend, Case

from anyworker.devserver import DevServer
from anyworker.testing import run_virtual

EPOCH = 1_800_000_000.0
"""What a dev server under virtual time takes for the time of its first request, epoch seconds."""
PATIENCE = 90.0
"""Seconds after which a case in real time has failed."""
IN_FLIGHT = {"dev-socket": 24, "sqlite": 10, "postgres": 12, "redis": 16}
"""How many cases run side by side: most of them wait, and a server on SQLite does not bear many at work."""
MOST_AGAIN = 20
"""How many failures may be the load's; more than that are the server's."""


@attrs.frozen
class Outcome:
    """How a case ended on a server."""

    error: Exception | None
    seconds: float
    tries: int = 1

    def show(self) -> None:
        """Raise what the case raised."""
        if self.error is not None:
            raise self.error


@attrs.define
class Shown:
    """Which cases the servers have been shown."""

    counts: Counter[str] = attrs.field(factory=Counter)
    """How many, by server."""
    again: list[str] = attrs.field(factory=list)
    """Those that passed at the second try."""

    def show(self, backend: Backend, case: Case, outcome: Outcome) -> None:
        """Count a case; raise what it raised."""
        self.counts[backend.name] += 1
        outcome.show()
        if outcome.tries > 1:
            self.again.append(f"{backend.name}-{case.id}")


def run_in_process(case: Case, backend: Backend) -> None:
    """Run a case against a new dev server under virtual time; raise what it raises."""

    async def run() -> None:
        server = DevServer(waiting=backend.style, epoch=EPOCH, seed=1)
        async with httpx.AsyncClient(transport=server.transport(), base_url="http://dev/api") as http:
            conductor = Conductor(http, backend, EPOCH)
            await conductor.get("/version")
            await case.function(conductor)

    run_virtual(run)


def run_beside(cases: Sequence[Case], url: str, backend_name: str) -> Mapping[str, Outcome]:
    """Run cases against a server in real time, many at once; return their outcomes by id.

    Those that fail are run once more, one by one: what a server misses because too much is asked of it at
    once (SQLite's file is locked, a sweeper late) is no difference. What it does otherwise, it does again.
    """
    backend = BACKENDS[backend_name]

    async def run() -> dict[str, Outcome]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, limits=limits) as http:
            conductor = Conductor(http, backend, time.time())  # noqa: TID251 - to compare with a server's
            outcomes = await _run_all(cases, conductor, IN_FLIGHT[backend_name])
            failed = [case for case in cases if outcomes[case.id].error is not None]
            if len(failed) <= MOST_AGAIN:
                again = await _run_all(failed, conductor, 1)
                outcomes |= {name: attrs.evolve(outcome, tries=2) for name, outcome in again.items()}
        return outcomes

    return anyio.run(run)


async def _run_all(cases: Iterable[Case], conductor: Conductor, in_flight: int) -> dict[str, Outcome]:
    limiter = anyio.CapacityLimiter(in_flight)
    outcomes: dict[str, Outcome] = {}

    async def run_one(case: Case) -> None:
        async with limiter:
            outcomes[case.id] = await _outcome(case, conductor)

    async with anyio.create_task_group() as group:
        for case in cases:
            group.start_soon(run_one, case)
    return outcomes


async def _outcome(case: Case, conductor: Conductor) -> Outcome:
    began = anyio.current_time()
    error: Exception | None = None
    try:
        with anyio.fail_after(PATIENCE):
            await case.function(conductor)
    except Exception as raised:  # noqa: BLE001 - the test of the case raises it again
        error = raised
    return Outcome(error, anyio.current_time() - began)
