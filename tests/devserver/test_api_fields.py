"""What the server makes of the fields of a body, and of bodies as such."""

import json

import pytest
from devserver_rig import Rig, captured, ids

from anyworker.devserver.http.exchange import Answer


def state() -> Rig:
    """Return a server that knows the workflow of the captures."""
    rig = Rig()
    rig.ok("POST", "/metadata/taskdefs", captured("request-taskdefs"))
    rig.ok("POST", "/metadata/workflow", captured("request-workflowdef"))
    return rig


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("outputData", "x"),
        ("callbackAfterSeconds", "x"),
        ("callbackAfterSeconds", True),
        ("logs", "x"),
        ("logs", [1]),
        ("logs", [{"log": "x", "taskId": []}]),
        ("extendLease", "x"),
        ("reasonForIncompletion", {}),
        ("status", "completed"),
        ("status", ""),
    ],
)
def test_field_of_the_wrong_type_is_a_500_and_changes_nothing(field: str, value: object) -> None:
    rig = state()
    rig.start("hello")
    task = rig.take("greet")
    answer = rig.send("POST", "/tasks", {**ids(task), "status": "COMPLETED", field: value})
    assert answer.status == 500
    assert json.loads(answer.body)["message"].startswith("JSON parse error: Cannot ")
    assert rig.task(task) == task


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("reasonForIncompletion", "r" * 600, ("reasonForIncompletion", "r" * 500)),
        ("reasonForIncompletion", 5, ("reasonForIncompletion", "5")),
        ("callbackAfterSeconds", "7", ("callbackAfterSeconds", 7)),
        ("callbackAfterSeconds", 7.9, ("callbackAfterSeconds", 7)),
        ("callbackAfterSeconds", None, ("callbackAfterSeconds", 0)),
        ("outputData", None, ("outputData", {})),
        ("status", 3, ("status", "COMPLETED")),
        ("executionMetadata", {"x": 1}, ("status", "COMPLETED")),
    ],
)
def test_field_that_the_server_coerces_is_coerced(
    field: str, value: object, shown: tuple[str, object]
) -> None:
    rig = state()
    rig.start("hello")
    task = rig.take("greet")
    rig.ok("POST", "/tasks", {**ids(task), "status": "COMPLETED", field: value})
    assert rig.task(task)[shown[0]] == shown[1]


def test_first_ten_log_lines_of_an_update_are_kept() -> None:
    rig = state()
    rig.start("hello")
    task = rig.take("greet")
    assert rig.send("GET", f"/tasks/{task['taskId']}/log").status == 204
    lines = [{"log": f"line {number}", "createdTime": number} for number in range(12)]
    rig.report(task, "IN_PROGRESS", logs=lines)
    rig.ok("POST", f"/tasks/{task['taskId']}/log", "by hand")
    rig.report(rig.take("greet"), "COMPLETED", logs=["bare"])
    rig.report(task, "COMPLETED", logs=["of an update that is ignored"])
    found = rig.get(f"/tasks/{task['taskId']}/log")
    texts = [f"line {number}" for number in range(10)]
    assert [line["log"] for line in found] == [*texts, '"by hand"', "bare"]
    assert {line["taskId"] for line in found} == {task["taskId"]}


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/json; charset=utf-8", "application/vnd.x+json"]
)
def test_json_is_taken_under_its_names(content_type: str) -> None:
    answer = state().raw("POST", "/workflow", b'\xef\xbb\xbf{"name":"hello"} and more', content_type)
    assert isinstance(answer, Answer)
    assert answer.status == 200


def test_what_follows_a_semicolon_is_not_part_of_a_task_type() -> None:
    rig = state()
    rig.start("hello")
    assert len(rig.get("/tasks/poll/batch/greet;a=b?timeout=0")) == 1


@pytest.mark.parametrize(
    "body", [b"\x0c", b"\x1f ", b" ", b"{", b"[1,", b'"', b"-", b'{"a" 1}', b"{,}", b"\xff", b"01"]
)
def test_body_that_is_no_json_is_a_500(body: bytes) -> None:
    answer = state().raw("POST", "/tasks", body)
    assert isinstance(answer, Answer)
    assert answer.status == 500
    assert json.loads(answer.body)["message"].startswith("JSON parse error: ")


def test_lone_surrogate_becomes_a_question_mark() -> None:
    rig = state()
    answer = rig.raw("POST", "/workflow", rb'{"name":"hello","input":{"x":"a\ud800b"}}')
    assert isinstance(answer, Answer)
    assert rig.workflow(answer.body.decode())["input"] == {"x": "a?b"}
