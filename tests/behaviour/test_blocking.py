"""Functions that keep the event loop are measured and named."""

import threading

import anyio
import anyio.lowlevel
import pytest
from stage import stage

from anyworker import Worker


def blocks() -> None:
    threading.Event().wait(0.4)


@pytest.mark.blocking
async def test_coroutine_function_that_blocks_is_named_once_with_its_seconds(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def greedy() -> None:
        await anyio.lowlevel.checkpoint()
        blocks()
        await anyio.lowlevel.checkpoint()

    with anyio.fail_after(20):
        async with stage(Worker("work", greedy)) as play:
            await play.define("work")
            for _ in range(2):
                await play.play()
    texts = [record.getMessage() for record in caplog.records]
    [line] = [text for text in texts if "kept the event loop" in text]
    assert "greedy" in line
    assert "for 0.4" in line


@pytest.mark.blocking
async def test_plain_function_may_block_and_a_coroutine_may_wait(caplog: pytest.LogCaptureFixture) -> None:
    async def patient() -> None:
        await anyio.sleep(0.5)

    with anyio.fail_after(20):
        async with stage(Worker("first", blocks), Worker("second", patient)) as play:
            await play.define("first", "second")
            assert (await play.play()).status == "COMPLETED"
    assert "kept the event loop" not in caplog.text
