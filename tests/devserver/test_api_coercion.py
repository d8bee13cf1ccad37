"""What becomes of odd values in each kind of field, as the real server said when asked."""

import json
from typing import Any

import pytest
from devserver_rig import UNKNOWN, Rig, ids

TASK_DEF = "com.netflix.conductor.common.metadata.tasks.TaskDef"
INT_LIMITS = "(-2147483648 - 2147483647)"


def stored(field: str, value: Any) -> Any:
    """Return what a task definition shows in a field that was sent with a value."""
    rig = Rig()
    rig.define("d", **{field: value})
    return rig.get("/metadata/taskdefs/d").get(field)


def complaint(field: str, value: Any) -> str:
    """Return what the server says to a task definition with that value."""
    answer = Rig().send("POST", "/metadata/taskdefs", [{"name": "d", field: value}])
    assert answer.status == 500
    message: str = json.loads(answer.body)["message"]
    return message.removeprefix("JSON parse error: ")


@pytest.mark.parametrize(
    ("field", "value", "shown"),
    [
        ("retryCount", "", 0),
        ("retryCount", " 7 ", 7),
        ("retryCount", "\x007\x1f", 7),
        ("retryCount", "\x00", 0),
        ("retryCount", "null", 0),
        ("retryCount", None, 0),
        ("retryCount", "+3", 3),
        ("retryCount", 100.9, 100),
        ("concurrentExecLimit", "", None),
        ("concurrentExecLimit", -1, -1),
        ("backoffScaleFactor", None, 1),
        ("rateLimitFrequencyInSeconds", None, 1),
        ("rateLimitFrequencyInSeconds", 0, 0),
        ("timeoutSeconds", 2**31, 2**31),
        ("totalTimeoutSeconds", "2147483648", 2**31),
        ("retryLogic", 1, "EXPONENTIAL_BACKOFF"),
        ("retryLogic", "1", "EXPONENTIAL_BACKOFF"),
        ("retryLogic", " FIXED ", "FIXED"),
        ("enforceSchema", " true ", True),
        ("enforceSchema", "", False),
        ("enforceSchema", 2**63, True),
        ("description", True, "true"),
        ("description", " x ", " x "),
        ("inputKeys", ["a", 1, None], ["a", "1", None]),
        ("createdBy", "me", ""),
        ("updatedBy", "me", None),
        ("updateTime", 5, 0),
        ("ownerApp", "mine", "mine"),
    ],
)
def test_value_is_coerced_as_on_the_real_server(field: str, value: Any, shown: Any) -> None:
    assert stored(field, value) == shown


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("retryCount", 2**31, f"Numeric value (2147483648) out of range of int {INT_LIMITS}"),
        ("concurrentExecLimit", 2**31, f"Numeric value (2147483648) out of range of int {INT_LIMITS}"),
        (
            "concurrentExecLimit",
            "2147483648",
            'Cannot deserialize value of type `java.lang.Integer` from String "2147483648": Overflow:',
        ),
        (
            "retryCount",
            "99999999999999999999",
            'Cannot deserialize value of type `int` from String "99999999999999999999": not a valid',
        ),
        ("createTime", True, "Cannot deserialize value of type `java.lang.Long` from Boolean value"),
        ("timeoutSeconds", [], "Cannot deserialize value of type `long` from Array value"),
        (
            "retryLogic",
            5,
            f"Cannot deserialize value of type `{TASK_DEF}$RetryLogic` from number 5: index value outside",
        ),
        ("retryLogic", 2**31, f"Numeric value (2147483648) out of range of int {INT_LIMITS}"),
        ("enforceSchema", 1.5, "Cannot deserialize value of type `boolean` from Floating-point value"),
        ("enforceSchema", " 3 ", 'Cannot deserialize value of type `boolean` from String "3": only "true"'),
        (
            "inputKeys",
            " ",
            'Cannot coerce empty String ("") to element of `java.util.ArrayList` (but could if',
        ),
        ("inputTemplate", "", 'Cannot coerce empty String ("") to element of `java.util.LinkedHashMap` (but'),
        (
            "inputSchema",
            2**63,
            "Cannot construct instance of `com.netflix.conductor.common.metadata.SchemaDef`",
        ),
    ],
)
def test_value_of_the_wrong_type_is_refused_in_the_servers_words(field: str, value: Any, told: str) -> None:
    assert complaint(field, value).startswith(told)


def test_number_prints_as_java_prints_it() -> None:
    assert complaint("inputSchema", 1e300).endswith("deserialize from Number value (1.0E300)")


@pytest.mark.parametrize(
    ("number", "form"), [(1, "int/Int"), (2**31, "long/Long"), (2**63, "BigInteger"), (1.5, "double/Double")]
)
def test_number_in_the_place_of_an_object_is_named_by_its_size(number: float, form: str) -> None:
    assert f"no {form}-argument constructor" in complaint("inputSchema", number)


