"""Odd requests that have an effect all the same, as the real server said when asked."""

import json
from typing import Any

import pytest
from devserver_rig import Rig, ids

EVENT = "com.netflix.conductor.common.metadata.workflow.StateChangeEvent"


def test_log_lines_before_one_without_text_are_kept_and_none_beside_null() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    task = rig.take()
    for logs in (["a", {}, "b"], ["c", None]):
        answer = rig.send("POST", "/tasks", {**ids(task), "status": "IN_PROGRESS", "logs": logs})
        assert answer.status == 500
        assert rig.task(task)["status"] == "SCHEDULED"
    assert [line["log"] for line in rig.get(f"/tasks/{task['taskId']}/log")] == ["a"]


def test_log_text_is_read_in_the_charset_it_comes_in() -> None:
    rig = Rig()
    for body, content_type in (
        ("é".encode("latin-1"), "text/plain; charset=ISO-8859-1"),
        ("é".encode(), "text/plain"),
        (b"x", "multipart/form-data"),
    ):
        rig.raw("POST", "/tasks/t/log", body, content_type)
    assert [line["log"] for line in rig.get("/tasks/t/log")] == ["é", "é"]


def test_update_by_reference_keeps_the_worker_unless_it_is_synchronous() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()

    def worker(path: str) -> Any:
        rig.ok("POST", f"/tasks/{workflow_id}/t/IN_PROGRESS{path}", {})
        return rig.workflow(workflow_id)["tasks"][0].get("workerId")

    assert worker("?workerid=a") == "a"
    assert worker("") == "a"
    assert worker("/sync") is None


def test_queue_sizes_are_asked_for_in_many_ways() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    for query, size in (("", 1), ("&domain=", 1), ("&isolationGroupId=i", 0), ("&executionNamespace=e", 0)):
        assert rig.get(f"/tasks/queue/size?taskType=t{query}") == size
    for query, sizes in (
        ("t,%20x", {"t": 1, "x": 0}),
        ("t,,x", {"t": 1, "": 0, "x": 0}),
        ("t,x&taskType=t", {"t,x": 0, "t": 1}),
        ("", {}),
    ):
        assert rig.get(f"/tasks/queue/sizes?taskType={query}") == sizes


def test_requeued_task_waits_for_what_is_left_of_its_callback() -> None:
    rig = Rig()
    rig.single()
    rig.start()
    rig.report(rig.take(), "IN_PROGRESS", callbackAfterSeconds=10)
    rig.sleep(7)
    assert rig.ok("POST", "/tasks/queue/requeue/t") == "1"
    rig.sleep(2.999)
    assert rig.poll() == []
    rig.sleep(0.001)
    assert rig.take()["pollCount"] == 2


def test_start_delay_is_not_negative() -> None:
    steps = [{"name": "t", "taskReferenceName": "t", "startDelay": -1}]
    rig = Rig()
    for method in ("registerWorkflowDef", "updateWorkflowDef"):
        answer = rig.send("POST", "/metadata/workflow?overwrite=true", {"name": "w", "tasks": steps})
        assert json.loads(answer.body)["validationErrors"] == [
            {
                "path": f"{method}.arg0.tasks[0].startDelay",
                "message": "must be greater than or equal to 0",
                "invalidValue": "-1",
            }
        ]
        rig.flow("w", "t")


def test_limits_on_running_workflows_and_caches_are_kept_in_the_definition() -> None:
    rig = Rig()
    given = {"rateLimitKey": "k", "concurrentExecLimit": "3", "other": 1}
    step = {"name": "t", "taskReferenceName": "t", "cacheConfig": {"key": "c"}, "rateLimited": False}
    rig.flow("w", step, rateLimitConfig=given, cacheConfig={})
    wire = rig.get("/metadata/workflow/w")
    assert wire["rateLimitConfig"] == {"rateLimitKey": "k", "concurrentExecLimit": 3, "policy": "QUEUE"}
    assert (wire["cacheConfig"], wire["tasks"][0]["cacheConfig"]["key"]) == ({"ttlInSecond": 0}, "c")
    assert wire["tasks"][0]["rateLimited"] is False


def test_first_of_repeated_flags_counts() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    assert rig.get(f"/workflow/{workflow_id}?includeTasks=false&includeTasks=x")["tasks"] == []


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"a": None, "b": [], "c": [None, {}]}, {"a": None, "b": [], "c": [None, {}]}),
        ({"a": [{"type": 1, "payload": {"b": 1}, "more": 1}]}, {"a": [{"type": "1", "payload": {"b": 1}}]}),
    ],
)
def test_events_of_a_task_are_kept(given: Any, shown: Any) -> None:
    rig = Rig()
    rig.flow("w", {"name": "t", "taskReferenceName": "t", "onStateChange": given})
    assert rig.get("/metadata/workflow/w")["tasks"][0]["onStateChange"] == shown


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], f"value of type `java.util.LinkedHashMap<java.lang.String,java.util.List<{EVENT}>>` from Array"),
        ({"a": 1}, f"value of type `java.util.ArrayList<{EVENT}>` from Integer value"),
        ({"a": [1]}, "no int/Int-argument constructor/factory method to deserialize from Number value (1)"),
        ({"a": [{"payload": []}]}, "`java.util.LinkedHashMap<java.lang.String,java.lang.Object>` from Array"),
    ],
)
def test_events_of_the_wrong_type_are_refused(given: Any, told: str) -> None:
    step = {"name": "t", "taskReferenceName": "t", "onStateChange": given}
    answer = Rig().send("POST", "/metadata/workflow/validate", {"name": "w", "tasks": [step]})
    assert answer.status == 500
    assert told in json.loads(answer.body)["message"]
