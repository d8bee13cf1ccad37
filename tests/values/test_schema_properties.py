"""A schema and the conversion of the same type say the same of every value."""

from collections.abc import Iterator
from typing import Any

import jsonschema
from generated_types import JSON_VALUES, LEAVES, TYPED, Typed, binder, collections_of, over_the_wire
from hypothesis import assume, example, given
from hypothesis import strategies as st

from anyworker.conductor.models import Task
from anyworker.errors import ConversionError, DeclarationError
from anyworker.values.payload import to_output
from anyworker.values.resolve import resolve_call
from anyworker.values.returns import resolve_return
from anyworker.values.schema import input_schema, output_schema


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


def union_of(first: Typed, second: Typed) -> Typed:
    union = first[0] | second[0]
    try:
        binder(union)
    except DeclarationError:
        return first
    return union, first[1] | second[1]


UNIONS = st.builds(union_of, TYPED, TYPED)
NESTED_UNIONS = (
    UNIONS | UNIONS.flatmap(collections_of) | UNIONS.flatmap(collections_of).flatmap(collections_of)
)


@given(data=st.data(), is_near=st.booleans())
def test_what_validates_converts_and_what_does_not_does_not(data: st.DataObject, *, is_near: bool) -> None:
    annotation, values = data.draw(NESTED_UNIONS, "type")
    value = over_the_wire(data.draw(values, "value")) if is_near else data.draw(JSON_VALUES, "value")
    if is_near:
        value = data.draw(altered(value), "altered")
    assert validates(schema_of(annotation), {"x": value}) == converts(annotation, value)


def altered(value: Any) -> st.SearchStrategy[Any]:
    """Return the value with some part of it exchanged, added or left out."""
    options = [st.just(value), JSON_VALUES]
    if isinstance(value, list):
        options += [_altered_items(value, place) for place in range(len(value))]
        options.append(JSON_VALUES.map(lambda more: [*value, more]))
    if isinstance(value, dict):
        options += [
            altered(part).map(lambda new, key=key: {**value, key: new}) for key, part in value.items()
        ]
        options += [st.just({k: v for k, v in value.items() if k != key}) for key in value]
    return st.one_of(options)


def _altered_items(items: list[Any], place: int) -> st.SearchStrategy[Any]:
    return altered(items[place]).map(lambda new: [*items[:place], new, *items[place + 1 :]])


@given(data=st.data(), strict=st.booleans())
def test_what_a_function_returns_validates(data: st.DataObject, *, strict: bool) -> None:
    annotation, values = data.draw(NESTED_UNIONS, "type")
    value = data.draw(values, "value")

    def function() -> object: ...

    function.__annotations__["return"] = annotation
    assume(value is not None)  # None says nothing about the output
    sent = over_the_wire(to_output(value))
    assert validates(output_schema(resolve_return(function, strict=strict)), sent)


@given(st.data())
def test_a_value_of_the_type_validates_unless_a_member_is_missing(data: st.DataObject) -> None:
    annotation, values = data.draw(TYPED, "type")
    schema = schema_of(annotation)
    assert validates(schema, {"x": over_the_wire(data.draw(values, "value"))})
    assert validates(schema, {}) == converts_without(annotation)


@given(TYPED)
def test_every_object_of_a_strict_schema_says_what_further_properties_are(typed: Typed) -> None:
    def function(x: object) -> object: ...

    function.__annotations__ = {"x": typed[0], "return": typed[0]}
    inward = input_schema(resolve_call(function, strict=True))
    outward = output_schema(resolve_return(function, strict=True))
    for part in [*parts_of(inward), *parts_of(outward)]:
        if part.get("type") == "object":
            assert part["additionalProperties"] is not ("properties" in part)


def parts_of(schema: object) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        yield schema
    for part in schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ():
        yield from parts_of(part)


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