@pytest.mark.parametrize(
    ("field", "value"),
    [("executionMetadata", []), ("supportsCancellation", 1.5), ("outputMessage", {})],
)
def test_wrong_type_in_a_field_without_effect_is_a_500_all_the_same(field: str, value: Any) -> None:
    rig = Rig()
    rig.single()
    rig.start()
    task = rig.take()
    assert rig.send("POST", "/tasks", {**ids(task), "status": "COMPLETED", field: value}).status == 500
    assert rig.task(task) == task


@pytest.mark.parametrize(
    ("field", "value"), [("createdBy", []), ("idempotencyKey", {}), ("idempotencyStrategy", "NEVER")]
)
def test_start_with_a_wrong_type_in_a_field_without_effect_is_a_500(field: str, value: Any) -> None:
    rig = Rig()
    rig.single()
    assert rig.send("POST", "/workflow", {"name": "t", field: value}).status == 500


def test_task_definition_may_be_a_bare_name() -> None:
    rig = Rig()
    rig.ok("POST", "/metadata/taskdefs", ["bare"])
    assert rig.get("/metadata/taskdefs/bare")["retryCount"] == 3


def test_domains_are_texts() -> None:
    rig = Rig()
    rig.single()
    assert rig.workflow(rig.start(taskToDomain={"t": 1}))["taskToDomain"] == {"t": "1"}


def test_input_that_is_stored_nowhere_refuses_the_start() -> None:
    rig = Rig()
    rig.single()
    body = {"name": "t", "input": None, "externalInputPayloadStoragePath": "nowhere.json"}
    answer = rig.send("POST", "/workflow", body)
    assert (answer.status, b"external storage path: nowhere.json" in answer.body) == (500, True)


def test_input_that_the_server_has_stored_can_be_started_with_again() -> None:
    rig = Rig()
    rig.define("t")
    rig.flow("t", {"name": "t", "taskReferenceName": "t", "inputParameters": {"size": "${workflow.input.n}"}})
    large = rig.workflow(rig.start(input={"n": 5, "x": "x" * 6_000_000}))
    again = rig.start(externalInputPayloadStoragePath=large["externalInputPayloadStoragePath"])
    assert rig.workflow(again)["tasks"][0]["inputData"] == {"size": 5}


def test_output_that_is_stored_nowhere_is_kept_and_leaves_the_workflow_standing() -> None:
    rig = Rig()
    rig.single()
    workflow_id = rig.start()
    task = rig.take()
    body = {**ids(task), "status": "COMPLETED", "externalOutputPayloadStoragePath": "nowhere.json"}
    assert rig.send("POST", "/tasks", body).status == 500
    found = rig.workflow(workflow_id)
    assert (found["status"], found["tasks"][0]["status"]) == ("RUNNING", "COMPLETED")
    assert rig.send("PUT", f"/workflow/decide/{workflow_id}").status == 500
    assert rig.send("DELETE", f"/workflow/{workflow_id}").status == 500
    assert rig.send("DELETE", f"/workflow/{workflow_id}/remove?archiveWorkflow=false").status == 200


def test_all_versions_of_a_workflow_definition_can_be_listed() -> None:
    rig = Rig()
    for version in (3, 1):
        rig.flow("w", "t", version=version)
    rig.flow("a", "t")
    assert rig.get("/metadata/workflow/names") == ["a", "w"]
    assert [(wire["name"], wire["version"]) for wire in rig.get("/metadata/workflow")] == [
        ("a", 1),
        ("w", 1),
        ("w", 3),
    ]
    assert rig.get("/metadata/workflow/w/versions") == [
        {"name": "w", "version": 1, "createTime": 0},
        {"name": "w", "version": 3, "createTime": 0},
    ]
    summary = {"name": "a", "version": 1, "createTime": 0, "updateTime": rig.now}
    assert rig.get("/metadata/workflow/names-and-versions")["a"] == [summary]
    latest = rig.get("/metadata/workflow/latest-versions")
    assert [(wire["name"], wire["version"]) for wire in latest] == [("w", 3), ("a", 1)]
    assert rig.get("/metadata/workflow?classifier=x") == []
    assert rig.get(f"/metadata/workflow/{UNKNOWN}/versions") == []


def test_null_among_workflow_definitions_is_one_violation_more() -> None:
    answer = Rig().send("PUT", "/metadata/workflow", [None, {"name": "w", "tasks": []}])
    violations = json.loads(answer.body)["validationErrors"]
    assert violations == [
        {"path": "updateWorkflowDef.arg0[0].<list element>", "message": "WorkflowDef cannot be null"},
        {"path": "updateWorkflowDef.arg0[1].tasks", "message": "WorkflowTask list cannot be empty"},
    ]
