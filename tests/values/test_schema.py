"""What the schema of a worker's input and output says: draft-07, as the tools around Conductor read it."""

import dataclasses
import uuid
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum, Flag
from typing import Annotated, Any, Literal, NamedTuple, NotRequired, TypedDict

import attrs
import jsonschema
import msgspec
import pytest

from anyworker import Task
from anyworker.context import TaskInProgress
from anyworker.errors import ConversionError
from anyworker.values.custom import forget_types, register_type
from anyworker.values.markers import FromLifespan, WholeInput
from anyworker.values.resolve import resolve_call
from anyworker.values.returns import resolve_return
from anyworker.values.schema import DRAFT, input_schema, output_schema

STRING, INTEGER, NUMBER, NULL = ({"type": kind} for kind in ("string", "integer", "number", "null"))


@dataclasses.dataclass
class OrderInfo:
    order_id: str
    amount: float
    customer_id: int


@dataclasses.dataclass
class Node:
    """A tree.

    Attributes:
        value: What it
            holds.
    """

    value: int
    below: "list[Node]"


@attrs.frozen
class Account:
    owner: str
    limit: int = 0


class Struct(msgspec.Struct, tag="struct", rename="camel"):
    first_name: str


class Point(NamedTuple):
    x: int
    y: float = 0.0


class Movie(TypedDict):
    title: str
    year: NotRequired[int]


class Color(Enum):
    RED = "red"
    BLUE = 2


class Access(Flag):
    READ = 1
    WRITE = 4


@dataclasses.dataclass
class Kept:
    a: int
    b: int = dataclasses.field(init=False, default=0)
    factor: dataclasses.InitVar[int] = 1


def written(function: Callable[..., object], **settings: bool) -> dict[str, Any]:
    schema = input_schema(resolve_call(function, **settings))
    jsonschema.Draft7Validator.check_schema(schema)
    return schema


def of_parameter(annotation: Any) -> Any:
    def function(x: object) -> None: ...

    function.__annotations__["x"] = annotation
    return written(function)["properties"]["x"]


def of_return(annotation: Any, **settings: bool) -> dict[str, Any]:
    def function() -> object: ...

    function.__annotations__["return"] = annotation
    schema = output_schema(resolve_return(function, ignored=(TaskInProgress,), **settings))
    jsonschema.Draft7Validator.check_schema(schema)
    assert schema.pop("$schema") == DRAFT
    return schema


def an_object(required: list[str], *, is_open: bool = True, **properties: Any) -> dict[str, Any]:
    needed = {"required": required} if required else {}
    return {"type": "object", "properties": properties, **needed, "additionalProperties": is_open}


ORDER = an_object(["order_id", "amount", "customer_id"], order_id=STRING, amount=NUMBER, customer_id=INTEGER)


def test_parameters_are_properties_and_those_without_default_are_required() -> None:
    def process_order(order: OrderInfo, priority: int = 1) -> dict[str, Any]: ...

    assert written(process_order) == {
        "$schema": "http://json-schema.org/draft-07/schema#",
        **an_object(["order"], order=ORDER, priority=INTEGER),
    }


def test_strict_schemas_have_no_further_properties_anywhere() -> None:
    def process_order(order: OrderInfo) -> OrderInfo: ...

    order = {**ORDER, "additionalProperties": False}
    assert written(process_order, strict=True) == {
        "$schema": DRAFT,
        **an_object(["order"], order=order, is_open=False),
    }
    assert of_return(OrderInfo, strict=True) == order


