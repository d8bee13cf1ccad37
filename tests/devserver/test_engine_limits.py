"""Retries, timeouts and endings of the engine."""

from typing import Any

import pytest
from devserver_rig import Rig

from anyworker.devserver.lifecycle.limits import retry_delay
from anyworker.devserver.metadata.definitions import TaskDefinition, read_task_definition


def delays(count: int, **fields: Any) -> list[int]:
    definition = TaskDefinition.of(read_task_definition({"name": "t", **fields}))
    return [retry_delay(definition, attempt) for attempt in range(count)]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"retryDelaySeconds": 5}, [5, 5, 5, 5]),
        ({"retryDelaySeconds": 0}, [0, 0, 0, 0]),
        ({"retryLogic": "LINEAR_BACKOFF", "retryDelaySeconds": 1, "backoffScaleFactor": 2}, [2, 4, 6, 8]),
        (
            {
                "retryLogic": "EXPONENTIAL_BACKOFF",
                "retryDelaySeconds": 2,
                "backoffScaleFactor": 3,
                "maxRetryDelaySeconds": 5,
            },
            [2, 4, 5, 5],
        ),
        ({"retryDelaySeconds": 60, "maxRetryDelaySeconds": 7}, [7, 7, 7, 7]),
    ],
)
def test_retry_delay_follows_its_logic(fields: dict[str, Any], expected: list[int]) -> None:
    assert delays(4, **fields) == expected


def test_retry_delay_overflows_as_the_servers_integers_do() -> None:
    found = delays(32, retryLogic="EXPONENTIAL_BACKOFF", retryDelaySeconds=60)
    assert found[25] == 60 * 2**25
    assert found[26:30] == [2**31 - 1] * 4
    assert found[30:] == [0, 2**31 - 1]


def test_response_timeout_is_exact_to_the_millisecond() -> None:
    rig = Rig()
    rig.single(responseTimeoutSeconds=3, retryDelaySeconds=0)
    workflow_id = rig.start()
    rig.take()
    rig.sleep(2.999)
    assert rig.statuses(workflow_id) == ["IN_PROGRESS"]
    rig.sleep(0.001)
    assert rig.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


def test_what_was_due_in_between_happened_at_its_own_time() -> None:
    rig = Rig()
    rig.single(responseTimeoutSeconds=1, retryDelaySeconds=2, retryCount=1)
    workflow_id = rig.start()
    polled = rig.now
    rig.take()
    rig.sleep(60)
    first, second = rig.workflow(workflow_id)["tasks"]
    assert (first["endTime"], second["scheduledTime"]) == (polled + 1000, polled + 1000)
    assert rig.take()["queueWaitTime"] == 59_000


def test_handed_back_task_has_no_response_timeout_but_its_timeout_goes_on() -> None:
    rig = Rig()
    rig.single(responseTimeoutSeconds=1, timeoutSeconds=5, timeoutPolicy="RETRY", retryDelaySeconds=0)
    workflow_id = rig.start()
    rig.report(rig.take(), "IN_PROGRESS", callbackAfterSeconds=60)
    rig.sleep(4.999)
    assert rig.statuses(workflow_id) == ["SCHEDULED"]
    rig.sleep(0.001)
    assert rig.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]
    reason = (
        "Task timed out after 5 seconds. Timeout configured as 5 seconds. Timeout policy configured to RETRY"
    )
    assert rig.workflow(workflow_id)["tasks"][0]["reasonForIncompletion"] == reason


def test_poll_timeout_counts_as_an_attempt() -> None:
    rig = Rig()
    rig.single(pollTimeoutSeconds=1, timeoutPolicy="RETRY", retryCount=1, retryDelaySeconds=0)
    workflow_id = rig.start()
    rig.sleep(1)
    assert rig.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]
    rig.sleep(1)
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], rig.statuses(workflow_id)) == ("TIMED_OUT", ["TIMED_OUT", "TIMED_OUT"])
    assert rig.poll() == []


def test_hand_back_may_time_out_a_task_that_waited_too_long() -> None:
    rig = Rig()
    rig.single(pollTimeoutSeconds=2, timeoutPolicy="RETRY", retryDelaySeconds=0)
    workflow_id = rig.start()
    task = rig.take()
    rig.sleep(5)
    rig.report(task, "IN_PROGRESS", callbackAfterSeconds=1)
    assert rig.statuses(workflow_id) == ["TIMED_OUT", "SCHEDULED"]


