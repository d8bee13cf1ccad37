"""What the schema of a worker's output says."""

from collections.abc import Awaitable
from decimal import Decimal
from typing import Annotated, Any

import pytest
from described_types import (
    INTEGER,
    NUMBER,
    ORDER,
    STRING,
    Kept,
    OrderInfo,
    Point,
    an_object,
    of_parameter,
    of_return,
)

from anyworker.context import TaskInProgress

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
