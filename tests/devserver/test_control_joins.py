"""FORK_JOIN and JOIN: what runs side by side, and what becomes of it."""

from typing import Any

import pytest
from control_steps import control, fork, set_variables, simple, switch
from devserver_rig import Rig


def begin(*steps: Any, retryCount: int = 0, **fields: Any) -> tuple[Rig, str]:  # noqa: N803  # as on the wire
    """Start a workflow of these steps with the task types a to d."""
    rig = Rig()
    rig.define("a", "b", "c", "d", retryCount=retryCount, retryDelaySeconds=0)
    rig.flow("flow", *steps, **fields)
    return rig, rig.start("flow")


def do(rig: Rig, task_type: str, status: str = "COMPLETED", **output: Any) -> None:
    rig.report(rig.take(task_type), status, outputData=output, reasonForIncompletion="why")


def states(rig: Rig, workflow_id: str) -> dict[str, str]:
    return {task["referenceTaskName"]: task["status"] for task in rig.workflow(workflow_id)["tasks"]}


def task_of(rig: Rig, workflow_id: str, reference: str) -> Any:
    return [t for t in rig.workflow(workflow_id)["tasks"] if t["referenceTaskName"] == reference][-1]


def test_join_waits_for_every_branch_and_collects_what_is_not_empty() -> None:
    rig, workflow_id = begin(
        *fork([simple("a")], [simple("b")], [simple("c")], join_on=["a", "b", "c"]), simple("d")
    )
    do(rig, "a", x=1)
    assert task_of(rig, workflow_id, "fork_join")["outputData"] == {"a": {"x": 1}}
    do(rig, "b")
    assert "d" not in states(rig, workflow_id)
    do(rig, "c", z=3)
    assert task_of(rig, workflow_id, "fork_join")["outputData"] == {"a": {"x": 1}, "c": {"z": 3}}
    assert states(rig, workflow_id)["d"] == "SCHEDULED"


def test_success_of_an_awaited_task_is_passed_only_with_its_join() -> None:
    rig, workflow_id = begin(*fork([simple("a")], [simple("b")], join_on=["a", "b"]))
    do(rig, "a")
    assert task_of(rig, workflow_id, "a")["executed"] is False
    rig.decide(workflow_id)
    assert task_of(rig, workflow_id, "a")["executed"] is True


def test_task_after_an_awaited_one_comes_when_something_decides() -> None:
    rig, workflow_id = begin(*fork([simple("a"), simple("c")], [simple("b")], join_on=["a", "b"]))
    do(rig, "a")
    assert "c" not in states(rig, workflow_id)
    rig.sleep(30)
    assert states(rig, workflow_id)["c"] == "SCHEDULED"


def test_nested_forks_join_from_the_inside() -> None:
    inner = fork([simple("b")], [simple("c")], join_on=["b", "c"], reference="inner")
    rig, workflow_id = begin(*fork([simple("a"), *inner], [simple("d")], join_on=["inner_join", "d"]))
    for task_type in "abc":
        do(rig, task_type, by=task_type)
    assert task_of(rig, workflow_id, "inner_join")["status"] == "COMPLETED"
    do(rig, "d")
    found = rig.workflow(workflow_id)
    assert found["status"] == "COMPLETED"
    collected = {"b": {"by": "b"}, "c": {"by": "c"}}
    assert task_of(rig, workflow_id, "fork_join")["outputData"]["inner_join"] == collected
    assert found["output"] == collected, "the output of the task that was scheduled last"


def test_join_on_a_subset_lets_the_others_go_on_until_the_end() -> None:
    rig, workflow_id = begin(*fork([simple("a")], [simple("b")], join_on=["a"]), simple("c"))
    do(rig, "a")
    do(rig, "c")
    assert rig.workflow(workflow_id)["status"] == "RUNNING"
    do(rig, "b")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


@pytest.mark.parametrize(
    ("status", "ending"),
    [("FAILED", "FAILED"), ("FAILED_WITH_TERMINAL_ERROR", "FAILED"), ("CANCELED", "TERMINATED")],
)
def test_failed_branch_ends_the_workflow_and_cancels_the_others(status: str, ending: str) -> None:
    rig, workflow_id = begin(*fork([simple("a")], [simple("b")], join_on=["a", "b"]))
    do(rig, "a", status)
    assert rig.workflow(workflow_id)["status"] == ending
    assert states(rig, workflow_id) == {
        "fork": "COMPLETED",
        "a": status,
        "b": "CANCELED",
        "fork_join": "CANCELED",
    }
    assert rig.poll("b") == []


def test_retried_branch_is_waited_for() -> None:
    rig, workflow_id = begin(*fork([simple("a")], [simple("b")], join_on=["a", "b"]), retryCount=1)
    do(rig, "a", "FAILED", first=1)
    do(rig, "b")
    assert task_of(rig, workflow_id, "fork_join")["status"] == "IN_PROGRESS"
    do(rig, "a", second=2)
    assert task_of(rig, workflow_id, "fork_join")["outputData"] == {"a": {"second": 2}}
    assert rig.workflow(workflow_id)["failedReferenceTaskNames"] == ["a"]


def test_optional_branch_completes_the_join_with_errors() -> None:
    rig, workflow_id = begin(
        *fork([simple("a", optional=True)], [simple("b")], join_on=["a", "b"]), simple("c")
    )
    failed = rig.take("a")
    rig.report(failed, "FAILED")
    do(rig, "b")
    join = task_of(rig, workflow_id, "fork_join")
    assert (join["status"], states(rig, workflow_id)["a"]) == ("COMPLETED_WITH_ERRORS",) * 2
    assert join["reasonForIncompletion"] == f"a/{failed['taskId']} completed with errors"
    assert states(rig, workflow_id)["c"] == "SCHEDULED"


