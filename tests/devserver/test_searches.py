"""Searches as SQLite's index answers them: what is found, in which order, what is refused."""

import json
from typing import Any
from urllib.parse import quote

import pytest
from devserver_rig import Rig, ids

NAMES = {"c0": "polled", "c1": "completed", "c2": "failed", "c3": "returned", "c4": "waiting"}


def five() -> Rig:
    """Return a server with tasks of each sort; the last to be started is the first to be polled."""
    rig = Rig()
    rig.define("t", retryCount=0)
    rig.flow(
        "t", {"name": "t", "taskReferenceName": "a", "inputParameters": {"x": "${workflow.input.x}"}}, "u"
    )
    for number in range(4):
        rig.start(correlationId=f"c{number}", priority=number, input={"x": f"Word_{number}"})
        rig.sleep(1)
    returned, failed, completed, _ = (rig.take() for _ in range(4))
    rig.sleep(1)
    rig.report(completed, "COMPLETED", outputData={"o": "out"})
    rig.report(failed, "FAILED", reasonForIncompletion="why")
    rig.report(returned, "IN_PROGRESS", callbackAfterSeconds=100)
    rig.start(correlationId="c4")
    return rig


def found(rig: Rig, query: str, more: str = "", path: str = "/tasks/search") -> str:
    """Return what a search finds."""
    results = rig.get(f"{path}?query={quote(query)}{more}")["results"]
    return " ".join(NAMES[result["correlationId"]] for result in results)


ALL = "returned failed completed polled"


@pytest.mark.parametrize("path", ["/tasks/search", "/tasks/search-v2"])
@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("taskType=t", ALL),
        ("taskType = t", ALL),
        ("TaskType='t'", ALL),
        ("a taskType=t", ALL),
        ("taskType=u", ""),
        ("taskType=T", ""),
        ("taskType=T*", ALL),
        ("taskType IN (t,u)", ALL),
        ("taskType IN (u, t)", ""),
        ("taskDefName=t AND workflowType=t", ALL),
        ("status=F*", "failed"),
        ("status=_AILE*", "failed"),
        ("status IN (FAILED,COMPLETED)", "failed completed"),
        ("status IN FAILED", "failed"),
        ("status IN (F*,COMPLETED)", "completed"),
        ("status>FAILED", "returned polled"),
        ("status<FAILED", "completed"),
        ("status= FAILED ", ""),
        ("status=", ""),
        ("taskType=t and status=FAILED", ""),
        ("taskType=t AND workerId=nobody", ALL),
        ("nothing=x", ALL),
        ("startTime>1800000000000", ALL),
        ("startTime<1800000004000", ""),
        ("startTime=1800000004000", ALL),
        ("endTime>0", "failed completed"),
        ("endTime=0", "returned polled"),
    ],
)
def test_search_finds_tasks_as_sqlite_compares(path: str, query: str, names: str) -> None:
    assert found(five(), query, path=path) == names


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ("", ALL),
        ("&sort=status:ASC", "completed failed polled returned"),
        ("&sort=status:desc", "returned polled failed completed"),
        ("&sort=workflowType:ASC%7Cstatus:DESC", "returned polled failed completed"),
        ("&sort=status", ALL),
        ("&sort=priority:DESC", ALL),
        ("&start=1&size=2", "failed completed"),
        ("&size=-1&start=-1", ALL),
        ("&size=0", ""),
        ("&freeText=word_1", "completed"),
        ("&freeText=WH%25", "failed"),
        ("&freeText=nothing", ""),
    ],
)
def test_search_sorts_and_pages_tasks_that_come_in_the_order_of_their_first_poll(
    more: str, names: str
) -> None:
    assert found(five(), "workflowType=t", more) == names


@pytest.mark.parametrize("path", ["/tasks/search", "/tasks/search-v2", "/workflow/search-by-tasks"])
@pytest.mark.parametrize(
    ("query", "status", "told"),
    [
        ("foo", 400, "Incorrectly formatted query string: foo"),
        (" ", 400, "Incorrectly formatted query string:  "),
        ("taskType  = t", 400, "Incorrectly formatted query string: taskType  = t"),
        ("workflowId=x", 500, "(no such column: workflow_id)"),
        ("taskType=t AND correlationId=c1", 500, "(no such column: correlation_id)"),
        ("status=A,B", 500, "Index 3 out of bounds for length 3"),
        ("taskType=t AND status=A,B,C", 500, "Index 4 out of bounds for length 4"),
        ("status=,", 500, "Index 0 out of bounds for length 0"),
        ("updateTime>x", 500, 'For input string: "x"'),
        ("updateTime>9223372036854775808", 500, 'For input string: "9223372036854775808"'),
    ],
)
def test_search_refuses_what_sqlite_cannot_read(path: str, query: str, status: int, told: str) -> None:
    answer = Rig().send("GET", f"{path}?query={quote(query)}")
    assert answer.status == status
    assert json.loads(answer.body)["message"].endswith(told)