LEAF_CASES: list[tuple[Any, Any]] = [
    (str, STRING),
    (int, INTEGER),
    (float, NUMBER),
    (bool, {"type": "boolean"}),
    (None, NULL),
    (Any, {}),
    (object, {}),
    (list, {"type": "array"}),
    (dict, {"type": "object", "additionalProperties": True}),
    (list[int], {"type": "array", "items": INTEGER}),
    (set[str], {"type": "array", "items": STRING}),
    (tuple[int, ...], {"type": "array", "items": INTEGER}),
    (tuple[int, str], {"type": "array", "items": [INTEGER, STRING], "minItems": 2, "maxItems": 2}),
    (tuple[()], {"type": "array", "minItems": 0, "maxItems": 0}),
    (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (dict[str, Any], {"type": "object", "additionalProperties": True}),
    (
        dict[Color, int],
        {"type": "object", "propertyNames": {"enum": ["red", "2"]}, "additionalProperties": INTEGER},
    ),
    (Literal["a", 1, None], {"enum": ["a", 1, None]}),
    (Color, {"enum": ["red", 2]}),
    (int | str, {"anyOf": [INTEGER, STRING]}),
    (str | None, {"anyOf": [STRING, NULL]}),
    (Account, an_object(["owner"], owner=STRING, limit=INTEGER)),
    (Struct, an_object(["firstName"], type={"enum": ["struct"]}, firstName=STRING)),
    (Movie, an_object(["title"], title=STRING, year=INTEGER)),
    (
        Point,
        {
            "anyOf": [
                an_object(["x"], x=INTEGER, y=NUMBER),
                {"type": "array", "items": [INTEGER, NUMBER], "minItems": 1, "maxItems": 2},
            ]
        },
    ),
    (Annotated[int, msgspec.Meta(ge=0, lt=9)], {**INTEGER, "minimum": 0, "exclusiveMaximum": 9}),
    (Annotated[str, msgspec.Meta(min_length=1, pattern="^a")], {**STRING, "minLength": 1, "pattern": "^a"}),
    (Annotated[list[int], msgspec.Meta(max_length=3)], {"type": "array", "items": INTEGER, "maxItems": 3}),
    (Annotated[int | str, msgspec.Meta(ge=0)], {"anyOf": [{**INTEGER, "minimum": 0}, STRING]}),
    (Access, {"enum": [0, 1, 4, 5]}),
    (Kept, an_object(["a"], a=INTEGER, factor=INTEGER)),
    (int | msgspec.UnsetType, INTEGER),
    (Annotated[int, "How many."], {**INTEGER, "description": "How many."}),
    (
        Annotated[int, msgspec.Meta(title="Count", examples=[Color.BLUE])],
        {**INTEGER, "title": "Count", "examples": [2]},
    ),
    (Annotated[list[int], "All."], {"type": "array", "items": INTEGER, "description": "All."}),
]  # fmt: skip


@pytest.mark.parametrize(("annotation", "schema"), LEAF_CASES, ids=[str(case[0]) for case in LEAF_CASES])
def test_type_has_its_schema(annotation: Any, schema: Any) -> None:
    assert of_parameter(annotation) == schema


@pytest.mark.parametrize(
    ("annotation", "form"), [(datetime, "date-time"), (uuid.UUID, "uuid")], ids=["datetime", "UUID"]
)
def test_types_that_are_written_as_text_have_a_format_and_a_pattern(annotation: Any, form: str) -> None:
    schema = of_parameter(annotation)
    assert (schema["type"], schema["format"]) == ("string", form)
    assert not jsonschema.Draft7Validator(schema).is_valid("tomorrow")


def test_an_offset_that_is_asked_for_is_in_the_pattern() -> None:
    aware = jsonschema.Draft7Validator(of_parameter(Annotated[datetime, msgspec.Meta(tz=True)]))
    naive = jsonschema.Draft7Validator(of_parameter(Annotated[datetime, msgspec.Meta(tz=False)]))
    for text in ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00+01:00"):
        assert aware.is_valid(text)
        assert not naive.is_valid(text)
    assert naive.is_valid("2024-02-29T12:00:00")
    assert not aware.is_valid("2024-02-29T12:00:00")


def test_a_recursive_type_is_defined_and_referred_to() -> None:
    assert of_parameter(Node) == {"$ref": "#/definitions/Node"}

    def function(tree: Node) -> None:
        """Prune.

        Args:
            tree: What is pruned.
        """

    schema = written(function)
    assert schema["properties"] == {
        "tree": {"allOf": [{"$ref": "#/definitions/Node"}], "description": "What is pruned."}
    }
    node = schema["definitions"]["Node"]
    assert node["description"] == "A tree."
    assert node["properties"] == {
        "value": {"description": "What it holds.", **INTEGER},
        "below": {"type": "array", "items": {"$ref": "#/definitions/Node"}},
    }


def test_a_class_that_is_used_twice_is_defined_once() -> None:
    def function(first: OrderInfo, second: list[OrderInfo]) -> None: ...

    schema = written(function)
    assert schema["properties"]["first"] == {"$ref": "#/definitions/OrderInfo"}
    assert schema["definitions"] == {"OrderInfo": ORDER}


def test_classes_of_one_name_are_told_apart() -> None:
    def other() -> type:
        @dataclasses.dataclass
        class OrderInfo:
            id: int

        return OrderInfo

    twin: Any = other()

    def function(a: OrderInfo, b: OrderInfo, c: twin, d: twin) -> None: ...

    assert set(written(function)["definitions"]) == {"OrderInfo", "OrderInfo_2"}


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


def test_task_and_resources_are_no_part_of_the_input() -> None:
    def function(task: Task, amount: int) -> None: ...
    def alone(task: Task) -> None: ...

    assert written(function)["properties"] == {"amount": INTEGER}
    assert written(alone, strict=True) == {"$schema": DRAFT, **an_object([])}


def test_what_takes_the_rest_says_what_further_properties_are() -> None:
    def rest(a: int, **more: str) -> None: ...
    def whole(a: int, everything: Annotated[dict[str, Any], WholeInput]) -> None: ...

    assert written(rest, strict=True)["additionalProperties"] == STRING
    assert written(whole, strict=True)["additionalProperties"] is True


def test_resources_of_the_lifespan_are_no_part_of_the_schema() -> None:
    def function(amount: int, pool: Annotated[object, FromLifespan]) -> None: ...

    assert written(function)["properties"] == {"amount": INTEGER}
    assert written(function)["required"] == ["amount"]


GOOGLE = """Charge an order.

Args:
    amount (Annotated[float, Meta(gt=0)], optional): How much
        to charge.
    currency: In which currency.

Returns:
    Account: What was charged.
"""
SPHINX = """Charge an order.

:param float amount: How much
    to charge.
:param currency: In which currency.
:returns: What was charged.
"""


@pytest.mark.parametrize("doc", [GOOGLE, SPHINX], ids=["google", "sphinx"])
def test_descriptions_come_from_docstrings(doc: str) -> None:
    def charge(amount: float, currency: Annotated[str, "ISO 4217."]) -> Account: ...

    charge.__doc__ = doc
    assert written(charge)["properties"] == {
        "amount": {"description": "How much to charge.", **NUMBER},
        "currency": {**STRING, "description": "ISO 4217."},  # what stands at the type counts more
    }
    assert output_schema(resolve_return(charge))["description"] == "What was charged."


RESULT_STRING = {"type": "object", "properties": {"result": STRING}, "required": ["result"]}
RETURN_CASES: list[tuple[Any, Any]] = [
    (dict, {"type": "object", "additionalProperties": True}),
    (None, {"type": "object", "additionalProperties": True}),
    (TaskInProgress, {"type": "object", "additionalProperties": True}),
    (str, {**RESULT_STRING, "additionalProperties": True}),
    (str | TaskInProgress | None, {**RESULT_STRING, "additionalProperties": True}),
    (Awaitable[str], {**RESULT_STRING, "additionalProperties": True}),
    (OrderInfo, ORDER),
    (OrderInfo | None, ORDER),
    (Point, an_object(["x"], x=INTEGER, y=NUMBER)),
    (dict[str, int], {"type": "object", "additionalProperties": INTEGER}),
    (
        OrderInfo | str,
        {"anyOf": [ORDER, {**RESULT_STRING, "additionalProperties": True}]},
    ),
    (
        list[Decimal] | str,
        {
            **an_object(
                ["result"],
                result={"anyOf": [{"type": "array", "items": of_parameter(Decimal)}, STRING]},
            )
        },
    ),
    ("Unknown", {"type": "object", "additionalProperties": True}),
    (Any, {"type": "object", "additionalProperties": True}),
    (
        Annotated[str | TaskInProgress | None, "done"],
        {
            "type": "object",
            "properties": {"result": {**STRING, "description": "done"}},
            "required": ["result"],
            "additionalProperties": True,
        },
    ),
    (Kept, an_object(["a"], a=INTEGER, b=INTEGER)),
]


@pytest.mark.parametrize(("annotation", "schema"), RETURN_CASES, ids=[str(case[0]) for case in RETURN_CASES])
def test_return_type_has_its_output_schema(annotation: Any, schema: Any) -> None:
    assert of_return(annotation) == schema
