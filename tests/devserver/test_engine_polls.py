"""How polls wait, what they bring, and what is bounded."""

import pytest
from devserver_rig import Rig, ids

from anyworker.devserver.queueing.polls import Poll, Waiting


def begin(rig: Rig, count: int, timeout: int, **fields: str) -> Poll:
    """Begin to poll, without waiting."""
    return rig.engine.poll("t", now=rig.now, worker_id="w", count=count, timeout=timeout, **fields)


def test_filling_poll_holds_its_task_until_its_time_is_over() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    poll = begin(rig, count=5, timeout=3000)
    assert not poll.is_done
    assert rig.statuses(workflow_id) == ["SCHEDULED"]
    assert (rig.poll(), rig.size()) == ([], 1)
    assert rig.get("/tasks/queue/all/verbose")["t"] == {"a": {"size": 0, "uacked": 1}}
    rig.sleep(3)
    assert rig.statuses(workflow_id) == ["IN_PROGRESS"]
    assert [task.started for task in poll.tasks or ()] == [rig.now]


def test_filling_poll_answers_as_soon_as_it_is_full() -> None:
    rig = Rig()
    rig.single()
    poll = begin(rig, count=2, timeout=3000)
    rig.sleep(0.5)
    rig.start()
    assert not poll.is_done
    rig.sleep(0.5)
    rig.start()
    assert poll.is_done
    assert len(poll.tasks or ()) == 2


def test_poll_of_the_style_first_answers_at_the_first_task() -> None:
    rig = Rig(waiting="first")
    rig.single()
    poll = begin(rig, count=5, timeout=3000)
    rig.start()
    assert poll.is_done
    assert len(poll.tasks or ()) == 1


def test_poll_of_the_style_first_brings_64_at_most() -> None:
    rig = Rig(waiting="first")
    rig.single()
    for _ in range(70):
        rig.start()
    assert [len(rig.poll(count=100)) for _ in range(3)] == [64, 6, 0]


@pytest.mark.parametrize("timeout", [0, -5])
def test_poll_without_a_timeout_looks_once(timeout: int) -> None:
    rig = Rig()
    rig.single()
    rig.start()
    before = rig.now
    assert (len(rig.poll(count=5, timeout=timeout)), rig.poll(timeout=timeout), rig.now) == (1, [], before)


@pytest.mark.parametrize(
    ("waiting", "count", "found"), [("fill", 0, 0), ("fill", -1, 2), ("first", 0, 0), ("first", -1, 0)]
)
def test_poll_for_less_than_one_task_answers_at_once_with_nothing_or_all(
    waiting: Waiting, count: int, found: int
) -> None:
    rig = Rig(waiting)
    rig.single()
    rig.start()
    rig.start()
    before = rig.now
    assert (len(rig.poll(count=count, timeout=3000)), rig.now) == (found, before)


@pytest.mark.parametrize(
    ("waiting", "timeout", "lasts"),
    [("fill", 1, 100), ("fill", 300, 300), ("fill", 4321, 4400), ("first", 1, 1), ("first", 4321, 4321)],
)
def test_empty_poll_waits_as_long_as_asked_on_sql_in_steps_of_100_ms(
    waiting: Waiting, timeout: int, lasts: int
) -> None:
    rig = Rig(waiting)
    before = rig.now
    assert (rig.poll(timeout=timeout), rig.now - before) == ([], lasts)


@pytest.mark.parametrize(("waiting", "found_after"), [("fill", 300), ("first", 250)])
def test_waiting_poll_finds_a_task_when_it_looks_next(waiting: Waiting, found_after: int) -> None:
    rig = Rig(waiting)
    rig.single()
    before = rig.now
    poll = begin(rig, 1, 3000)
    rig.sleep(0.25)
    rig.start()
    assert poll.is_done == (waiting == "first")
    rig.sleep(0.05)
    rig.engine.advance(rig.now)
    assert [task.started - before for task in poll.tasks or ()] == [found_after]


def test_task_goes_to_the_waiting_poll_that_looks_first() -> None:
    rig = Rig()
    rig.single()
    earlier = begin(rig, 1, 3000)
    rig.sleep(0.05)
    later = begin(rig, 1, 3000)
    rig.sleep(0.06)
    rig.start()
    rig.sleep(0.04)
    rig.engine.advance(rig.now)
    assert (earlier.is_done, later.is_done) == (False, True)


def test_polls_are_served_in_the_order_they_came() -> None:
    rig = Rig()
    rig.single()
    first, second = begin(rig, 1, 3000), begin(rig, 1, 3000)
    rig.start()
    assert (first.is_done, second.is_done) == (True, False)
    rig.start()
    assert second.is_done


