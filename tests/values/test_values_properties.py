"""Laws of conversion that hold for all types and values."""

import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import msgspec
from generated_types import (
    JSON_VALUES,
    TEXT,
    TYPED,
    Color,
    Level,
    Point,
    Typed,
    binder,
    converted,
    over_the_wire,
)
from hypothesis import given
from hypothesis import strategies as st

from anyworker.conductor.models import Task, TaskResult
from anyworker.errors import ConversionError, DeclarationError, SerializationError
from anyworker.values.jsonable import to_jsonable
from anyworker.values.payload import encode_result, output_size, to_output
from anyworker.values.resolve import BoundCall, resolve_call


@given(st.data())
def test_a_value_that_was_sent_is_received_as_it_was(data: st.DataObject) -> None:
    annotation, values = data.draw(TYPED, "type")
    value = data.draw(values, "value")
    received = converted(annotation, over_the_wire(value))
    assert received == value
    assert type(received) is type(value)


def problems_of(bound: BoundCall, value: dict[str, Any]) -> tuple[str, ...]:
    try:
        bound.arguments(Task(task_id="t", input_data=value))
    except ConversionError as error:
        return error.problems
    return ()


@given(TYPED, TYPED, JSON_VALUES)
def test_no_input_raises_anything_but_a_conversion_error(first: Typed, second: Typed, value: object) -> None:
    for annotation in (first[0], second[0], first[0] | second[0]):
        try:
            bound = binder(annotation)
        except DeclarationError:
            assert annotation not in {first[0], second[0]}
            continue
        assert all(problem.startswith("$.x") for problem in problems_of(bound, {"x": value}))


@given(st.dictionaries(TEXT, JSON_VALUES))
def test_problems_are_as_many_as_bad_members(given: dict[str, object]) -> None:
    def function(**rest: int) -> None: ...

    bad = [key for key, value in given.items() if not _is_integral(value)]
    assert len(problems_of(resolve_call(function), given)) == len(bad)


def _is_integral(value: object) -> bool:
    return type(value) is int or (type(value) is float and value.is_integer())


ANY_TEXT = st.text(max_size=5) | st.sampled_from(["\x00", "\ud800", "null", "\\u0000"])
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | ANY_TEXT
    | st.sampled_from(
        [Color.RED, Level.LOW, Point(1), b"x", Decimal("1.0"), Decimal("nan"), object(), 1j, 10**1000]
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(
            ANY_TEXT | st.integers(-2, 2) | st.sampled_from([None, 1.5, Color.RED, Level.LOW, "1", (1,)]),
            inner,
            max_size=4,
        )
        | st.sets(st.integers() | TEXT, max_size=4)
    ),
    max_leaves=20,
)


def refusal_of(function: Callable[[Any], object], value: object) -> tuple[str, str] | None:
    try:
        function(value)
    except SerializationError as error:
        return error.path, error.reason
    return None


@given(ANYTHING)
def test_the_quick_way_and_the_exact_way_say_the_same(value: object) -> None:
    output = to_output(value)
    result = TaskResult(task_id="t", workflow_instance_id="w", status="COMPLETED", output_data=output)
    refusal = refusal_of(to_jsonable, output)
    assert refusal_of(encode_result, result) == refusal
    if refusal is None:
        exact = to_jsonable(output)
        assert encode_result(result) == msgspec.json.encode(
            msgspec.structs.replace(result, output_data=exact)
        )
        assert output_size(result, encode_result(result)) == len(msgspec.json.encode(exact))
        assert json.loads(encode_result(result)).get("outputData", {}) == exact


@given(st.floats() | st.integers())
def test_a_number_is_sent_unaltered_or_refused(number: float) -> None:
    try:
        received = over_the_wire(number)
    except SerializationError:
        assert not math.isfinite(number)
    else:
        assert received == number
        assert type(received) is type(number)
