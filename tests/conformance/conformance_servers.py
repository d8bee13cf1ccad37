"""Running cases: each on a dev server of its own under virtual time, or many side by side in real time."""

import time
from collections.abc import Iterable, Mapping

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
IN_FLIGHT = {"dev-socket": 24, "sqlite": 12, "postgres": 12, "redis": 16}
"""How many cases run side by side: most of them wait, and a server on SQLite does not bear many at work."""


@attrs.frozen
class Outcome:
    """How a case ended on a server."""

    error: Exception | None
    seconds: float

    def show(self) -> None:
        """Raise what the case raised."""
        if self.error is not None:
            raise self.error


def run_in_process(case: Case, backend: Backend) -> None:
    """Run a case against a new dev server under virtual time; raise what it raises."""

    async def run() -> None:
        server = DevServer(waiting=backend.style, epoch=EPOCH, seed=1)
        async with httpx.AsyncClient(transport=server.transport(), base_url="http://dev/api") as http:
            conductor = Conductor(http, backend, EPOCH)
            await conductor.get("/version")
            await case.function(conductor)

    run_virtual(run)


def run_beside(cases: Iterable[Case], url: str, backend_name: str) -> Mapping[str, Outcome]:
    """Run cases against a server in real time, many at once; return their outcomes by id."""
    backend = BACKENDS[backend_name]
    outcomes: dict[str, Outcome] = {}

    async def run_one(case: Case, conductor: Conductor, limiter: anyio.CapacityLimiter) -> None:
        async with limiter:
            began = anyio.current_time()
            try:
                with anyio.fail_after(PATIENCE):
                    await case.function(conductor)
            except Exception as error:  # noqa: BLE001 - the test of the case raises it again
                outcomes[case.id] = Outcome(error, anyio.current_time() - began)
            else:
                outcomes[case.id] = Outcome(None, anyio.current_time() - began)

    async def run() -> None:
        limiter = anyio.CapacityLimiter(IN_FLIGHT[backend_name])
        limits = httpx.Limits(max_connections=None)
        async with (
            httpx.AsyncClient(base_url=url, timeout=60, trust_env=False, limits=limits) as http,
            anyio.create_task_group() as group,
        ):
            conductor = Conductor(http, backend, time.time())  # noqa: TID251 - to compare with a server's
            for case in cases:
                group.start_soon(run_one, case, conductor, limiter)

    anyio.run(run)
    return outcomes