def test_permissive_branch_fails_the_join_when_the_others_are_done() -> None:
    rig, workflow_id = begin(*fork([simple("a", permissive=True)], [simple("b")], join_on=["a", "b"]))
    do(rig, "a", "FAILED")
    assert states(rig, workflow_id)["fork_join"] == "IN_PROGRESS"
    do(rig, "b")
    join = task_of(rig, workflow_id, "fork_join")
    assert (join["status"], join["reasonForIncompletion"]) == ("FAILED", "why")
    assert rig.workflow(workflow_id)["status"] == "FAILED"
    rig.ok("POST", f"/workflow/{workflow_id}/retry")
    assert states(rig, workflow_id)["fork_join"] == "IN_PROGRESS"
    do(rig, "a")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_branches_of_control_tasks_are_done_at_once() -> None:
    rig, workflow_id = begin(
        *fork(
            [set_variables("one", x=1)],
            [switch({"A": [simple("a")]}), set_variables("two", y="${workflow.variables.x}")],
            join_on=["one", "two"],
        )
    )
    found = rig.workflow(workflow_id)
    assert (found["status"], found["variables"]) == ("COMPLETED", {"x": 1, "y": 1})


def test_join_without_anything_to_wait_for_is_over() -> None:
    rig, workflow_id = begin(control("JOIN", "join", joinOn=[]))
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_fork_without_a_join_fails_its_workflow() -> None:
    rig, workflow_id = begin(control("FORK_JOIN", "fork", forkTasks=[[simple("a")]]))
    found = rig.workflow(workflow_id)
    assert (found["status"], found["tasks"]) == ("FAILED", [])
    assert "not followed by a join task" in found["reasonForIncompletion"]


def test_empty_branch_is_stumbled_over_at_the_start() -> None:
    rig = Rig()
    rig.flow("flow", *fork([simple("a")], [], join_on=["a"]))
    refused = rig.send("POST", "/workflow", {"name": "flow"})
    assert (refused.status, b"Index 0 out of bounds for length 0" in refused.body) == (500, True)
    assert rig.engine.store.workflows() == []


def test_paused_fork_takes_results_and_joins_but_schedules_nothing() -> None:
    rig, workflow_id = begin(*fork([simple("a")], [simple("b")], join_on=["a", "b"]), simple("c"))
    rig.ok("PUT", f"/workflow/{workflow_id}/pause")
    do(rig, "a")
    do(rig, "b")
    assert states(rig, workflow_id)["fork_join"] == "COMPLETED"
    assert "c" not in states(rig, workflow_id)
    rig.ok("PUT", f"/workflow/{workflow_id}/resume")
    assert states(rig, workflow_id)["c"] == "SCHEDULED"


def test_retry_and_restart_set_a_failed_fork_going_again() -> None:
    rig, workflow_id = begin(*fork([simple("a")], [simple("b")], join_on=["a", "b"]))
    do(rig, "a", "FAILED")
    rig.ok("POST", f"/workflow/{workflow_id}/retry")
    assert states(rig, workflow_id) == {
        "fork": "COMPLETED",
        "a": "SCHEDULED",
        "b": "SCHEDULED",
        "fork_join": "IN_PROGRESS",
    }
    do(rig, "a", "FAILED")
    rig.ok("POST", f"/workflow/{workflow_id}/restart")
    do(rig, "a")
    do(rig, "b")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"
    assert len(rig.workflow(workflow_id)["tasks"]) == 4


def test_response_timeout_in_a_branch_comes_on_its_millisecond() -> None:
    rig = Rig()
    rig.define("a", responseTimeoutSeconds=2, retryCount=1, retryDelaySeconds=0)
    rig.define("b", retryCount=0)
    rig.flow("flow", *fork([simple("a")], [simple("b")], join_on=["a", "b"]))
    workflow_id = rig.start("flow")
    rig.take("a")
    rig.sleep(1.999)
    assert states(rig, workflow_id)["a"] == "IN_PROGRESS"
    rig.sleep(0.001)
    assert [task["status"] for task in rig.workflow(workflow_id)["tasks"][1:2]] == ["TIMED_OUT"]
    assert states(rig, workflow_id)["a"] == "SCHEDULED"


@pytest.mark.parametrize("branches", [200])
def test_many_branches_cost_no_more_than_their_number(branches: int) -> None:
    """Count the looks at tasks rather than the time: a rescan per update would be branches squared."""
    rig = Rig()
    rig.define("a")
    steps = [[simple("a", f"a{number}")] for number in range(branches)]
    rig.flow("flow", *fork(*steps, join_on=[f"a{number}" for number in range(branches)]))
    workflow_id = rig.start("flow")
    decided = 0
    decide = rig.engine.decider.decide

    def counted(*args: Any) -> None:
        nonlocal decided
        decided += 1
        decide(*args)

    rig.engine.decider.decide = counted  # type: ignore[method-assign]  # counts, and does the same
    for task in rig.poll("a", count=branches):
        rig.report(task, "COMPLETED")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"
    assert decided < 5


def test_join_whose_name_has_a_task_definition_is_late_from_the_start() -> None:
    """As on the real server, which counts its time from an update that it has not had."""
    rig = Rig()
    rig.define("fork_join", responseTimeoutSeconds=300)
    rig.flow("flow", *fork([simple("a")], join_on=["a"]))
    found = rig.workflow(rig.start("flow"))
    assert found["status"] == "TIMED_OUT"
    assert "responseTimeout: 300 exceeded" in found["reasonForIncompletion"]
