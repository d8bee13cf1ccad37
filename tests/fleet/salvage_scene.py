"""A server, and somebody who sees to what a dead process left there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs

from anyworker import Configuration, TaskHandedBack, TaskReclaimed
from anyworker.client import ConductorClient, Task, TaskDef, WorkflowDef, WorkflowTask
from anyworker.devserver import DevServer
from anyworker.events import Publisher
from anyworker.fleet.estates.salvage import Salvage
from anyworker.fleet.status import WorkerStatus
from anyworker.runner.threads import run_inline

DEAD = "host-1-dead"


def status(worker_id: str = DEAD, *, is_unique: bool = True, restartable: bool | None = None) -> WorkerStatus:
    return WorkerStatus(
        task_type="work",
        domain=None,
        worker_id=worker_id,
        slots=1,
        in_hand=0,
        undelivered=0,
        abandoned=0,
        finished=0,
        threads=0,
        leaked=0,
        is_paused=False,
        last_poll=None,
        failing_since=None,
        failure=None,
        is_unique=is_unique,
        restartable=restartable,
    )


@attrs.define(eq=False)
class Scene:
    """A server, somebody who asks it, and who sees to what the dead left."""

    server: DevServer
    client: ConductorClient
    salvage: Salvage
    events: list[TaskReclaimed]
    handed_back: list[TaskHandedBack]

    async def held(self, worker_id: str = DEAD, **task_def: Any) -> Task:
        """Return a task that a worker has taken."""
        await self.client.register_task_defs([TaskDef(name="work", **task_def)])
        definition = WorkflowDef(name="flow", tasks=[WorkflowTask(name="work", task_reference_name="it")])
        await self.client.register_workflow_def(definition, overwrite=True)
        await self.client.start_workflow(name="flow")
        [task] = await self.client.poll("work", count=1, timeout=0, worker_id=worker_id)
        return task

    async def give_back(self, *workers: WorkerStatus) -> None:
        with anyio.fail_after(120):
            await self.salvage.give_back("process 1 of 2", workers or (status(),))


@asynccontextmanager
async def scene(outbox: Path | None = None, epoch: float | None = None) -> AsyncIterator[Scene]:
    server = DevServer(epoch=epoch)
    configuration = Configuration(server_api_url="http://devserver/api", transport=server.transport())
    events: list[TaskReclaimed] = []
    handed_back: list[TaskHandedBack] = []

    class Listener:
        on_task_reclaimed = staticmethod(events.append)
        on_task_handed_back = staticmethod(handed_back.append)

    async with ConductorClient(configuration) as client:
        publisher = Publisher([Listener()])
        salvage = Salvage(configuration, publisher, outbox, draw=lambda: 0.5, run_sync=run_inline)
        yield Scene(server, client, salvage, events, handed_back)