def test_task_handed_back_reaches_a_waiting_poll_when_its_callback_is_due() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    rig.report(rig.take(), "IN_PROGRESS", callbackAfterSeconds=2)
    due = rig.now + 2000
    (again,) = rig.poll(timeout=5000)
    assert (rig.now, again["updateTime"], again["pollCount"]) == (due, due, 2)


def test_task_of_a_terminated_workflow_is_taken_from_the_poll_that_holds_it() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    poll = begin(rig, count=2, timeout=1000)
    rig.ok("DELETE", f"/workflow/{workflow_id}")
    rig.sleep(1)
    assert (rig.statuses(workflow_id), poll.tasks) == (["CANCELED"], [])


def test_tasks_are_delivered_by_priority_then_by_age_and_hand_backs_go_to_the_back() -> None:
    rig = Rig()
    rig.single()
    started = [rig.start(priority=priority) for priority in (0, 5, 99, 1, 5)]
    order = [rig.take()["workflowInstanceId"] for _ in started]
    assert order == [started[2], started[1], started[4], started[3], started[0]]
    rig.start()
    first, second = rig.take(), rig.start()
    rig.report(first, "IN_PROGRESS")
    assert [task["workflowInstanceId"] for task in rig.poll(count=2)] == [second, first["workflowInstanceId"]]


@pytest.mark.parametrize(("waiting", "delivered"), [("fill", 0), ("first", 1)])
@pytest.mark.parametrize("seconds", [-1, 2**63 - 1])
def test_callback_out_of_range_buries_the_task_on_sql_only(
    waiting: str, delivered: int, seconds: int
) -> None:
    rig = Rig(waiting="first" if waiting == "first" else "fill")
    rig.single()
    rig.start()
    rig.report(rig.take(), "IN_PROGRESS", callbackAfterSeconds=seconds)
    rig.sleep(3600)
    assert (len(rig.poll()), rig.size()) == (delivered, 1 - delivered)


def test_hand_back_sent_twice_gives_the_task_to_two() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    task = rig.take()
    rig.report(task, "IN_PROGRESS")
    assert rig.take()["taskId"] == task["taskId"]
    rig.report(task, "IN_PROGRESS")
    assert rig.take()["pollCount"] == 3


def test_completing_a_waiting_task_empties_its_queue() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    task = rig.take()
    rig.report(task, "IN_PROGRESS", callbackAfterSeconds=60)
    rig.report(task, "COMPLETED")
    rig.sleep(60)
    assert (rig.size(), rig.poll()) == (0, [])


def test_start_delay_postpones_the_first_delivery() -> None:
    rig = Rig()
    rig.define("t")
    rig.flow("w", {"name": "t", "taskReferenceName": "t", "startDelay": 3})
    rig.start("w")
    rig.sleep(2.999)
    assert rig.poll() == []
    rig.sleep(0.001)
    assert rig.take()["startDelayInSeconds"] == 3


def test_domain_without_an_active_poller_is_the_last_one_named() -> None:
    rig = Rig()
    rig.single()
    for task_to_domain, domain in (
        ({"t": "a,b"}, "b"),
        ({"*": "c"}, "c"),
        ({"*": "c", "t": "b"}, "b"),
        ({"other": "b"}, None),
    ):
        workflow_id = rig.start(taskToDomain=task_to_domain)
        assert rig.workflow(workflow_id)["tasks"][0].get("domain") == domain


def test_domain_counts_as_inactive_ten_seconds_after_its_poll_ended() -> None:
    rig = Rig()
    rig.single()
    poll = begin(rig, 1, 5000, domain="a")
    inactive = rig.start(taskToDomain={"t": "a,b"})
    assert rig.workflow(inactive)["tasks"][0]["domain"] == "b"
    rig.sleep(5)
    assert rig.get("/tasks/queue/polldata?taskType=t")[0]["lastPollTime"] == rig.now
    assert poll.is_done
    rig.sleep(9.999)
    active = rig.start(taskToDomain={"t": "a,b"})
    assert rig.workflow(active)["tasks"][0]["domain"] == "a"
    rig.sleep(0.001)
    gone = rig.start(taskToDomain={"t": "a,b"})
    assert rig.workflow(gone)["tasks"][0]["domain"] == "b"


def test_lease_extension_ignores_everything_else() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    task = rig.take()
    rig.sleep(1)
    rig.ok("POST", "/tasks", {**ids(task), "extendLease": True, "status": "FAILED", "outputData": {"x": 1}})
    assert rig.task(task) == {**task, "updateTime": rig.now}
