"""What becomes of the schemas that models and registered types bring along."""

import dataclasses
from typing import Any

import jsonschema
import pytest
from described_types import INTEGER, NULL, STRING, an_object, of_parameter, of_return, written

from anyworker import Task
from anyworker.errors import ConversionError
from anyworker.values.custom import forget_types, register_type
from anyworker.values.resolve import resolve_call
from anyworker.values.schema import input_schema


def test_a_model_that_describes_itself_is_taken_over_with_its_definitions() -> None:
    class Model:
        @classmethod
        def model_validate(cls, value: object) -> object:
            return value

        @classmethod
        def model_json_schema(cls) -> dict[str, Any]:
            item = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Item"}}}
            return {
                "type": "object",
                "properties": {"item": {"$ref": "#/$defs/Item"}},
                "$defs": {"Item": item},
            }

    def function(model: Model) -> None: ...

    schema = written(function)
    assert schema["properties"]["model"] == {
        "type": "object",
        "properties": {"item": {"$ref": "#/definitions/Item"}},
        "additionalProperties": True,
    }
    assert schema["definitions"]["Item"]["properties"] == {"next": {"$ref": "#/definitions/Item"}}


def a_model(**schema: Any) -> Any:
    class Model:
        @classmethod
        def model_validate(cls, value: object) -> object:
            return value

        @classmethod
        def model_json_schema(cls, mode: str) -> dict[str, Any]:
            return {"type": "object", "properties": {mode: {}}, **schema}

    return Model


def test_a_model_is_described_as_it_is_read_and_as_it_is_written() -> None:
    assert of_parameter(a_model()) == an_object([], validation={})
    assert of_return(a_model(), strict=True) == an_object([], is_open=False, serialization={})


def test_a_models_tuples_are_written_as_draft_07_has_them() -> None:
    schema = of_parameter(a_model(type="array", prefixItems=[STRING], items=False))
    assert (schema["items"], schema["additionalItems"]) == ([STRING], False)


def test_a_strict_model_refuses_what_it_would_ignore() -> None:
    model = a_model(
        properties={
            "part": {"anyOf": [{"$ref": "#/$defs/Part"}, NULL]},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
        },
        **{"$defs": {"Part": {"type": "object", "properties": {"id": INTEGER}}}},
    )

    def function(x: model) -> None: ...

    call = resolve_call(function, strict=True)
    value = {"part": {"id": 1, "a": 2}, "parts": [{"id": 1}, {"b": 2}], "c": 3}
    with pytest.raises(ConversionError) as caught:
        call.arguments(Task(task_id="t", input_data={"x": value}))
    assert [problem.split(":")[0] for problem in caught.value.problems] == [
        "$.x.part.a",
        "$.x.parts[1].b",
        "$.x.c",
    ]
    assert not jsonschema.Draft7Validator(input_schema(call)).is_valid({"x": value})


def test_a_registered_type_may_bring_definitions_along() -> None:
    @dataclasses.dataclass
    class Money:
        text: str

    own = {"$ref": "#/definitions/Text", "definitions": {"Text": STRING}}
    register_type(Money, decode=Money, encode=lambda money: money.text, schema=own)
    try:
        assert of_parameter(Money) == STRING
        # What it is encoded as may be an object, and then is the output, or not.
        assert of_return(Money) == {"anyOf": [STRING, an_object(["result"], result=STRING)]}
    finally:
        forget_types()
