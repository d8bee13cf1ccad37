"""What holds whatever happens: order of deadlines, one hand per task, bounded memory."""

import random

from devserver_rig import Rig
from hypothesis import given
from hypothesis import strategies as st

from anyworker.devserver.engine import Engine
from anyworker.devserver.timing.deadlines import Deadlines


def test_ended_workflows_beyond_the_limit_are_forgotten() -> None:
    rig = Rig(max_finished=2)
    rig.single()
    kept = rig.start()
    ended, ended_tasks = [], []
    for _ in range(4):
        ended.append(rig.start())
        task = next(task for task in rig.poll(count=2) if task["workflowInstanceId"] == ended[-1])
        rig.report(task, "COMPLETED", logs=[{"log": "x"}])
        assert rig.get(f"/tasks/{task['taskId']}/log")
        ended_tasks.append(task["taskId"])
    found = [rig.send("GET", f"/workflow/{workflow_id}").status for workflow_id in (kept, *ended)]
    assert found == [200, 404, 404, 200, 200]
    assert len(rig.engine.store.tasks) == 3
    logs = [rig.send("GET", f"/tasks/{task_id}/log").status for task_id in ended_tasks]
    assert logs == [204, 204, 200, 200]


def test_deadlines_of_what_has_ended_do_not_pile_up() -> None:
    rig = Rig(max_finished=1)
    rig.single(responseTimeoutSeconds=3600)
    for _ in range(500):
        rig.start()
        rig.report(rig.take(), "COMPLETED")
    assert rig.engine.next_deadline() is None


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans())))
def test_deadlines_pass_in_order_and_cancelled_ones_never(entries: list[tuple[int, bool]]) -> None:
    deadlines, passed = Deadlines(), list[int]()
    added = [(deadlines.add(at, passed.append), is_cancelled) for at, is_cancelled in entries]
    for deadline, is_cancelled in added:
        if is_cancelled:
            deadlines.cancel(deadline)
    expected = sorted(at for at, is_cancelled in entries if not is_cancelled)
    assert deadlines.next() == (expected[0] if expected else None)
    deadlines.advance(25)
    assert passed == [at for at in expected if at <= 25]
    deadlines.advance(50)
    assert passed == expected
    assert deadlines.next() is None


def test_deadlines_of_one_moment_pass_in_the_order_they_were_added() -> None:
    deadlines, passed = Deadlines(), list[str]()
    for name in "abcdef":
        deadlines.add(5, lambda _, name=name: passed.append(name))
    deadlines.advance(5)
    assert passed == list("abcdef")


@given(st.lists(st.sampled_from(["start", "poll", "done", "fail", "back", "beat", "wait"]), max_size=40))
def test_no_task_is_in_two_hands_and_none_vanishes(moves: list[str]) -> None:
    rig = Rig()
    rig.single(responseTimeoutSeconds=5, retryDelaySeconds=1, retryCount=1000)
    in_hand, started = {}, []
    for move in moves:
        if move == "start":
            started.append(rig.start())
        elif move == "wait":
            rig.sleep(2)
            in_hand = {
                key: task for key, task in in_hand.items() if rig.task(task)["status"] == "IN_PROGRESS"
            }
        elif move == "poll":
            for task in rig.poll(count=2):
                assert task["taskId"] not in in_hand
                in_hand[task["taskId"]] = task
        elif in_hand:
            key = next(iter(in_hand))
            if move == "beat":
                rig.extend(in_hand[key])
                continue
            status = {"done": "COMPLETED", "fail": "FAILED", "back": "IN_PROGRESS"}[move]
            rig.report(in_hand.pop(key), status)
    for _ in range(len(started)):
        rig.sleep(6)
        for task in rig.poll(count=100):
            rig.report(task, "COMPLETED")
    assert {rig.workflow(workflow_id)["status"] for workflow_id in started} <= {"COMPLETED"}
    assert rig.size() == 0


def test_ids_are_random_uuids_that_a_seed_repeats() -> None:
    engines = [Engine(chance=random.Random(3)) for _ in range(2)]
    assert engines[0].new_id() == engines[1].new_id() != engines[0].new_id()
