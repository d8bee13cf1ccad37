"""Measure how long tasks wait on a real server: from their scheduling to the first line of the function.

    python benchmarks/bench_pickup.py [--server http://127.0.0.1:8080/api] [--rounds 3] [--backend trio]
        [--official /path/to/venv/bin/python] [--json FILE]

The server is that of --server, else of CONDUCTOR_SERVER_URL; task types and workflows get names of their own,
which stay there. In each round each subject, a worker with ten slots, gets single tasks at random moments,
bursts of five, and workflows of six tasks of one type, five at a time. The table has the milliseconds of all
rounds; for the chains those from the end of a task to the start of the next one, by the server's clock, which
has the update in it.

Marks beside the official SDK: single tasks p50 at most 0.75 and p95 0.6 of its, bursts 0.7 and 0.5.

The exit status is 0 whatever the verdicts; it is 2 where the server does not answer.
"""

import argparse
import contextlib
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import attrs
from bench_task import HERE
from meter import BACKENDS

from anyworker import Configuration, TaskDef
from anyworker.client import ConductorClient
from anyworker.conductor.models import Workflow, WorkflowDef, WorkflowTask
from anyworker.errors import ConductorError

SINGLES, BURSTS, BURST, CHAINS, STEPS = 20, 8, 5, 20, 6
START_SECONDS = 4.0
MARKS = {"single": (0.75, 0.6), "burst": (0.7, 0.5)}


@attrs.frozen
class Server:
    """A workflow on the server whose tasks one subject runs."""

    client: ConductorClient
    name: str

    async def start(self, flow: str, count: int) -> list[str]:
        """Start so many workflows, one after the other."""
        return [await self.client.start_workflow(f"{self.name}-{flow}", {}) for _ in range(count)]

    async def ends(self, ids: list[str]) -> list[Workflow]:
        """Return workflows once they have ended."""
        return [await self.client.wait_for_workflow(each) for each in ids]


@contextlib.asynccontextmanager
async def prepared(url: str) -> AsyncIterator[Server]:
    """Register a task type and workflows of one and of six tasks for the block."""
    name = f"bench-pickup-{uuid.uuid4().hex[:12]}"
    async with ConductorClient(Configuration(server_api_url=url, environ={})) as client:
        await client.register_task_defs([TaskDef(name=name, retry_count=0, response_timeout_seconds=60)])
        for flow, steps in (("one", 1), ("chain", STEPS)):
            tasks = [WorkflowTask(name=name, task_reference_name=f"step{step}") for step in range(steps)]
            definition = WorkflowDef(name=f"{name}-{flow}", tasks=tasks)
            await client.register_workflow_def(definition, overwrite=True)
        yield Server(client, name)


async def play(server: Server) -> dict[str, list[float]]:
    """Return the milliseconds of one round, by kind."""
    singles, bursts = list[str](), list[str]()
    for _ in range(SINGLES):
        singles += await server.start("one", 1)
        await anyio.sleep(0.2 + random.random() / 2)
    for _ in range(BURSTS):
        bursts += await server.start("one", BURST)
        await anyio.sleep(0.5 + random.random())
    chains = list[Workflow]()
    for _ in range(CHAINS // BURST):
        chains += await server.ends(await server.start("chain", BURST))
    return {
        "single": [_waited(flow) for flow in await server.ends(singles)],
        "burst": [_waited(flow) for flow in await server.ends(bursts)],
        "chain": [
            float(after.start_time - before.end_time)
            for flow in chains
            for before, after in zip(flow.tasks, flow.tasks[1:], strict=False)
        ],
    }


def _waited(flow: Workflow) -> float:
    [task] = flow.tasks
    return float(task.output_data["began"]) - task.scheduled_time


def run(url: str, subject: str, python: str) -> dict[str, list[float]]:
    """Return what one round with a subject gives."""

    async def measured() -> dict[str, list[float]]:
        async with prepared(url) as server:
            command = [python, str(HERE / "pickup_subject.py"), "--url", url, "--type", server.name]
            command += ["--official"] if subject == "official" else ["--backend", subject]
            with subprocess.Popen(  # noqa: ASYNC220 - nothing else goes on meanwhile
                command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            ) as process:
                assert process.stdin is not None
                with process.stdin:
                    await anyio.sleep(START_SECONDS)
                    return await play(server)

    return anyio.run(measured)


def main() -> None:
    """Measure as the command line says and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--server", default=os.environ.get("CONDUCTOR_SERVER_URL"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--backend", action="append", choices=BACKENDS)
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    if not given.server:
        parser.error("no server: give --server URL or set CONDUCTOR_SERVER_URL")
    subjects: list[str] = [*(given.backend or ["asyncio", "trio"]), *(["official"] if given.official else [])]
    found: dict[str, dict[str, list[float]]] = {subject: {} for subject in subjects}
    try:
        for _ in range(given.rounds):
            for subject in subjects:
                python = given.official if subject == "official" else sys.executable
                for kind, values in run(given.server, subject, python).items():
                    found[subject].setdefault(kind, []).extend(values)
                threading.Event().wait(1.0)
    except* ConductorError as errors:
        print(f"{given.server}: {errors.exceptions[0]}", file=sys.stderr)
        sys.exit(2)
    print(f"{'':8}{'':10}{'tasks':>7}{'p50 ms':>9}{'p95 ms':>9}")
    for kind in ("single", "burst", "chain"):
        for subject in subjects:
            values = found[subject][kind]
            p50, p95 = statistics.median(values), statistics.quantiles(values, n=20)[-1]
            verdict = _verdict(kind, subject, found)
            print(f"{kind:8}{subject:10}{len(values):>7}{p50:>9.1f}{p95:>9.1f}  {verdict}")
    if given.json is not None:
        given.json.write_text(json.dumps(found, indent=2) + "\n")


def _verdict(kind: str, subject: str, found: dict[str, dict[str, list[float]]]) -> str:
    if subject == "official" or "official" not in found or kind not in MARKS:
        return ""
    ours, theirs = found[subject][kind], found["official"][kind]
    p50 = statistics.median(ours) / statistics.median(theirs)
    p95 = statistics.quantiles(ours, n=20)[-1] / statistics.quantiles(theirs, n=20)[-1]
    is_reached = p50 <= MARKS[kind][0] and p95 <= MARKS[kind][1]
    return f"{p50:.2f} and {p95:.2f} of the official SDK's: {'reached' if is_reached else 'MISSED'}"


if __name__ == "__main__":
    main()