def test_total_timeout_ends_it_even_with_policy_retry() -> None:
    rig = Rig()
    rig.single(totalTimeoutSeconds=10, timeoutPolicy="RETRY", retryCount=9, retryDelaySeconds=0)
    workflow_id = rig.start()
    rig.sleep(6)
    rig.report(rig.take(), "FAILED")
    second = rig.take()
    rig.sleep(4)
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], rig.statuses(workflow_id)) == ("TIMED_OUT", ["FAILED", "TIMED_OUT"])
    assert workflow["reasonForIncompletion"] == (
        f"Task {second['taskId']}/t exceeded total timeout of 10 seconds (elapsed 10 seconds across all "
        "attempts). No further retries will be attempted."
    )
    assert workflow["tasks"][1]["reasonForIncompletion"] == (
        f"Task t/{second['taskId']} exceeded total timeout of 10 seconds (elapsed 10 seconds across all "
        "attempts including retry delays). Timeout policy: RETRY"
    )


def test_workflow_timeout_cancels_its_tasks() -> None:
    rig = Rig()
    rig.define("t")
    rig.flow("w", "t", timeoutSeconds=5, timeoutPolicy="TIME_OUT_WF")
    workflow_id = rig.start("w")
    rig.take()
    rig.sleep(5)
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], rig.statuses(workflow_id)) == ("TIMED_OUT", ["CANCELED"])
    assert workflow["reasonForIncompletion"] == (
        "Workflow timed out after 5 seconds. Timeout configured as 5 seconds. "
        "Timeout policy configured to TIME_OUT_WF"
    )


def test_terminal_error_is_not_retried() -> None:
    rig = Rig()
    rig.single(retryCount=5)
    workflow_id = rig.start()
    task = rig.take()
    rig.report(task, "FAILED_WITH_TERMINAL_ERROR", reasonForIncompletion="bad")
    workflow = rig.workflow(workflow_id)
    assert rig.statuses(workflow_id) == ["FAILED_WITH_TERMINAL_ERROR"]
    sentence = f"Task {task['taskId']} failed with status: FAILED and reason: 'bad'"
    assert (workflow["status"], workflow["reasonForIncompletion"]) == ("FAILED", sentence)


def test_task_canceled_by_its_worker_terminates_the_workflow() -> None:
    rig = Rig()
    rig.single(retryCount=5)
    workflow_id = rig.start()
    rig.report(rig.take(), "CANCELED")
    assert rig.workflow(workflow_id)["status"] == "TERMINATED"


def test_optional_task_is_retried_then_forgiven() -> None:
    rig = Rig()
    rig.define("a", "b", retryCount=1, retryDelaySeconds=0)
    rig.flow("w", {"name": "a", "taskReferenceName": "a", "optional": True}, "b")
    workflow_id = rig.start("w")
    rig.report(rig.take("a"), "FAILED")
    rig.report(rig.take("a"), "FAILED", reasonForIncompletion="no")
    assert rig.statuses(workflow_id) == ["FAILED", "COMPLETED_WITH_ERRORS", "SCHEDULED"]
    rig.report(rig.take("b"), "COMPLETED")
    assert rig.workflow(workflow_id)["status"] == "COMPLETED"


def test_permissive_task_lets_the_others_go_on_and_fails_the_workflow_in_the_end() -> None:
    rig = Rig()
    rig.define("a", "b", retryCount=0)
    rig.flow("w", {"name": "a", "taskReferenceName": "a", "permissive": True}, "b")
    workflow_id = rig.start("w")
    failed = rig.take("a")
    rig.report(failed, "FAILED", reasonForIncompletion="no")
    assert rig.statuses(workflow_id) == ["FAILED", "SCHEDULED"]
    rig.report(rig.take("b"), "COMPLETED")
    workflow = rig.workflow(workflow_id)
    assert (workflow["status"], workflow["failedReferenceTaskNames"]) == ("FAILED", ["a"])
    assert failed["taskId"] in workflow["reasonForIncompletion"]


def test_retry_count_of_the_step_goes_before_that_of_the_definition() -> None:
    rig = Rig()
    rig.define("t", retryCount=5)
    rig.flow("w", {"name": "t", "taskReferenceName": "t", "retryCount": 0})
    workflow_id = rig.start("w")
    rig.report(rig.take(), "FAILED")
    assert rig.workflow(workflow_id)["status"] == "FAILED"


def test_running_workflow_keeps_the_definitions_it_started_with() -> None:
    rig = Rig()
    rig.single(retryCount=0)
    old = rig.start()
    rig.define("t", retryCount=1, retryDelaySeconds=0)
    new = rig.start()
    for task in rig.poll(count=2):
        rig.report(task, "FAILED")
    assert (rig.statuses(old), rig.statuses(new)) == (["FAILED"], ["FAILED", "SCHEDULED"])
