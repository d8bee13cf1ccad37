"""A steady flow of workflows of two tasks each, started on a server and read in the end."""

import random
from typing import Any

import anyio
import attrs
import httpx
from chaos_count import Started

RESPONSE_TIMEOUT = 3600
"""Seconds, the server's default: a task that has to wait for it does not end in a run."""
LONGEST_TASK = 1.5
LOOK_SECONDS = 1.0
DECIDE_AFTER = 5.0
"""Seconds after which the server is told to look at a workflow: it may have been killed before it did."""


@attrs.define(eq=False)
class Flow:
    """Start workflows one after another.

    Args:
        http: The server, without anything between.
        prefix: Of the names of types.
        dice: Chooses what they are given.
        rate: Workflows a second.
    """

    http: httpx.AsyncClient
    prefix: str
    dice: random.Random
    rate: float
    started: list[Started] = attrs.field(factory=list)

    async def register(self) -> None:
        """Define the tasks and the workflow."""
        names = [f"{self.prefix}_{name}" for name in ("double", "add")]
        definitions = [
            {
                "name": name,
                "responseTimeoutSeconds": RESPONSE_TIMEOUT,
                "retryDelaySeconds": 1,
                "retryCount": 3,
            }
            for name in names
        ]
        (await self.http.post("/metadata/taskdefs", json=definitions)).raise_for_status()
        tasks = [
            {
                "name": name,
                "taskReferenceName": reference,
                "type": "SIMPLE",
                "inputParameters": {"number": number, "seconds": f"${{workflow.input.{reference}}}"},
            }
            for name, reference, number in (
                (names[0], "first", "${workflow.input.number}"),
                (names[1], "second", "${first.output.result}"),
            )
        ]
        definition = {
            "name": self.prefix,
            "version": 1,
            "schemaVersion": 2,
            "tasks": tasks,
            "outputParameters": {"result": "${second.output.result}"},
        }
        (await self.http.put("/metadata/workflow", json=[definition])).raise_for_status()

    async def run(self) -> None:
        """Start workflows until cancelled; what the server does not take is left out."""
        while True:
            number = self.dice.randrange(1_000_000)
            seconds = {name: round(self.dice.uniform(0.02, LONGEST_TASK), 3) for name in ("first", "second")}
            body = {"name": self.prefix, "version": 1, "input": {"number": number, **seconds}}
            try:
                answer = await self.http.post("/workflow", json=body)
                workflow_id = answer.raise_for_status().text
            except httpx.HTTPError:
                pass  # it is away
            else:
                self.started.append(Started(workflow_id, 2 * number + 1))
            await anyio.sleep(self.dice.uniform(0.5, 1.5) / self.rate)

    async def settle(self, patience: float) -> None:
        """Wait until all have ended, or so many seconds have passed."""
        pending, looks = [each.workflow_id for each in self.started], 0
        with anyio.move_on_after(patience):
            while pending:
                pending = [each for each in pending if await self._runs(each)]
                looks += 1
                if looks * LOOK_SECONDS >= DECIDE_AFTER:
                    for workflow_id in pending:
                        await self.http.put(f"/workflow/decide/{workflow_id}")
                await anyio.sleep(LOOK_SECONDS)

    async def _runs(self, workflow_id: str) -> bool:
        answer = await self.http.get(f"/workflow/{workflow_id}", params={"includeTasks": "false"})
        return bool(answer.raise_for_status().json()["status"] == "RUNNING")

    async def read(self) -> dict[str, dict[str, Any]]:
        """Return all workflows as the server has them, by id."""
        found = {}
        for each in self.started:
            answer = await self.http.get(f"/workflow/{each.workflow_id}")
            found[each.workflow_id] = answer.raise_for_status().json()
        return found


def client(url: str) -> httpx.AsyncClient:
    """Return a client of a server that asks it directly."""
    return httpx.AsyncClient(base_url=url, timeout=30, trust_env=False)
