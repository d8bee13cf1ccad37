"""Limits on how many tasks are in work at once, and on how often they are handed out."""

from typing import Any

import pytest
from devserver_rig import Rig

from anyworker.devserver import DevServer
from anyworker.devserver.queueing.polls import Waiting

STYLES = pytest.mark.parametrize("waiting", ["fill", "first"])


def limited(waiting: Waiting, limit: int, count: int, **fields: Any) -> tuple[Rig, list[str]]:
    """Return a server with workflows of one task each, of which so many may be in work."""
    rig = Rig(waiting)
    rig.single(concurrentExecLimit=limit, **fields)
    return rig, [rig.start() for _ in range(count)]


def rate_limited() -> Rig:
    """Return a server that keeps rate limits."""
    return Rig(engine=DevServer(waiting="first", rate_limits=True).engine)


def owners(tasks: list[Any]) -> list[str]:
    return [task["workflowInstanceId"] for task in tasks]


@STYLES
def test_no_more_tasks_than_the_limit_are_in_work(waiting: Waiting) -> None:
    rig, started = limited(waiting, 2, 4)
    assert owners(rig.poll(count=10)) == started[:2]
    assert rig.poll(count=10) == []
    assert rig.size() == 2


@STYLES
@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "FAILED_WITH_TERMINAL_ERROR", "CANCELED"])
def test_next_comes_at_once_when_one_ends(waiting: Waiting, status: str) -> None:
    rig, started = limited(waiting, 1, 3, retryCount=0)
    (task,) = rig.poll(count=3)
    rig.report(task, status)
    assert owners(rig.poll(count=3)) == [started[1]]
    assert rig.poll(count=3) == []


@STYLES
def test_next_comes_at_once_when_the_workflow_of_one_is_terminated(waiting: Waiting) -> None:
    rig, started = limited(waiting, 1, 2)
    (task,) = rig.poll(count=2)
    rig.ok("DELETE", f"/workflow/{task['workflowInstanceId']}")
    assert owners(rig.poll()) == [started[1]]


@STYLES
def test_next_comes_in_its_time_when_the_workflow_of_one_is_removed(waiting: Waiting) -> None:
    rig, started = limited(waiting, 1, 2)
    (task,) = rig.poll(count=2)
    rig.ok("DELETE", f"/workflow/{task['workflowInstanceId']}/remove?archiveWorkflow=false")
    assert rig.poll() == []
    rig.sleep(2)
    assert owners(rig.poll()) == [started[1]]


@STYLES
@pytest.mark.parametrize(("retries", "after"), [(0, 1), (1, 2)])
def test_next_comes_when_a_time_out_ends_the_workflow_else_in_its_time(
    waiting: Waiting, retries: int, after: int
) -> None:
    rig, started = limited(
        waiting, 1, 2, responseTimeoutSeconds=1, retryCount=retries, retryDelaySeconds=3600
    )
    rig.poll(count=2)
    rig.sleep(0.999 if after == 1 else 1.999)
    assert rig.poll() == []
    rig.sleep(0.001)
    assert owners(rig.poll()) == [started[1]]


def test_poll_that_waits_gets_the_next_when_one_ends() -> None:
    rig, started = limited("first", 1, 2)
    (task,) = rig.poll(count=2)
    waiting = rig.engine.poll("t", now=rig.now, timeout=5000)
    rig.sleep(0.5)
    rig.report(task, "COMPLETED")
    rig.engine.advance(rig.now)
    assert [taken.workflow.workflow_id for taken in waiting.tasks or ()] == [started[1]]


def test_poll_that_finds_only_surplus_brings_nothing_at_once() -> None:
    rig, _ = limited("fill", 1, 2)
    rig.poll()
    before = rig.now
    assert (rig.poll(timeout=3000), rig.now) == ([], before)


