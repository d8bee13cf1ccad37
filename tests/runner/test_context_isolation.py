"""A coroutine in a context of its own, inside a task that serves many."""

import contextvars

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest

from anyworker.runner.calling.isolation import in_context

variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="outside")


async def test_variables_set_inside_are_not_seen_outside() -> None:
    async def work() -> str:
        variable.set("inside")
        await anyio.lowlevel.checkpoint()
        return variable.get()

    assert await in_context(contextvars.copy_context(), work()) == "inside"
    assert variable.get() == "outside"


async def test_variables_reach_threads_and_children() -> None:
    seen: list[str] = []

    async def child() -> None:
        seen.append(variable.get())

    async def work() -> None:
        variable.set("inside")
        seen.append(await anyio.to_thread.run_sync(variable.get))
        async with anyio.create_task_group() as group:
            group.start_soon(child)

    await in_context(contextvars.copy_context(), work())
    assert seen == ["inside", "inside"]


async def test_exceptions_come_out_as_they_are() -> None:
    async def work() -> None:
        await anyio.lowlevel.checkpoint()
        raise KeyError("it")

    with pytest.raises(KeyError, match="it"):
        await in_context(contextvars.copy_context(), work())


async def test_cancellation_goes_in_and_clean_up_sees_the_variables() -> None:
    seen: list[str] = []

    async def work() -> None:
        variable.set("inside")
        try:
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.lowlevel.checkpoint()
            seen.append(variable.get())

    with anyio.move_on_after(0.01) as scope:
        await in_context(contextvars.copy_context(), work())
    assert scope.cancelled_caught
    assert seen == ["inside"]


async def test_scopes_and_task_groups_work_inside() -> None:
    async def work() -> int:
        with anyio.move_on_after(0.01) as scope:
            await anyio.sleep_forever()
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.sleep, 0)
        return int(scope.cancelled_caught)

    with anyio.fail_after(5):
        assert await in_context(contextvars.copy_context(), work()) == 1
