"""What the API refuses, beyond the captured errors, which tests/conformance compares."""

import json

import pytest
from devserver_rig import UNKNOWN, Rig, captured

from anyworker.devserver.http.exchange import Answer
from anyworker.devserver.wire import errors


def state() -> Rig:
    """Return a server that knows the workflow of the captures."""
    rig = Rig()
    rig.ok("POST", "/metadata/taskdefs", captured("request-taskdefs"))
    rig.ok("POST", "/metadata/workflow", captured("request-workflowdef"))
    return rig


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
