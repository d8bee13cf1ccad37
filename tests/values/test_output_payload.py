"""What becomes of what a function returns: the exact output, the exact bytes, or the exact refusal."""

import json
from typing import Any

import pytest
from output_cases import NESTED, REFUSED, TOP_LEVEL, Point, nested

from anyworker.conductor.models import TaskExecLog, TaskResult
from anyworker.errors import SerializationError
from anyworker.values.payload import OUTPUT_LIMIT, encode_result, output_size, size_on_server, to_output


def result_of(output: Any, **fields: Any) -> TaskResult:
    return TaskResult(
        task_id="t1", workflow_instance_id="w1", status="COMPLETED", output_data=to_output(output), **fields
    )


def sent(output: Any) -> object:
    return json.loads(encode_result(result_of(output))).get("outputData", {})


@pytest.mark.parametrize(("value", "expected"), NESTED)
def test_nested_value_is_written_exactly(value: object, expected: object) -> None:
    written = sent({"x": [value]})
    assert written == {"x": [expected]}
    assert repr(written) == repr({"x": [expected]})


@pytest.mark.parametrize(("value", "expected"), TOP_LEVEL)
def test_output_is_a_dict_the_fields_of_an_object_or_a_result(value: object, expected: object) -> None:
    assert sent(value) == expected


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_value_without_a_place_is_refused_by_its_path(value: object, message: str) -> None:
    with pytest.raises(SerializationError) as caught:
        encode_result(result_of(value))
    assert str(caught.value) == message


def test_nesting_is_limited_alike_for_json_and_for_objects() -> None:
    assert sent({"a": nested(299)}) == {"a": nested(299)}
    assert sent({"a": (nested(298),)}) == {"a": [nested(298)]}
    for too_deep in ({"a": nested(300)}, {"a": (nested(299),)}, {"a": nested(20_000)}):
        with pytest.raises(SerializationError, match="nested deeper than 300 levels"):
            encode_result(result_of(too_deep))


def test_a_long_path_leaves_room_for_the_reason() -> None:
    with pytest.raises(SerializationError) as caught:
        encode_result(result_of({"a": nested(400)}))
    assert len(str(caught.value)) < 300
    assert str(caught.value).startswith("$.a[0][0]")
    assert str(caught.value).endswith("[0][0]: nested deeper than 300 levels")


def test_an_object_that_stands_twice_is_no_cycle() -> None:
    shared = [Point(1, 2)]
    assert sent({"a": shared, "b": shared}) == {"a": [{"x": 1, "y": 2}], "b": [{"x": 1, "y": 2}]}


def test_keys_up_to_the_servers_limit_are_sent() -> None:
    assert sent({"k" * 50_000: 1}) == {"k" * 50_000: 1}


def test_output_beyond_the_servers_limit_is_refused_with_its_size() -> None:
    fitting = "x" * (OUTPUT_LIMIT - len('{"result":""}'))
    assert len(encode_result(result_of(fitting))) > OUTPUT_LIMIT
    with pytest.raises(SerializationError) as caught:
        encode_result(result_of("x" * 12_300_000))
    assert str(caught.value) == (
        "$: the output has 12.3 MB (12300013 bytes), above output_limit_kb=10240: "
        "store it elsewhere and return where it is"
    )
    with pytest.raises(SerializationError, match="above output_limit_kb=10240"):
        encode_result(result_of(fitting + "x"))


def test_size_is_counted_as_the_server_writes_characters_beyond_the_bmp() -> None:
    with pytest.raises(SerializationError, match=r"10\.8 MB"):
        encode_result(result_of("\U0001f600" * 900_000))


def test_size_is_counted_as_the_server_writes_floats_with_an_exponent() -> None:
    count = (1000 - len('{"result":[[]]}')) // len("1e-7,")
    for fitting in (1.25, 0.0, 1234.5):
        assert encode_result(result_of({"result": [[fitting] * (count * 5 // 7)]}), output_limit=1000)
    for longer_there in (1e-7, -1e99):
        with pytest.raises(SerializationError, match="above output_limit_kb"):
            encode_result(result_of({"result": [[longer_there] * (count * 5 // 6)]}), output_limit=1000)


def test_output_limit_is_the_callers() -> None:
    with pytest.raises(SerializationError, match=r"0\.0 MB"):
        encode_result(result_of({"a": (1, 2, 3)}), output_limit=12)
    assert encode_result(result_of({"a": (1, 2, 3)}), output_limit=13)
    assert encode_result(result_of("x" * 12_300_000), output_limit=None)


def test_reason_and_log_never_stand_in_the_way() -> None:
    body = encode_result(
        result_of(
            {"a": 1},
            reason_for_incompletion="bad \x00 and \ud800",
            logs=[TaskExecLog(log="\x00"), TaskExecLog(log=ValueError("x")), "line"],  # type: ignore[arg-type]
        )
    )
    read = json.loads(body)
    assert read["reasonForIncompletion"] == "bad \\u0000 and \\ud800"
    assert [line["log"] for line in read["logs"]] == ["\\u0000", "x", "line"]
    assert read["outputData"] == {"a": 1}


def test_reason_that_is_no_text_is_written_as_text() -> None:
    body = encode_result(result_of({}, reason_for_incompletion=KeyError("x")))
    assert json.loads(body)["reasonForIncompletion"] == "'x'"


def test_result_of_the_users_own_may_hold_any_output() -> None:
    for output, expected in ((None, {}), ([1], {"result": [1]}), (Point(1, 2), {"x": 1, "y": 2})):
        result = TaskResult(task_id="t", workflow_instance_id="w", status="COMPLETED", output_data=output)  # type: ignore[arg-type]
        assert json.loads(encode_result(result)).get("outputData", {}) == expected


def test_encoding_leaves_the_result_alone() -> None:
    result = result_of({"a": (1, Point(1, 2))}, reason_for_incompletion="\x00")
    encode_result(result)
    assert result.output_data == {"a": (1, Point(1, 2))}
    assert result.reason_for_incompletion == "\x00"


def test_whole_result_is_on_the_wire() -> None:
    body = encode_result(result_of("x", worker_id="me", callback_after_seconds=5))
    assert json.loads(body) == {
        "workflowInstanceId": "w1",
        "taskId": "t1",
        "status": "COMPLETED",
        "outputData": {"result": "x"},
        "callbackAfterSeconds": 5,
        "workerId": "me",
    }


@pytest.mark.parametrize(
    ("output", "size", "longer"),
    [
        ({}, 2, 0),
        ({"a": "é"}, len('{"a":"é"}'.encode()), 0),
        ({"a": (1, Point(1, 2))}, len('{"a":[1,{"x":1,"y":2}]}'), 0),
        ({"\U0001f600": ["\U0001f600"]}, len('{"😀":["😀"]}'.encode()), 16),
    ],
)
def test_output_size_is_the_length_of_the_json(output: dict[str, Any], size: int, longer: int) -> None:
    result = result_of(output, reason_for_incompletion="\U0001f600", logs=[TaskExecLog(log="\x00")])
    body = encode_result(result)
    assert output_size(result, body) == size
    assert size_on_server(result, body) == size + longer
