"""A schema and the conversion of the same type say the same of every value."""

from typing import Annotated, Any

import jsonschema
import msgspec
from generated_types import JSON_VALUES, LEAVES, TEXT, TYPED, Typed, binder, over_the_wire
from hypothesis import assume, example, given
from hypothesis import strategies as st

from anyworker.conductor.models import Task
from anyworker.errors import ConversionError, DeclarationError
from anyworker.values.payload import to_output
from anyworker.values.returns import resolve_return
from anyworker.values.schema import input_schema, output_schema

CONSTRAINED: list[Typed] = [
    (Annotated[int, msgspec.Meta(ge=-2, lt=3)], st.integers(-2, 2)),
    (Annotated[float, msgspec.Meta(gt=0)], st.floats(0.5, 1e9)),
    (Annotated[int, msgspec.Meta(multiple_of=3)], st.integers(-5, 5).map(lambda number: number * 3)),
    (Annotated[str, msgspec.Meta(min_length=1, max_length=3)], TEXT.filter(lambda text: 1 <= len(text) <= 3)),
    (Annotated[str, msgspec.Meta(pattern="^[a-z]+$")], st.sampled_from(["a", "red"])),
    (Annotated[list[int], msgspec.Meta(max_length=2)], st.lists(st.integers(), max_size=2)),
    (Annotated[dict[str, int], msgspec.Meta(min_length=1)], st.just({"value": 1})),
]
ALL_TYPED = TYPED | st.sampled_from(CONSTRAINED)


def validates(schema: dict[str, Any], value: object) -> bool:
    jsonschema.Draft7Validator.check_schema(schema)
    return jsonschema.Draft7Validator(schema).is_valid(value)


def converts(annotation: Any, value: object) -> bool:
    try:
        binder(annotation).arguments(Task(task_id="t", input_data={"x": value}))
    except ConversionError as error:
        # What no schema can say.
        assume("a float cannot hold exactly" not in str(error))
        return False
    return True


def schema_of(annotation: Any) -> dict[str, Any]:
    return input_schema(binder(annotation))


def union_of(first: Typed, second: Typed) -> Any:
    try:
        binder(first[0] | second[0])
    except DeclarationError:
        return first[0]
    return first[0] | second[0]


@given(ALL_TYPED, ALL_TYPED, JSON_VALUES)
def test_what_validates_converts_and_what_does_not_does_not(
    first: Typed, second: Typed, value: object
) -> None:
    annotation = union_of(first, second)
    assert validates(schema_of(annotation), {"x": value}) == converts(annotation, value)


@given(st.data())
def test_what_a_function_returns_validates(data: st.DataObject) -> None:
    annotation, values = data.draw(ALL_TYPED, "type")
    value = data.draw(values, "value")

    def function() -> object: ...

    function.__annotations__["return"] = annotation
    assume(value is not None)  # None says nothing about the output
    sent = over_the_wire(to_output(value))
    assert validates(output_schema(resolve_return(function)), sent)


@given(st.data())
def test_a_value_of_the_type_validates_unless_a_member_is_missing(data: st.DataObject) -> None:
    annotation, values = data.draw(ALL_TYPED, "type")
    schema = schema_of(annotation)
    assert validates(schema, {"x": over_the_wire(data.draw(values, "value"))})
    assert validates(schema, {}) == converts_without(annotation)


def converts_without(annotation: Any) -> bool:
    try:
        binder(annotation).arguments(Task(task_id="t", input_data={}))
    except ConversionError:
        return False
    return True


DIGITS = st.text("0123456789", min_size=1, max_size=7)
NOTATIONS = st.one_of(
    st.from_regex(r"\A[0-9]{4}-[0-9]{2}-[0-9]{2}\Z"),
    st.from_regex(r"\A(0000|0001|[0-9]{2}00|2024|2023)-(02|1[0-3]|0[0-9])-(28|29|30|31|32|00)\Z"),
    st.from_regex(
        r"\A2024-02-29[T t_][0-9]{2}:[0-6][0-9](:[0-6][0-9])?(\.[0-9]{0,8})?"
        r"(Z|z|[+-][0-9]{2}:?[0-9]{0,2})?\Z"
    ),
    st.from_regex(r"\A[0-2][0-9]:[0-6][0-9](:[0-6][0-9])?(\.[0-9]{0,8})?(Z|z|[+-][0-2][0-9]:?[0-6][0-9])?\Z"),
    st.from_regex(
        r"\A[+-]?P([0-9]{1,3}(\.[0-9])?[DdW])?"
        r"(T([0-9]{1,3}(\.[05])?[Hh])?([0-9]{1,2}(\.5)?[Mm])?([0-9]{0,2}(\.[0-9]{0,7})?[Ss])?)?\Z"
    ),
    st.from_regex(r"\A[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}\Z"),
    st.from_regex(r"\A[+-]?[0-9]{0,4}\.?[0-9]{0,4}([eE][+-]?[0-9]{0,3})?\Z"),
    st.from_regex(r"\A[A-Za-z0-9+/]{0,9}={0,3}\Z"),
    DIGITS,
)  # fmt: skip


@example("AA==\n")
@example("2024-02-29\n")
@given(NOTATIONS)
def test_texts_in_a_types_notation_validate_just_when_they_convert(text: str) -> None:
    for annotation, _values in LEAVES:
        assert validates(schema_of(annotation), {"x": text}) == converts(annotation, text), annotation
