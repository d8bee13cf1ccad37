"""A fleet beside a block of the host's: whatever becomes of the block, the fleet ends with it."""

import contextlib
from collections.abc import AsyncIterator

import anyio
from anyio.abc import TaskGroup

from anyworker.fleet.fleet import CANCEL_SECONDS, Fleet

ABANDON_SECONDS = 2.0
"""How long beyond the fleet's own limits a cancelled host waits for it."""


@contextlib.asynccontextmanager
async def hosting() -> AsyncIterator[TaskGroup]:
    """Open a task group; what its block raises goes on as it is, in no group, once the tasks have ended."""
    error: BaseException | None = None
    async with anyio.create_task_group() as group:
        try:
            yield group
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException as raised:  # noqa: BLE001 - goes on below
            error = raised
    if error is not None:
        raise error


@contextlib.asynccontextmanager
async def ended_with_the_block(fleet: Fleet) -> AsyncIterator[None]:
    """Drain a fleet when the block is left; where that is cancelled, stop it, and wait in limited time."""
    try:
        try:
            yield
        except anyio.get_cancelled_exc_class():
            raise
        except BaseException:
            await fleet.drain()
            raise
        await fleet.drain()
    except anyio.get_cancelled_exc_class():
        fleet.stop()
        with anyio.move_on_after(CANCEL_SECONDS + ABANDON_SECONDS, shield=True):
            await fleet.wait()
        raise
