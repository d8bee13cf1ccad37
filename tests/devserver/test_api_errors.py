"""Every refusal, as captured from the real server: status and body."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from devserver_rig import UNKNOWN, WIRE, Rig, captured, ids, masked

from anyworker.devserver.http.exchange import Answer, Outcome
from anyworker.devserver.wire import errors

Refusal = Callable[[Rig], Outcome]


def state() -> Rig:
    """Return a server that knows the workflow of the captures."""
    rig = Rig()
    rig.ok("POST", "/metadata/taskdefs", captured("request-taskdefs"))
    rig.ok("POST", "/metadata/workflow", captured("request-workflowdef"))
    return rig


def sending(method: str, path: str, body: Any = None) -> Refusal:
    return lambda rig: rig.send(method, path, body)


def sending_raw(path: str, body: bytes, content_type: str = "application/json") -> Refusal:
    return lambda rig: rig.raw("POST", path, body, content_type)


def with_workflow(method: str, path: str, body: Any = None) -> Refusal:
    return lambda rig: rig.send(method, path.format(rig.start("hello")), body)


def with_task(**fields: Any) -> Refusal:
    def refuse(rig: Rig) -> Answer:
        rig.start("hello")
        return rig.send("POST", "/tasks", ids(rig.take("greet")) | fields)

    return refuse


def unknown_workflow(rig: Rig) -> Answer:
    return rig.send(
        "POST", "/tasks", {"workflowInstanceId": UNKNOWN, "taskId": UNKNOWN, "status": "COMPLETED"}
    )


def unknown_task(rig: Rig) -> Answer:
    workflow_id = rig.start("hello")
    body = {"workflowInstanceId": workflow_id, "taskId": UNKNOWN, "status": "COMPLETED"}
    return rig.send("POST", "/tasks", body)


def completed_workflow(rig: Rig) -> Answer:
    rig.single()
    workflow_id = rig.start()
    rig.report(rig.take(), "COMPLETED")
    return rig.send("DELETE", f"/workflow/{workflow_id}")


def taskdef(**fields: Any) -> Refusal:
    return sending("POST", "/metadata/taskdefs", [fields])


TWICE = {"name": "x", "tasks": [{"name": "greet", "taskReferenceName": "a"}] * 2}
BAD_NUMBERS = {
    "responseTimeoutSeconds": 0,
    "retryCount": -1,
    "pollTimeoutSeconds": -1,
    "backoffScaleFactor": 0,
}

REFUSALS: dict[str, Refusal] = {
    "400-empty-ids": sending(
        "POST", "/tasks", {"workflowInstanceId": "", "taskId": "", "status": "COMPLETED"}
    ),
    "400-long-poll-timeout": sending("GET", "/tasks/poll/batch/greet?timeout=5001"),
    "400-missing-ids": sending("POST", "/tasks", {}),
    "400-start-no-name": sending("POST", "/workflow", {}),
    "400-start-null-input": sending("POST", "/workflow", {"name": "hello", "input": None}),
    "400-start-priority": sending("POST", "/workflow", {"name": "hello", "priority": 100}),
    "400-taskdef-bad-numbers": taskdef(name="x", **BAD_NUMBERS),
    "400-taskdef-empty-list": sending("POST", "/metadata/taskdefs", []),
    "400-taskdef-no-name": taskdef(),
    "400-taskdef-response-timeout": taskdef(name="x", timeoutSeconds=30),
    "400-taskdef-total-timeout": taskdef(
        name="x", timeoutSeconds=30, totalTimeoutSeconds=20, responseTimeoutSeconds=1
    ),
    "400-workflowdef-duplicate-reference": sending("POST", "/metadata/workflow", TWICE),
    "400-workflowdef-empty": sending("POST", "/metadata/workflow", {}),
    "404-by-reference-sync": with_workflow("POST", "/tasks/{}/nosuch/COMPLETED/sync", {}),
    "404-get-unknown-task": sending("GET", f"/tasks/{UNKNOWN}"),
    "404-get-unknown-workflow": sending("GET", f"/workflow/{UNKNOWN}"),
    "404-retry-running-workflow": with_workflow("POST", "/workflow/{}/retry"),
    "404-start-unknown-workflow": sending("POST", "/workflow", {"name": "nosuch", "version": 1}),
    "404-taskdef-get-unknown": sending("GET", "/metadata/taskdefs/nosuch"),
    "404-taskdef-put-unknown": sending("PUT", "/metadata/taskdefs", {"name": "nosuch"}),
    "404-unknown-path": sending("GET", "/token"),
    "404-update-unknown-task": unknown_task,
    "404-update-unknown-workflow": unknown_workflow,
    "404-workflowdef-get-unknown": sending("GET", "/metadata/workflow/nosuch"),
    "405-wrong-method": sending("PUT", "/tasks", {}),
    "409-restart-running-workflow": with_workflow("POST", "/workflow/{}/restart"),
    "409-terminate-completed-workflow": completed_workflow,
    "409-workflowdef-exists": lambda rig: rig.send(
        "POST", "/metadata/workflow", captured("request-workflowdef")
    ),
    "500-bad-json": sending_raw("/tasks", b'{"taskId":'),
    "500-bad-number-parameter": sending("GET", "/tasks/poll/batch/greet?timeout=1.5"),
    "500-bad-status": with_task(status="TIMED_OUT"),
    "500-content-type": sending_raw("/tasks", b"{}", "text/plain"),
    "500-log-without-text": with_task(status="COMPLETED", logs=[{}]),
    "500-missing-parameter": sending("GET", "/tasks/queue/size"),
    "500-nan": sending_raw("/tasks", b'{"outputData":{"x":NaN}}'),
    "500-no-body": sending("POST", "/tasks"),
    "500-no-status": with_task(),
    "500-output-not-an-object": with_task(status="COMPLETED", outputData=[1]),
    "500-resume-not-paused": with_workflow("PUT", "/workflow/{}/resume"),
    "500-start-input-too-large": sending(
        "POST", "/workflow", {"name": "hello", "input": {"x": "x" * 11534336}}
    ),
    "500-string-too-long": sending_raw("/tasks", b'{"outputData":{"x":"' + b"x" * 20_000_001 + b'"}}'),
    "500-taskdef-delete-unknown": sending("DELETE", "/metadata/taskdefs/nosuch"),
    "500-taskdef-not-a-list": sending("POST", "/metadata/taskdefs", {"name": "x"}),
    "500-update-v2-missing-ids": sending("POST", "/tasks/update-v2", {}),
}


def comparable(body: Any) -> Any:
    """Return an error's body with its validation errors in one order: the server has none."""
    found = dict(body)
    if "validationErrors" in found:
        found["validationErrors"] = sorted(found["validationErrors"], key=json.dumps)
    return masked(found)


