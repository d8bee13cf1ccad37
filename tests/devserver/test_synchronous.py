"""Requests that last: workflows executed while the client waits."""

import json
from typing import Any

import anyio
import httpx
import pytest
from devserver_rig import Rig

from anyworker.devserver import DevServer
from anyworker.devserver.http.exchange import Pending

JVM_LAMBDA = "The mapper [com.netflix.conductor.rest.controllers.WorkflowSignalResponder$$Lambda] returned a"


def pending(rig: Rig, path: str, body: Any) -> Pending[Any]:
    """Send a request that is not answered at once."""
    found = rig.raw("POST", path, json.dumps(body).encode())
    assert isinstance(found, Pending)
    return found


def finished(rig: Rig, waiting: Pending[Any]) -> Any:
    answer = rig.finish(waiting)
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def message(rig: Rig, path: str, body: Any = None) -> tuple[int, str]:
    answer = rig.send("POST", path, body)
    return answer.status, json.loads(answer.body)["message"]


def test_execution_is_answered_when_its_time_is_over() -> None:
    rig = Rig()
    rig.single()
    began = rig.now
    told = rig.ok("POST", "/workflow/execute/t/1?waitForSeconds=2&requestId=q", {"correlationId": "c"})
    assert rig.now == began + 2000
    workflow = rig.workflow(told["workflowId"])
    assert told == {
        "responseType": "TARGET_WORKFLOW",
        "targetWorkflowId": workflow["workflowId"],
        "targetWorkflowStatus": "RUNNING",
        "requestId": "q",
        "workflowId": workflow["workflowId"],
        "correlationId": "c",
        "input": {},
        "output": {},
        "signalTimeout": True,
        **{
            key: workflow[key]
            for key in ("priority", "variables", "tasks", "createTime", "status", "updateTime")
        },
    }


@pytest.mark.parametrize(
    ("query", "seconds"), [("", 10), ("?waitForSeconds=0", 10), ("?waitForSeconds=-1", 0)]
)
def test_execution_waits_ten_seconds_unless_told_otherwise(query: str, seconds: int) -> None:
    rig = Rig()
    rig.single()
    began = rig.now
    assert rig.ok("POST", f"/workflow/execute/t/1{query}", {})["signalTimeout"]
    assert rig.now == began + seconds * 1000


def test_execution_is_answered_soon_after_its_workflow_has_ended() -> None:
    rig = Rig()
    rig.single()
    waiting = pending(rig, "/workflow/execute/t/1", {})
    rig.sleep(0.55)
    rig.report(rig.take(), "COMPLETED", outputData={"a": 1})
    began = rig.now
    told = finished(rig, waiting)
    assert rig.now <= began + 100
    assert (told["targetWorkflowStatus"], told["output"], told["signalTimeout"]) == (
        "COMPLETED",
        {"a": 1},
        False,
    )


@pytest.mark.parametrize("references", ["a", "z,a", "a,b"])
def test_execution_is_answered_after_a_task_that_it_names(references: str) -> None:
    rig = Rig()
    rig.define("a", "b", retryDelaySeconds=0)
    rig.flow("w", "a", "b")
    waiting = pending(rig, f"/workflow/execute/w/1?waitUntilTaskRef={references}", {})
    rig.sleep(0.5)
    # A failed attempt is one that has ended, whatever comes after it.
    rig.report(rig.take("a"), "FAILED")
    told = finished(rig, waiting)
    assert [task["status"] for task in told["tasks"]] == ["FAILED", "SCHEDULED"]
    assert not told["signalTimeout"]


def test_path_names_the_workflow_whatever_the_body_says() -> None:
    rig = Rig()
    rig.single("t")
    rig.single("other")
    for version in (1, 0):
        told = rig.ok(
            "POST", f"/workflow/execute/t/{version}?waitForSeconds=1", {"name": "other", "version": 3}
        )
        workflow = rig.workflow(told["workflowId"])
        assert (workflow["workflowName"], workflow["workflowVersion"]) == ("t", 1)


def test_inline_definition_marks_the_input_of_an_execution() -> None:
    rig = Rig()
    definition = {"name": "inline", "tasks": [{"name": "t", "taskReferenceName": "r"}]}
    for given, marked in (({}, {}), ({"a": 1}, {"a": 1}), ({"_systemMetadata": {"b": 2}}, {})):
        body = {"input": given, "workflowDef": definition}
        told = rig.ok("POST", "/workflow/execute/inline/1?waitForSeconds=-1", body)
        metadata = {**given.get("_systemMetadata", {}), "dynamic": True}  # type: ignore[attr-defined]
        assert told["input"] == {**marked, "_systemMetadata": metadata}


def test_execution_that_makes_no_sense_is_refused() -> None:
    rig = Rig()
    rig.single()
    path = "/workflow/execute/t/1?waitForSeconds=1"
    strategy = "org.conductoross.conductor.model.WorkflowSignalReturnStrategy"
    assert message(rig, "/workflow/execute/no/7", {}) == (404, "No such workflow defined. name=no, version=7")
    status, told = message(rig, f"{path}&returnStrategy=X", {})
    assert status == 500
    assert told.startswith("Method parameter 'returnStrategy': Failed to convert value of type")
    assert told.endswith(f"[@org.springframework.web.bind.annotation.RequestParam {strategy}] for value [X]")
    assert message(rig, "/workflow/execute/t/x", {})[0] == 500
    assert message(rig, "/workflow/execute/t/1?waitForSeconds=1.5", {})[0] == 500
    assert "WorkflowResource.executeWorkflow" in message(rig, path)[1]
    assert message(rig, path, {"input": None}) == (400, "NULL input passed when starting workflow")
    assert message(rig, path, {"priority": 100})[0] == 400


def test_answer_about_a_waiting_task_fails_where_none_waits() -> None:
    rig = Rig()
    rig.single()
    path = "/workflow/execute/t/1?waitForSeconds=1&returnStrategy=BLOCKING_TASK"
    assert message(rig, path, {}) == (500, "value")
    waiting = pending(rig, path, {})
    while task := rig.poll():
        rig.report(task[0], "COMPLETED")
    answer = rig.finish(waiting)
    assert answer.status == 500
    assert json.loads(answer.body)["message"].startswith(JVM_LAMBDA)


def test_waiting_executions_are_answered_when_the_server_is_hurried() -> None:
    rig = Rig()
    rig.single()
    waiting = pending(rig, "/workflow/execute/t/1", {})
    rig.engine.hurry(rig.now)
    assert waiting.awaited.is_done
    began = rig.now
    assert rig.ok("POST", "/workflow/execute/t/1", {})["signalTimeout"]
    assert rig.now == began


@pytest.mark.virtual_time
async def test_execution_lasts_while_other_requests_are_served() -> None:
    async with httpx.AsyncClient(transport=DevServer().transport(), base_url="http://devserver/api") as http:
        step = {"name": "t", "taskReferenceName": "t"}
        await http.put("/metadata/workflow", json=[{"name": "w", "tasks": [step]}])

        async def work() -> None:
            await anyio.sleep(3)
            (task,) = (await http.get("/tasks/poll/batch/t?timeout=0")).json()
            ids = {"workflowInstanceId": task["workflowInstanceId"], "taskId": task["taskId"]}
            await http.post("/tasks", json={**ids, "status": "COMPLETED"})

        began = anyio.current_time()
        async with anyio.create_task_group() as group:
            group.start_soon(work)
            told = (await http.post("/workflow/execute/w/1", json={})).json()
        assert told["targetWorkflowStatus"] == "COMPLETED"
        assert 3 <= anyio.current_time() - began <= 3.1
