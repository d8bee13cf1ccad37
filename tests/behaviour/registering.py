"""Workers whose definitions are registered, and who hears of it."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import anyio
from stage import Stage, stage

from anyworker import TaskDef, TaskRunnerEventsListener, Worker
from anyworker.devserver import DevServer
from anyworker.events import TaskDefRegistered, TaskDefRegistrationFailure

Event = TaskDefRegistered | TaskDefRegistrationFailure


class Hearing(TaskRunnerEventsListener):
    """Waits for what becomes of a registration."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.heard = anyio.Event()

    def on_task_def_registered(self, event: TaskDefRegistered) -> None:
        self.events.append(event)
        self.heard.set()

    def on_task_def_registration_failure(self, event: TaskDefRegistrationFailure) -> None:
        self.events.append(event)
        self.heard.set()


def charge(order: str, amount: float = 1.0) -> dict[str, Any]:
    return {"charged": amount, "order": order}


def charging(
    task_def: TaskDef | None = None, function: Callable[..., object] = charge, **options: Any
) -> Worker:
    return Worker("charge", function, task_def=task_def, register_task_def=True, **options)


async def registered(
    server: DevServer, worker: Worker, *, others: Sequence[Worker] = (), **options: Any
) -> Event:
    """Run workers until a definition is registered, or is not."""
    hearing = Hearing()
    with anyio.fail_after(300):
        async with stage(worker, *others, server=server, event_listeners=[hearing], inline=True, **options):
            await hearing.heard.wait()
    return hearing.events[0]


async def on_server(server: DevServer, ask: Callable[[Stage], Awaitable[Any]]) -> Any:
    async with stage(Worker("idle", lambda: 1), server=server, inline=True) as it:
        return await ask(it)


async def definition(server: DevServer) -> dict[str, Any]:
    found: dict[str, Any] = await on_server(server, lambda it: it.client.get_task_def_fields("charge"))
    return found


async def operator_sets(server: DevServer, **fields: Any) -> None:
    await on_server(server, lambda it: it.client.register_task_defs([TaskDef(name="charge", **fields)]))
