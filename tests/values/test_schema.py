"""What the schema of a worker's input says: draft-07, as the tools around Conductor read it."""

import base64
import dataclasses
import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

import jsonschema
import msgspec
import pytest
from described_types import (
    INTEGER,
    NULL,
    NUMBER,
    ORDER,
    STRING,
    Access,
    Account,
    Color,
    Kept,
    Movie,
    Node,
    OrderInfo,
    Point,
    Struct,
    an_object,
    of_parameter,
    of_return,
    written,
)

from anyworker import Task
from anyworker.values.markers import FromLifespan, WholeInput
from anyworker.values.returns import resolve_return
from anyworker.values.schema import DRAFT, output_schema


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
    (
        Annotated[list[int], "All."] | Annotated[Account, "Whose."] | None,
        {
            "anyOf": [
                {"type": "array", "items": INTEGER, "description": "All."},
                {**an_object(["owner"], owner=STRING, limit=INTEGER), "description": "Whose."},
                NULL,
            ]
        },
    ),
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


@pytest.mark.parametrize("least", [None, 1, 2, 4])
@pytest.mark.parametrize("most", [None, 0, 3, 5])
def test_lengths_of_bytes_are_counted_in_their_base64(least: int | None, most: int | None) -> None:
    schema = of_parameter(Annotated[bytes, msgspec.Meta(min_length=least, max_length=most)])
    valid = [
        length
        for length in range(9)
        if jsonschema.Draft7Validator(schema).is_valid(base64.b64encode(bytes(length)).decode())
    ]
    assert valid == list(range(least or 0, 9 if most is None else most + 1))


def test_an_offset_that_is_asked_for_is_in_the_pattern() -> None:
    aware = jsonschema.Draft7Validator(of_parameter(Annotated[datetime, msgspec.Meta(tz=True)]))
    naive = jsonschema.Draft7Validator(of_parameter(Annotated[datetime, msgspec.Meta(tz=False)]))
    for text in ("2024-02-29T12:00:00Z", "2024-02-29T12:00:00+01:00"):
        assert aware.is_valid(text)
        assert not naive.is_valid(text)
    assert naive.is_valid("2024-02-29T12:00:00")
    assert not aware.is_valid("2024-02-29T12:00:00")


def test_a_default_of_none_allows_null_once() -> None:
    def function(a: object = None, b: object = None) -> None: ...

    function.__annotations__ = {"a": Annotated[int | None, "How many."], "b": Annotated[int, "How."]}
    assert written(function)["properties"] == {
        "a": {"anyOf": [INTEGER, NULL], "description": "How many."},
        "b": {"anyOf": [{**INTEGER, "description": "How."}, NULL]},
    }


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
