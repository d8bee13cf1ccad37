"""A dev server that runs for weeks: what has ended, and what nobody asks for any more, is forgotten."""

import gc

import pytest
from devserver_rig import Rig

from anyworker.devserver.queueing import polls, queues
from anyworker.devserver.records import store


def objects() -> int:
    gc.collect()
    return len(gc.get_objects())


def live(rig: Rig, rounds: int, number: int = 0) -> None:
    """Do what many days of a dev server bring, many times over."""
    for turn in range(rounds):
        workflow_id = rig.start()
        task = rig.take()
        rig.ok("POST", f"/tasks/{task['taskId']}/log", "line")
        rig.report(task, "FAILED")
        rig.sleep(1)
        again = rig.take()
        rig.extend(again)
        rig.report(again, "IN_PROGRESS", callbackAfterSeconds=100)
        rig.report(again, "COMPLETED", logs=[{"log": "x", "createdTime": 1}])
        assert rig.workflow(workflow_id)["status"] == "COMPLETED"
        rig.ok("DELETE", f"/workflow/{rig.start()}")
        rig.ok("DELETE", f"/workflow/{rig.start(taskToDomain={'t': 'd'})}")
        rig.poll(f"nobody-{number}-{turn}")
        rig.poll("t", domain=f"nobody-{number}-{turn}")


def test_memory_does_not_grow_with_what_has_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_QUEUES", 20)
    monkeypatch.setattr(polls, "MOST_REMEMBERED", 20)
    rig = Rig(max_finished=10)
    rig.single(retryDelaySeconds=1, retryCount=1)
    rig.start(taskToDomain={"t": "d"})  # so that the queue, which nobody polls, is not idle
    live(rig, 150, 1)
    before = objects()
    live(rig, 300, 2)
    assert objects() - before < 300, "less than one object a round"


def test_log_of_a_task_keeps_its_last_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_LINES", 20)
    rig = Rig()
    for number in range(100):
        rig.ok("POST", "/tasks/x/log", f"{number}")
        rig.sleep(1)
    lines = rig.get("/tasks/x/log")
    assert 15 <= len(lines) <= 20
    assert lines[-1]["log"] == '"99"'


def test_queue_in_use_is_never_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queues, "MOST_QUEUES", 10)
    rig = Rig()
    rig.single()
    rig.start()
    waiting = rig.raw("GET", "/tasks/poll/batch/later?timeout=5000")
    for number in range(50):
        rig.poll(f"nobody-{number}")
    assert rig.size() == 1
    rig.single("later")
    rig.start("later")
    assert rig.finish(waiting).body.startswith(b'[{"taskType":"later"')  # type: ignore[arg-type]  # it waits
