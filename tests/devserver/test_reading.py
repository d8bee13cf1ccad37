"""Workflows found by name, correlation and query."""

import json
from typing import Any

import pytest
from devserver_rig import Rig


def three() -> tuple[Rig, dict[str, str]]:
    """Return a server with a failed, a terminated and a paused workflow, by their ids, the oldest first."""
    rig = Rig()
    rig.single()
    ids = {}
    for name, more in (
        ("failed", {"correlationId": "c1", "priority": 3, "input": {"x": [1, {"y": None}]}}),
        ("terminated", {}),
        ("paused", {"correlationId": "c 3", "taskToDomain": {"t": "d"}}),
    ):
        ids[rig.start(**more)] = name
        rig.sleep(1)
    failed, terminated, paused = ids
    rig.report(rig.take(), "FAILED_WITH_TERMINAL_ERROR", outputData={"o": 1}, reasonForIncompletion="bad")
    rig.ok("DELETE", f"/workflow/{terminated}?reason=why%20not")
    rig.ok("PUT", f"/workflow/{paused}/pause")
    assert rig.workflow(failed)["status"] == "FAILED"
    return rig, ids


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("workflowType=t", "failed terminated paused"),
        ("workflowType = 't'", "failed terminated paused"),
        ("workflowType IN (t,x)", "failed terminated paused"),
        ("workflowType=x", ""),
        ("workflowType=*", "failed terminated paused"),
        ("status=P*", "paused"),
        ("workflowType=t AND status=FAILED", "failed"),
        ("status IN ('FAILED','PAUSED')", "failed paused"),
        ("status=failed", ""),
        ("status=FAILED OR status=PAUSED", ""),
        ("correlationId='c 3'", "paused"),
        ("correlationId=c1 AND nobody=knows", "failed"),
        ("priority=77", "failed terminated paused"),
        ("startTime>1800000000999", "terminated paused"),
        ("startTime<1800000001000", "failed"),
        ("modifiedTime>1", "failed terminated paused"),
        ("", "failed terminated paused"),
    ],
)
def test_search_finds_what_fits_its_conditions(query: str, names: str) -> None:
    rig, ids = three()
    found = rig.get(
        f"/workflow/search?query={query.replace(' ', '%20').replace('<', '%3C').replace('>', '%3E')}"
    )
    assert [ids[item["workflowId"]] for item in found["results"]] == names.split()
    assert found["totalHits"] == len(names.split())


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ("size=1", "failed"),
        ("size=1&start=1", "terminated"),
        ("size=0", ""),
        ("size=-1&start=-1", "failed terminated paused"),
        ("start=9", ""),
        ("sort=startTime:DESC", "paused terminated failed"),
        ("sort=startTime:ASC", "failed terminated paused"),
        ("freeText=*", "failed terminated paused"),
        ("freeText=WHY%20NOT", "terminated"),
        ("freeText=nothing", ""),
    ],
)
def test_search_returns_a_page_in_the_order_asked_for(more: str, names: str) -> None:
    rig, ids = three()
    found = rig.get(f"/workflow/search?{more}")
    assert [ids[item["workflowId"]] for item in found["results"]] == names.split()


def test_summary_shows_a_workflow_in_texts() -> None:
    rig, _ = three()
    (found,) = rig.get("/workflow/search?query=status=FAILED")["results"]
    (task,) = rig.workflow(found["workflowId"])["tasks"]
    assert list(found.items()) == [
        ("workflowType", "t"),
        ("version", 1),
        ("workflowId", found["workflowId"]),
        ("correlationId", "c1"),
        ("startTime", "2027-01-15T08:00:00.000Z"),
        ("updateTime", "2027-01-15T08:00:03.000Z"),
        ("endTime", "2027-01-15T08:00:03.000Z"),
        ("status", "FAILED"),
        ("input", "{x=[1, {y=null}]}"),
        ("output", "{o=1}"),
        ("reasonForIncompletion", f"Task {task['taskId']} failed with status: FAILED and reason: 'bad'"),
        ("executionTime", 3000),
        ("failedReferenceTaskNames", "t"),
        ("priority", 3),
        ("failedTaskNames", ["t"]),
        ("taskToDomain", {}),
        ("parentWorkflowId", ""),
        ("classifier", "workflow"),
        ("outputSize", 5),
        ("inputSize", 17),
    ]