@pytest.mark.parametrize("name", REFUSALS)
def test_refusal_is_the_real_servers(name: str) -> None:
    answer = REFUSALS[name](state())
    assert isinstance(answer, Answer)
    assert answer.status == int(name[:3])
    assert comparable(json.loads(answer.body)) == comparable(captured(f"error-{name}"))


def test_every_captured_error_is_tested() -> None:
    assert {path.stem.removeprefix("error-") for path in WIRE.glob("error-*.json")} == set(REFUSALS)


@pytest.mark.parametrize("name", ["%2F", "a%2fb", "a%5Cb", "a%00", "%zz", "a|b", "[a]"])
def test_unusable_path_gets_a_page(name: str) -> None:
    answer = Rig().raw("GET", f"/tasks/poll/batch/{name}")
    assert isinstance(answer, Answer)
    assert (answer.status, answer.body) == (400, errors.UNUSABLE_REQUEST_PAGE)
    assert (b"connection", b"close") in answer.headers()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("POST", "/token", 404),
        ("GET", "/schema", 404),
        ("GET", "/tasks/", 404),
        ("GET", "/root/tasks/x", 404),
        ("GET", "//tasks/x", 404),
        ("GET", "/Tasks/x", 404),
        ("DELETE", "/tasks", 405),
        ("POST", "/tasks/poll/greet", 405),
        ("POST", "/tasks/poll/batch/greet", 500),
        ("GET", "/workflow", 405),
        ("PUT", f"/workflow/{UNKNOWN}/pause", 404),
        ("PUT", f"/workflow/{UNKNOWN}/resume", 404),
        ("PUT", f"/workflow/decide/{UNKNOWN}", 404),
        ("DELETE", f"/workflow/{UNKNOWN}", 404),
        ("GET", f"/workflow/{UNKNOWN}/status", 404),
        ("GET", f"/workflow/{UNKNOWN}/tasks", 404),
        ("DELETE", "/metadata/workflow/nosuch/1", 500),
        ("POST", "/workflow/nosuch", 404),
        ("OPTIONS", "/tasks", 200),
        ("GET", "/tasks/queue/polldata?taskType=", 400),
        ("GET", "/tasks/queue/sizes", 500),
    ],
)
def test_wrong_requests_have_the_real_servers_status(method: str, path: str, status: int) -> None:
    assert Rig().send(method, path, {} if method == "POST" else None).status == status


