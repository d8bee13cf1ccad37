"""Listeners that raise or take their time, and what a listener is."""

import asyncio
import logging
import time

import anyio
import pytest
from ear import Ear
from stage import stage

from anyworker import PollCompleted, PollStarted, TaskExecutionStarted, TaskRunnerEventsListener, Worker
from anyworker.events import Publisher
from anyworker.events.listener import KINDS, method_of


def test_listener_that_overrides_nothing_hears_nothing() -> None:
    class Deaf(TaskRunnerEventsListener):
        pass

    listener = Deaf()
    assert isinstance(listener, TaskRunnerEventsListener)
    for kind in KINDS:
        assert getattr(listener, method_of(kind))(None) is None
        assert not Publisher([listener]).hears(kind)


@pytest.mark.virtual_time
async def test_listener_that_raises_is_logged_once_for_each_kind(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        def on_poll_started(self, event: PollStarted) -> None:
            raise asyncio.CancelledError

        def on_poll_completed(self, event: PollCompleted) -> None:
            message = "listener bug"
            raise RuntimeError(message)

    ear = Ear(PollStarted, PollCompleted)
    async with stage(Worker("work", lambda: 1), event_listeners=[Broken(), ear], inline=True):
        await anyio.sleep(60)
    lines = [record.getMessage() for record in caplog.records if "Broken" in record.getMessage()]
    assert [line.split(" failed on ")[1].split(";")[0] for line in lines] == ["PollStarted", "PollCompleted"]
    assert len(ear.of(PollCompleted)) > 20


def test_end_of_the_failures_is_told_with_their_count(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "anyworker")
    failures = [True, True, True, False, True, False]

    class Moody:
        def on_poll_started(self, event: PollStarted) -> None:
            if failures.pop(0):
                raise ValueError

    publisher = Publisher([Moody()])
    while failures:
        publisher.publish(PollStarted(task_type="work", worker_id="w", poll_count=1))
    first, last = [record.getMessage() for record in caplog.records]
    assert "failed on PollStarted" in first
    assert last.endswith("works again on PollStarted, after 3 failures")


def test_slow_listener_is_named_once_with_its_share(caplog: pytest.LogCaptureFixture) -> None:
    class Slow:
        def on_task_execution_started(self, event: TaskExecutionStarted) -> None:
            time.sleep(0.06)  # noqa: TID251 - what the test is about

    publisher = Publisher([Slow(), Ear(TaskExecutionStarted)])
    for _ in range(6):
        publisher.publish(
            TaskExecutionStarted(task_type="work", task_id="t", worker_id="w", workflow_instance_id="f")
        )
    [line] = [record.getMessage() for record in caplog.records]
    assert "Slow is slow: it took " in line
    assert " % of the event loop's time" in line