def test_second_search_returns_workflows_without_tasks() -> None:
    rig, ids = three()
    (found,) = rig.get("/workflow/search-v2?query=status=PAUSED")["results"]
    assert ids[found["workflowId"]] == "paused"
    assert found == rig.get(f"/workflow/{found['workflowId']}?includeTasks=false")


@pytest.mark.parametrize(
    ("path", "method"), [("search", "searchWorkflows"), ("search-v2", "searchWorkflowsV2")]
)
def test_search_that_makes_no_sense_is_refused(path: str, method: str) -> None:
    def refusal(more: str) -> Any:
        answer = Rig().send("GET", f"/workflow/{path}?{more}")
        return answer.status, json.loads(answer.body)

    status, told = refusal("size=5001")
    assert (status, told["validationErrors"][0]["path"]) == (400, f"{method}.arg1")
    status, told = refusal("query=a=1%20AND%20status!=FAILED")
    assert (status, told["message"]) == (400, "Incorrectly formatted query string: status!=FAILED")
    assert refusal("start=1.5")[0] == 500


def test_workflows_that_have_not_ended_are_running() -> None:
    rig, ids = three()
    rig.flow("t", "t", version=2)
    newer = rig.start()
    paused = next(key for key, name in ids.items() if name == "paused")
    assert rig.get("/workflow/running/t") == [paused, newer]
    assert rig.get("/workflow/running/t?version=7&startTime=1") == [paused, newer]
    span = f"startTime={rig.now - 1000}&endTime={rig.now}"
    assert rig.get(f"/workflow/running/t?version=2&{span}") == [newer]
    assert rig.get(f"/workflow/running/t?{span}") == [paused]
    assert rig.get("/workflow/running/unknown") == []


def test_workflows_of_a_correlation_come_newest_first() -> None:
    rig = Rig()
    rig.single()
    first, second, other = (rig.start(correlationId=name) for name in ("c", "c", "o"))
    rig.ok("DELETE", f"/workflow/{first}")

    def found(more: str = "", correlation: str = "c") -> list[tuple[str, int]]:
        listed = rig.get(f"/workflow/t/correlated/{correlation}{more}")
        return [(item["workflowId"], len(item["tasks"])) for item in listed]

    assert found() == [(second, 0)]
    assert found("?includeClosed=true&includeTasks=true") == [(second, 1), (first, 1)]
    assert found(correlation="none") == []
    told = rig.ok("POST", "/workflow/t/correlated?includeTasks=true", ["c", "o", "none", "c"])
    assert {key: [item["workflowId"] for item in value] for key, value in told.items()} == {
        "c": [second],
        "o": [other],
        "none": [],
    }
    assert rig.ok("POST", "/workflow/t/correlated", []) == {}
    answer = rig.send("POST", "/workflow/t/correlated", [None])
    assert (answer.status, json.loads(answer.body)["message"]) == (500, "correlationId cannot be null")


def test_workflows_of_a_span_of_time_are_of_one_version_and_may_have_ended() -> None:
    rig, ids = three()

    def running(query: str) -> list[str]:
        return [ids[workflow_id] for workflow_id in rig.get(f"/workflow/running/t{query}")]

    assert running("") == ["paused"]
    assert running("?startTime=1") == ["paused"]
    assert running("?startTime=1800000000001&endTime=1800000002000") == ["terminated", "paused"]
    assert running("?startTime=1&endTime=1900000000000&version=2") == []


def test_page_of_tasks_begins_and_ends_where_there_can_be_tasks() -> None:
    rig, ids = three()
    path = f"/workflow/{next(iter(ids))}/tasks"
    for query, status, told in (
        ("start=-1", 500, "fromIndex = -1"),
        ("start=1&count=-2", 400, "fromIndex(1) > toIndex(-1)"),
    ):
        answer = rig.send("GET", f"{path}?{query}")
        assert (answer.status, json.loads(answer.body)["message"]) == (status, told)


def test_terminated_and_removed_workflow_is_gone() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    rig.ok("DELETE", f"/workflow/{workflow_id}/terminate-remove?reason=why")
    assert rig.send("GET", f"/workflow/{workflow_id}").status == 404
    assert rig.poll() == []