@pytest.mark.parametrize(("waiting", "delivered"), [("fill", 0), ("first", 1)])
def test_task_handed_back_keeps_its_place_on_sql_and_gives_it_up_on_redis(
    waiting: Waiting, delivered: int
) -> None:
    rig, started = limited(waiting, 1, 2)
    (task,) = rig.poll(count=2)
    rig.report(task, "IN_PROGRESS", callbackAfterSeconds=6)
    rig.sleep(1.999)
    assert rig.poll() == []
    rig.sleep(0.001)
    assert owners(rig.poll()) == started[1:][:delivered]
    rig.sleep(4)
    assert owners(rig.poll(count=2)) == started[:1][: 1 - delivered]


def test_limit_is_the_one_of_the_moment_the_workflow_started() -> None:
    rig, _ = limited("fill", 1, 2)
    rig.define("t", concurrentExecLimit=5)
    assert len(rig.poll(count=5)) == 1


@STYLES
def test_limit_counts_over_all_domains_and_workflows(waiting: Waiting) -> None:
    rig, _ = limited(waiting, 1, 1)
    rig.flow("other", "t")
    rig.start("other", taskToDomain={"t": "d"})
    assert len(rig.poll()) == 1
    assert rig.poll(domain="d") == []


@STYLES
def test_rate_limit_is_off_unless_asked_for(waiting: Waiting) -> None:
    rig = Rig(waiting)
    rig.single(rateLimitPerFrequency=1, rateLimitFrequencyInSeconds=60)
    for _ in range(3):
        rig.start()
    assert len(rig.poll(count=3)) == 3


def test_rate_limit_gives_a_token_to_every_poll_of_a_task() -> None:
    rig = rate_limited()
    rig.single(rateLimitPerFrequency=2, rateLimitFrequencyInSeconds=6)
    for _ in range(5):
        rig.start()
    began, taken = rig.now, list[int]()
    while len(taken) < 5:
        taken += [rig.now - began for _ in rig.poll(count=10, timeout=100)]
    assert taken == [0, 0, 6000, 6000, 12000]


def test_task_handed_back_needs_another_token() -> None:
    rig = rate_limited()
    rig.single(rateLimitPerFrequency=1, rateLimitFrequencyInSeconds=6)
    rig.start()
    rig.report(rig.take(), "IN_PROGRESS")
    assert (rig.poll(), rig.size()) == ([], 1)
    rig.sleep(6)
    assert rig.take()["pollCount"] == 2


def test_rate_and_concurrency_hold_together() -> None:
    rig = rate_limited()
    rig.single(rateLimitPerFrequency=1, rateLimitFrequencyInSeconds=60, concurrentExecLimit=2)
    for _ in range(3):
        rig.start()
    (task,) = rig.poll(count=3)
    rig.report(task, "COMPLETED")
    assert rig.poll(count=3) == []
    rig.sleep(61)
    assert len(rig.poll(count=3)) == 1


@pytest.mark.parametrize(("waiting", "order"), [("fill", [99, 5, 1, 0]), ("first", [1, 5, 99, 0])])
def test_priorities_mean_something_else_on_each_back_end(waiting: Waiting, order: list[int]) -> None:
    rig = Rig(waiting)
    rig.single()
    for priority in (0, 5, 99, 1):
        rig.start(priority=priority)
    assert [task["workflowPriority"] for task in rig.poll(count=4)] == order


def test_surplus_is_pushed_back_for_as_long_as_the_server_was_told() -> None:
    rig = Rig(engine=DevServer(waiting="first", postpone=60.0).engine)
    rig.single(concurrentExecLimit=1)
    first, second = rig.start(), rig.start()
    (task,) = rig.poll(count=2)
    assert task["workflowInstanceId"] == first
    rig.report(task, "IN_PROGRESS", callbackAfterSeconds=3600)
    rig.sleep(59.999)
    assert rig.poll() == []
    rig.sleep(0.001)
    assert owners(rig.poll()) == [second]
