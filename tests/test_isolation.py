"""What conftest.py promises to every test."""

import os
import time
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import anyio.to_thread
import pytest
from blockbuster import BlockingError

import anyworker
from anyworker import Worker, worker_task
from anyworker.registry import registered_workers

# Code that counts as anyworker's, for it is the file that blockbuster goes by.
INSIDE = Path(anyworker.__file__).with_name("inside.py")


def sleep_inside_anyworker() -> None:
    scope: dict[str, Any] = {"time": time}
    exec(compile("def block(): time.sleep(0.001)", INSIDE, "exec"), scope)
    scope["block"]()


async def test_blocking_the_loop_from_anyworker_is_refused_on_asyncio(anyio_backend_name: str) -> None:
    await anyio.lowlevel.checkpoint()
    if anyio_backend_name == "trio":
        sleep_inside_anyworker()
        return
    with pytest.raises(BlockingError):
        sleep_inside_anyworker()


@pytest.mark.blocking
async def test_marked_test_may_block() -> None:
    await anyio.lowlevel.checkpoint()
    sleep_inside_anyworker()


async def test_threads_may_block() -> None:
    with anyio.fail_after(10):
        await anyio.to_thread.run_sync(sleep_inside_anyworker)


@pytest.mark.parametrize("anyio_backend", ["uvloop"], indirect=True)
async def test_backend_can_be_chosen(anyio_backend: tuple[str, dict[str, Any]]) -> None:
    await anyio.lowlevel.checkpoint()
    assert anyio_backend == ("asyncio", {"use_uvloop": True})


@pytest.mark.parametrize("turn", [1, 2])
def test_registry_is_empty_at_first(turn: int) -> None:
    assert registered_workers() == []
    worker_task(task_definition_name=f"left_by_turn_{turn}")(lambda: None)
    assert [type(worker) for worker in registered_workers()] == [Worker]


def test_no_setting_comes_from_outside() -> None:
    assert not [name for name in os.environ if name.lower().startswith(("conductor", "http_proxy"))]