def test_refused_definitions_are_stored_neither_in_part_nor_at_all() -> None:
    rig = Rig()
    assert rig.send("POST", "/metadata/taskdefs", [{"name": "good"}, {"name": ""}]).status == 400
    assert rig.get("/metadata/taskdefs") == []


def test_workflow_with_a_task_that_is_not_executed_here_is_refused_by_name() -> None:
    rig = Rig()
    rig.flow("w", {"name": "ask", "taskReferenceName": "ask_ref", "type": "HTTP"})
    answer = rig.send("POST", "/workflow", {"name": "w"})
    message = json.loads(answer.body)["message"]
    assert answer.status == 400
    assert all(part in message for part in ("HTTP", "ask_ref", "real Conductor server"))


def test_reference_to_an_unknown_task_is_refused() -> None:
    step = {
        "name": "t",
        "taskReferenceName": "a",
        "inputParameters": {"x": "${nosuch.output.x}", "e": "$${b.x}"},
    }
    answer = Rig().send("POST", "/metadata/workflow", {"name": "w", "tasks": [step]})
    (violation,) = json.loads(answer.body)["validationErrors"]
    assert violation["message"] == (
        "taskReferenceName: nosuch for given task: t input value: x of input parameter: ${nosuch.output.x} "
        "is not defined in workflow definition."
    )


def test_headers_are_the_real_servers() -> None:
    rig = state()
    assert rig.send("POST", "/workflow", {"name": "hello"}).headers() == [
        (b"content-type", b"text/plain;charset=UTF-8"),
        (b"content-length", b"36"),
    ]
    assert rig.send("GET", "/tasks/poll/batch/x?timeout=0").headers() == [
        (b"content-type", b"application/json")
    ]
    assert rig.send("GET", "/tasks/poll/x").headers() == []
    assert rig.send("PUT", f"/workflow/decide/{rig.start('hello')}").headers() == [(b"content-length", b"0")]
    assert rig.send("GET", "/nosuch").headers() == [(b"content-type", b"application/json")]
    closing = [(b"content-type", b"application/json"), (b"connection", b"close")]
    assert rig.send("POST", "/tasks", {}).headers() == closing
    assert rig.send("POST", "/tasks").headers() == closing


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/nope/a%20b", "nope/a%20b"),
        ("/nope//a/", "nope/a"),
        ("/nope/x;y=1/z", "nope/x/z"),
        ("/nope/;a/b", "nope//b"),
        ("/nope/a%3Bb", "nope/a%3Bb"),
        ("/nope/../%2e%2e/a", "nope/../%2e%2e/a"),
    ],
)
def test_unknown_path_is_named_as_it_was_sent(path: str, shown: str) -> None:
    answer = Rig().send("GET", path)
    assert (answer.status, json.loads(answer.body)["message"]) == (404, f"No static resource api/{shown}.")
