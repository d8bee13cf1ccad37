"""What functions log is in their tasks' logs where their worker says so."""

import logging

import anyio.to_thread
import pytest
from stage import both_kinds, stage

from anyworker import Worker
from anyworker.errors import DeclarationError

logger = logging.getLogger("shop.charging")


def work() -> int:
    logger.debug("unimportant")
    logger.info("charging %d", 7)
    logger.error("odd %s", "amount")
    logging.getLogger("anyworker.inside").error("not the function's")
    return 1


async def log_of(worker: Worker, caplog: pytest.LogCaptureFixture) -> list[str]:
    with caplog.at_level(logging.DEBUG):
        async with stage(worker) as it:
            await it.define("work")
            workflow = await it.play()
            return [line.log for line in await it.client.get_logs(workflow.tasks[0].task_id)]


@pytest.mark.parametrize("function", both_kinds(work))
async def test_records_from_the_level_on_are_forwarded(
    function: object, caplog: pytest.LogCaptureFixture
) -> None:
    worker = Worker("work", function, forward_logs=logging.INFO)
    assert await log_of(worker, caplog) == ["INFO: charging 7", "ERROR: odd amount"]
    handlers = [type(handler).__name__ for handler in logging.getLogger().handlers]
    assert "TaskLogHandler" not in handlers


async def test_records_of_threads_that_the_function_starts_are_forwarded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def function() -> int:
        return await anyio.to_thread.run_sync(work)

    assert await log_of(Worker("work", function, forward_logs="error"), caplog) == ["ERROR: odd amount"]


async def test_nothing_is_forwarded_unless_the_worker_says_so(caplog: pytest.LogCaptureFixture) -> None:
    assert await log_of(Worker("work", work), caplog) == []


async def test_lines_beyond_ten_are_there_too(caplog: pytest.LogCaptureFixture) -> None:
    def chatty() -> int:
        for number in range(15):
            logger.info("line %d", number)
        return 1

    lines = await log_of(Worker("work", chatty, forward_logs=logging.INFO), caplog)
    assert sorted(lines) == sorted(f"INFO: line {number}" for number in range(15))


def test_a_level_that_is_none_is_refused() -> None:
    for level in ("LOUD", 0, True):
        with pytest.raises(DeclarationError, match="forward_logs"):
            Worker("work", work, forward_logs=level)
