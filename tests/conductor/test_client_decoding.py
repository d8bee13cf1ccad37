"""Models from bodies that differ from the ones we know."""

import logging

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_exchange import API, polled_task, reply

from anyworker.client import Task, TaskDef, WorkflowDef
from anyworker.conductor.answers import ApiUrl, Request
from anyworker.conductor.decoding import ModelDecoder, convert, salvaged_tasks
from anyworker.errors import UnexpectedAnswerError

REQUEST = Request(ApiUrl(API), "GET", "/tasks/t")
TASK = polled_task()
FIELDS = sorted(set(TASK) - {"taskId"})
DEFINITION_FIELDS = sorted(set(TASK["taskDefinition"]) - {"name"})
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda values: st.lists(values, max_size=3) | st.dictionaries(st.text(), values, max_size=3),
    max_leaves=10,
)


def decoded(body: object, kind: type = Task) -> object:
    return ModelDecoder(kind).decode(reply(200, body), REQUEST)


@given(
    absent=st.sets(st.sampled_from(FIELDS)),
    null=st.sets(st.sampled_from(FIELDS)),
    null_in_definition=st.sets(st.sampled_from(DEFINITION_FIELDS)),
    unknown=st.dictionaries(st.text(min_size=1).map("x-{}".format), json_values, max_size=3),
)
def test_absent_null_and_unknown_fields_never_break_a_task(absent, null, null_in_definition, unknown):
    body = {name: value for name, value in TASK.items() if name not in absent}
    definition = {**TASK["taskDefinition"], **dict.fromkeys(null_in_definition)}
    body = {**unknown, **body, "taskDefinition": definition, **dict.fromkeys(null)}
    task = decoded(body)
    known = {name: value for name, value in body.items() if name in TASK and value is not None}
    known["taskDefinition"] = None if "taskDefinition" in null else without_nulls(definition)
    assert task == convert({key: value for key, value in known.items() if value is not None}, Task)
    assert task.task_id == TASK["taskId"]
    assert task.input_data == known.get("inputData", {})
    assert isinstance(task.output_data, dict)


def without_nulls(fields: dict) -> dict:
    return {name: value for name, value in fields.items() if value is not None}


@given(payload=st.dictionaries(st.text(), json_values, max_size=4))
def test_payloads_keep_their_nulls_whatever_else_is_null(payload):
    task = decoded({"taskId": "t", "inputData": payload, "outputData": payload, "seq": None})
    assert task.input_data == payload
    assert task.output_data == payload
    assert task.seq == 0


def test_nulls_in_lists_and_maps_of_models_count_as_absent():
    body = {
        "name": "w",
        "inputTemplate": {"keep": None},
        "inputParameters": ["a", None],
        "tasks": [
            None,
            {
                "name": "fork",
                "taskReferenceName": "f",
                "optional": None,
                "inputParameters": {"keep": None},
                "forkTasks": [[{"name": "a", "taskReferenceName": "r", "startDelay": None}, None]],
                "decisionCases": {"x": [{"name": "b", "taskReferenceName": "s", "joinOn": None}], "y": None},
                "taskDefinition": {"name": "d", "retryCount": None},
            },
        ],
    }
    definition = decoded(body, WorkflowDef)
    [fork] = definition.tasks
    assert definition.input_template == {"keep": None}
    assert definition.input_parameters == ["a"]
    assert fork.input_parameters == {"keep": None}
    assert fork.optional is False
    assert [step.name for step in fork.fork_tasks[0]] == ["a"]
    assert {case: [step.name for step in steps] for case, steps in fork.decision_cases.items()} == {
        "x": ["b"]
    }
    assert fork.task_definition == TaskDef(name="d")


def test_numbers_that_another_server_writes_otherwise_are_understood():
    task = decoded({"taskId": "t", "pollCount": 2.0, "seq": "3"})
    assert (task.poll_count, task.seq) == (2, 3)


def test_payload_numbers_survive():
    body = b'{"taskId":"t","inputData":{"a":123456789012345678901234567890,"b":1.0E300,"c":-0.0}}'
    task = decoded(body)
    assert task.input_data["a"] == 123456789012345678901234567890
    assert task.input_data["b"] == 1e300
    assert str(task.input_data["c"]) == "-0.0"


def test_a_lone_surrogate_in_an_input_does_not_cost_the_poll():
    tasks = salvaged_tasks(
        reply(200, b'[{"taskId":"a","inputData":{"x":"\\ud83d"}},{"taskId":"b"}]'), REQUEST
    )
    assert [task.task_id for task in tasks] == ["a", "b"]


def test_a_bad_value_in_a_task_definition_does_not_cost_the_task():
    body = [{**TASK, "taskDefinition": {"name": "greet", "retryCount": "a few"}}]
    [task] = salvaged_tasks(reply(200, body), REQUEST)
    assert task.input_data == TASK["inputData"]
    assert task.task_definition is None


def test_a_task_that_cannot_be_read_does_not_cost_the_others(caplog):
    body = [{"taskId": "good"}, {"taskId": "bad", "inputData": [1]}, None]
    with caplog.at_level(logging.ERROR):
        tasks = salvaged_tasks(reply(200, body), REQUEST)
    assert [task.task_id for task in tasks] == ["good"]
    assert "$[1].inputData" in caplog.text
    assert len(caplog.records) == 2


@pytest.mark.parametrize(
    ("body", "path"), [([{"taskId": None}], r"\$\[0\]"), ({"taskId": "t"}, "array"), (b"[{", "not JSON")]
)
def test_a_poll_that_brings_nothing_readable_is_an_unexpected_answer(body, path):
    with pytest.raises(UnexpectedAnswerError, match=path):
        salvaged_tasks(reply(200, body), REQUEST)


@given(json_values)
def test_any_json_is_a_task_or_an_unexpected_answer(body):
    try:
        task = decoded(body)
    except UnexpectedAnswerError:
        return
    assert isinstance(task, Task)
    assert isinstance(body, dict)


@given(st.binary(max_size=200))
def test_any_bytes_are_a_task_or_an_unexpected_answer(body):
    try:
        task = decoded(body)
    except UnexpectedAnswerError:
        return
    assert isinstance(task, Task)


def test_models_survive_a_round_trip():
    task = decoded(TASK)
    assert msgspec.json.decode(msgspec.json.encode(task), type=Task) == task
