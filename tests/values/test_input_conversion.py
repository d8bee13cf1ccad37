"""What becomes of an input value for every kind of annotation: the exact value or the exact message."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import (
    Any,
    Self,
)

import pytest
from input_cases import (
    ACCEPTED,
    ASKED,
    BUILT,
    REFUSED,
    Counted,
    Json,
    Left,
    Node,
    Right,
    Scaled,
    Square,
    Twin,
)

from anyworker.conductor.models import Task
from anyworker.errors import ConversionError, DeclarationError
from anyworker.values.resolve import resolve_call


def binder(annotation: Any) -> Callable[[object], object]:
    """Return what converts one input value by the annotation of a parameter."""

    def function(x: object) -> object: ...

    function.__annotations__["x"] = annotation
    bound = resolve_call(function)

    def convert(value: object) -> object:
        return bound.arguments(Task(task_id="t", input_data={"x": value}))[1]["x"]

    return convert


@pytest.mark.parametrize(("annotation", "given", "expected"), ACCEPTED)
def test_value_is_converted_exactly(annotation: Any, given: object, expected: object) -> None:
    converted = binder(annotation)(given)
    assert converted == expected
    assert type(converted) is type(expected)
    if isinstance(expected, list | tuple | set) and expected:
        assert [type(part) for part in converted] == [type(part) for part in expected]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("annotation", "given", "problems"), REFUSED)
def test_value_is_refused_with_every_problem(annotation: Any, given: object, problems: list[str]) -> None:
    convert = binder(annotation)
    with pytest.raises(ConversionError) as caught:
        convert(given)
    assert list(caught.value.problems) == problems


@pytest.mark.parametrize(
    "annotation",
    [str | Path, bytes | str, list[int] | set[int], Square | Twin, list[Square | Twin]],
    ids=str,
)
def test_union_that_nothing_tells_apart_is_refused_at_registration(annotation: Any) -> None:
    with pytest.raises(DeclarationError, match=r"parameter 'x': nothing in JSON tells \w.* and \w.* apart"):
        binder(annotation)


@pytest.mark.parametrize(
    "annotation",
    [complex, type, Self, Exception, dict[float, int], dict[bool, int], Callable[[], None]],
    ids=str,
)
def test_type_that_no_json_becomes_is_refused_at_registration(annotation: Any) -> None:
    with pytest.raises(DeclarationError, match="parameter 'x': no "):
        binder(annotation)


def test_init_only_fields_are_filled_and_computed_ones_not() -> None:
    assert binder(Scaled)({"factor": 2, "size": 7}) == dataclasses.replace(Scaled(factor=2), factor=2)


def test_an_input_nested_without_end_is_a_conversion_error() -> None:
    value: list[Any] = []
    for _ in range(5000):
        value = [value]
    with pytest.raises(ConversionError, match="nested too deeply"):
        binder(Json)(value)


def test_a_hopeless_input_is_refused_without_looking_at_all_of_it() -> None:
    ASKED.clear()
    with pytest.raises(ConversionError) as caught:
        binder(list[Counted])([2] * 100_000)
    assert len(caught.value.problems) == 1001
    assert caught.value.problems[-1] == "and more problems than are listed"
    assert len(ASKED) == 1000


def test_a_deep_error_costs_no_more_than_the_depth() -> None:
    value: dict[str, Any] = {"value": "bad"}
    for _ in range(60):
        value = {"value": 1, "below": [value]}
    with pytest.raises(ConversionError, match=r"below\[0\]\.value: expected int, got str"):
        binder(Node)(value)


def test_unions_inside_of_unions_cost_no_more_than_the_depth() -> None:
    BUILT.clear()
    fitting: dict[str, Any] = {"value": "end"}
    bad: dict[str, Any] = {"value": 1.5}
    for _ in range(12):
        fitting = {"value": "text", "below": fitting}
        bad = {"value": "text", "below": bad}
    convert = binder(Left | Right)
    assert isinstance(convert(fitting), Right)
    assert len(BUILT) == 13
    with pytest.raises(ConversionError) as caught:
        convert(bad)
    assert len(caught.value.problems) == 14
    assert "$.x" + ".below" * 12 + ".value: expected int, got float 1.5 (to be Left)" in caught.value.problems


def test_nothing_of_a_conversion_is_remembered() -> None:
    convert = binder(Left | Right)
    value: dict[str, Any] = {"value": 1}
    assert convert(value) == Left(1, None)
    assert convert(value) is not convert(value)
    value["value"] = "text"
    assert convert(value) == Right("text", None)