def test_search_refuses_to_sort_by_a_column_that_is_not_there() -> None:
    rig = Rig()
    assert rig.send("GET", "/tasks/search?sort=workflowId:ASC").status == 500
    assert rig.send("GET", "/workflow/search?sort=workflowId:ASC").status == 200
    assert rig.send("GET", "/workflow/search?sort=taskId:ASC").status == 500


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("workflowType=t AND status=RUNNING", "polled completed returned waiting"),
        ("correlationId IN (c1,c2)", "completed failed"),
        ("parentWorkflowId=x", ""),
        ("classifier=workflow AND status=FAILED", "failed"),
        ("endTime<1", "polled completed returned waiting"),
    ],
)
def test_search_finds_workflows(query: str, names: str) -> None:
    assert found(five(), query, path="/workflow/search") == names


@pytest.mark.parametrize(
    ("more", "names"),
    [
        ("&classifier=", ALL),
        ("&classifier=workflow", ALL),
        ("&classifier=other", ""),
        ("&topLevelOnly=true", ALL),
    ],
)
def test_search_for_workflows_knows_classes_and_levels(more: str, names: str) -> None:
    there = found(five(), "workflowType=t", more, "/workflow/search").split()
    assert sorted(there) == sorted([*names.split(), "waiting"] if names else [])


def test_search_by_tasks_finds_a_workflow_for_each_of_its_tasks() -> None:
    rig = five()
    rig.take("u")
    assert found(rig, "workflowType=t", path="/workflow/search-by-tasks") == f"{ALL} completed"
    assert found(rig, "status=FAILED", path="/workflow/search-by-tasks-v2") == "failed"


def test_task_that_only_waits_is_not_found_before_it_is_canceled_or_tried_again_by_hand() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    task = rig.workflow(workflow_id)["tasks"][0]
    rig.extend(task)

    def statuses() -> list[str]:
        return [hit["status"] for hit in rig.get("/tasks/search")["results"]]

    assert statuses() == []
    rig.ok("DELETE", f"/workflow/{workflow_id}")
    assert statuses() == ["CANCELED"]
    rig.ok("POST", f"/workflow/{workflow_id}/retry")
    assert statuses() == ["CANCELED", "SCHEDULED"]


def removed(query: str) -> tuple[Rig, Any]:
    """Return a server that has forgotten a workflow whose task was completed, and the task."""
    rig = Rig()
    rig.single()
    rig.start()
    task = rig.take()
    rig.report(task, "COMPLETED")
    rig.ok("DELETE", f"/workflow/{task['workflowInstanceId']}/remove{query}")
    return rig, task


@pytest.mark.parametrize(("query", "workflows"), [("", 1), ("?archiveWorkflow=false", 0)])
def test_removed_workflow_leaves_its_tasks_in_the_index_and_itself_if_it_is_archived(
    query: str, workflows: int
) -> None:
    rig, task = removed(query)
    (summary,) = rig.get("/tasks/search")["results"]
    assert (summary["taskId"], summary["status"]) == (task["taskId"], "COMPLETED")
    assert rig.get("/tasks/search-v2") == {"totalHits": 0, "results": []}
    assert rig.get("/workflow/search")["totalHits"] == workflows
    assert rig.send("POST", "/tasks", {**ids(task), "status": "COMPLETED"}).status == 404


def test_index_forgets_what_the_server_has_forgotten_long_ago() -> None:
    rig = Rig(max_finished=2)
    rig.single()
    for _ in range(6):
        workflow_id = rig.start()
        rig.report(rig.take(), "COMPLETED")
        rig.ok("DELETE", f"/workflow/{workflow_id}/remove")
    assert rig.get("/tasks/search")["totalHits"] == 2
    for _ in range(3):
        rig.start()
        rig.report(rig.take(), "COMPLETED")
    assert rig.get("/tasks/search")["totalHits"] == 4
