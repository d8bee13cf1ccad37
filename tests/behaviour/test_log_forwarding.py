"""What functions log is in their tasks' logs where their worker says so."""

import logging
import subprocess
import sys
import textwrap

import anyio.to_thread
import pytest
from stage import both_kinds, stage

from anyworker import Worker
from anyworker.errors import DeclarationError
from anyworker.runner.log_forwarding import TaskLogHandler

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


async def test_forwarding_does_not_depend_on_the_root_loggers_level() -> None:
    root, loud, shown = logging.getLogger(), logging.getLogger("shop.loud"), Shown()

    def both() -> None:
        work()
        loud.info("loud")

    level = root.level
    root.setLevel(logging.WARNING)
    loud.setLevel(logging.INFO)
    root.addHandler(shown)
    try:
        async with stage(Worker("work", both, forward_logs=logging.INFO)) as it:
            await it.define("work")
            workflow = await it.play()
            lines = [line.log for line in await it.client.get_logs(workflow.tasks[0].task_id)]
        assert lines == ["INFO: charging 7", "ERROR: odd amount", "INFO: loud"]
        assert [text for text in shown.texts if text in {"charging 7", "odd amount", "loud"}] == [
            "odd amount",
            "loud",
        ]
        assert (root.level, shown.filters) == (logging.WARNING, [])
    finally:
        root.removeHandler(shown)
        root.setLevel(level)
        loud.setLevel(logging.NOTSET)


class Shown(logging.Handler):
    """What goes to a handler that the program set up."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(record.getMessage())


def test_errors_are_shown_where_nobody_has_set_up_logging() -> None:
    script = """
        import logging
        from anyworker import Worker
        from anyworker.testing import run_task

        def work():
            logging.info("unseen")
            logging.getLogger("shop").error("seen")

        print([line.log for line in run_task(Worker("work", work, forward_logs=logging.INFO)).result.logs])
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['INFO: unseen', 'ERROR: seen']"
    assert done.stderr.strip() == "seen"


async def test_workers_of_one_type_forward_by_their_own_levels() -> None:
    workers = [
        Worker("work", work, domain="a", forward_logs=logging.ERROR),
        Worker("work", work, domain="b", forward_logs=logging.DEBUG),
    ]
    async with stage(*workers) as it:
        await it.define("work")
        counts = []
        for domain in ("a", "b"):
            workflow = await it.result(
                await it.client.start_workflow("flow", task_to_domain={"work": domain})
            )
            counts.append(len(await it.client.get_logs(workflow.tasks[0].task_id)))
    assert counts == [1, 3]


async def test_two_fleets_forward_each_line_once() -> None:
    worker = Worker("work", work, forward_logs=logging.INFO)
    async with stage(worker) as it, stage(worker):
        await it.define("work")
        workflow = await it.play()
        lines = await it.client.get_logs(workflow.tasks[0].task_id)
    assert len(lines) == 2
    assert [handler for handler in logging.getLogger().handlers if isinstance(handler, TaskLogHandler)] == []


@pytest.mark.parametrize("key", ["CONDUCTOR_WORKER_WORK_FORWARD_LOGS", "CONDUCTOR_WORKER_ALL_FORWARD_LOGS"])
async def test_environment_may_ask_for_it(
    key: str, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(key, "error")
    assert await log_of(Worker("work", work), caplog) == ["ERROR: odd amount"]


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
