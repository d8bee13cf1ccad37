"""Types that users bring along, and text that stands for numbers."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum, StrEnum
from typing import Any

import jsonschema
import pytest

from anyworker import Task, TaskResult, register_type
from anyworker.errors import ConversionError, DeclarationError, SerializationError
from anyworker.values.custom import forget_types
from anyworker.values.jsonable import to_jsonable
from anyworker.values.payload import encode_result, to_output
from anyworker.values.resolve import resolve_call
from anyworker.values.schema import input_schema


@pytest.fixture(autouse=True)
def no_types_left() -> Iterator[None]:
    yield
    forget_types()


@dataclass(frozen=True)
class Money:
    amount: Decimal
    currency: str

    @classmethod
    def parse(cls, text: str) -> "Money":
        amount, currency = text.split()
        return cls(Decimal(amount), currency)

    def written(self) -> str:
        return f"{self.amount} {self.currency}"


def register_money() -> None:
    register_type(Money, decode=Money.parse, encode=Money.written, schema={"type": "string"})


def arguments(function: Any, given: dict[str, Any], **settings: bool) -> dict[str, Any]:
    return resolve_call(function, **settings).arguments(Task(task_id="t", input_data=given))[1]


def pay(prices: list[Money], tip: Money | None = None) -> None: ...


def test_registered_type_is_converted_wherever_it_is_annotated() -> None:
    register_money()
    assert arguments(pay, {"prices": ["1.50 EUR"], "tip": "2 USD"}) == {
        "prices": [Money(Decimal("1.50"), "EUR")],
        "tip": Money(Decimal(2), "USD"),
    }
    assert input_schema(resolve_call(pay))["properties"]["prices"] == {
        "type": "array",
        "items": {"type": "string"},
    }


def test_what_the_decoder_raises_is_a_problem_with_its_path() -> None:
    register_money()
    with pytest.raises(ConversionError) as caught:
        arguments(pay, {"prices": ["1.50 EUR", "free"]})
    assert caught.value.problems == (
        "$.prices[1]: not a valid Money: not enough values to unpack (expected 2, got 1)",
    )


def test_registered_type_is_encoded_at_any_depth() -> None:
    register_money()
    price = Money(Decimal("1.50"), "EUR")
    assert to_output(price) == {"result": "1.50 EUR"}
    result = TaskResult(task_id="t", status="COMPLETED", output_data={"prices": [price]})
    assert b'{"prices":["1.50 EUR"]}' in encode_result(result)


def test_type_that_is_encoded_as_a_dict_is_the_output() -> None:
    register_type(Money, decode=Money.parse, encode=lambda money: {"text": money.written()})
    assert to_output(Money(Decimal(1), "EUR")) == {"text": "1 EUR"}


class Tag(str):
    __slots__ = ()


class Bag(dict[str, int]):
    pass


class Shade(StrEnum):
    DARK = "dark"


class Priced(Enum):
    CHEAP = Money(Decimal(1), "EUR")


@pytest.mark.parametrize(
    ("kind", "value", "encoded"),
    [
        (Tag, Tag("a"), "other"),
        (Bag, Bag(a=1), "other"),
        (Shade, Shade.DARK, "other"),
        (Money, Priced.CHEAP, "other"),
        (datetime, datetime(2024, 2, 29, tzinfo=UTC), 1709164800),
        (Decimal, Decimal("1.5"), 1.5),
    ],
)
def test_registered_conversion_wins_over_the_usual_one(
    kind: type[Any], value: object, encoded: object
) -> None:
    register_type(kind, decode=lambda _: value, encode=lambda _: encoded)
    result = TaskResult(task_id="t", status="COMPLETED", output_data={"x": [value]})
    assert json.loads(encode_result(result))["outputData"] == {"x": [encoded]}
    assert to_jsonable(to_output(value)) == {"result": encoded}
    decoded = arguments(annotated_by(kind), {"x": encoded})
    assert decoded["x"] is value


def annotated_by(kind: type) -> Any:
    def function(x: object) -> None: ...

    function.__annotations__["x"] = kind
    return function


def test_registered_type_that_is_missing_is_refused_not_none() -> None:
    register_money()
    with pytest.raises(ConversionError) as caught:
        arguments(annotated_by(Money), {})
    assert caught.value.problems == ("$.x: missing, expected Money",)


def test_encoder_that_fails_is_named_with_the_path() -> None:
    register_type(Money, decode=Money.parse, encode=lambda money: 1 // 0)
    with pytest.raises(SerializationError, match=r"\$\.price.*Money that cannot be encoded"):
        to_jsonable({"price": Money(Decimal(1), "EUR")})
    forget_types()
    register_type(Money, decode=Money.parse, encode=lambda money: money)
    with pytest.raises(SerializationError, match="its encoder leaves as it is"):
        to_jsonable(Money(Decimal(1), "EUR"))


def test_what_cannot_be_registered_is_refused() -> None:
    for kind in (str, dict, "Money", None):
        with pytest.raises(DeclarationError, match="expected a class"):
            register_type(kind, decode=str, encode=str)  # type: ignore[type-var,arg-type]
    with pytest.raises(DeclarationError, match="decode=1 is not callable"):
        register_type(Money, decode=1, encode=str)  # type: ignore[arg-type]
    register_money()
    register_money()
    with pytest.raises(DeclarationError, match="with other conversions already"):
        register_type(Money, decode=Money.parse, encode=str)


def count(number: int, share: float = 0.0, is_last: bool = False, name: int | str = "") -> None: ...


def test_lax_worker_takes_text_for_numbers_and_booleans() -> None:
    given = {"number": "12", "share": "-1.5e3", "is_last": "True"}
    assert arguments(count, given, lax=True) == {"number": 12, "share": -1500.0, "is_last": True}
    assert arguments(count, {"number": 12, "is_last": False}, lax=True) == {"number": 12, "is_last": False}


def test_text_stays_text_where_a_union_has_it() -> None:
    assert arguments(count, {"number": 1, "name": "12"}, lax=True)["name"] == "12"


@pytest.mark.parametrize(
    "given", [{"number": "1.5"}, {"number": ""}, {"number": " 1"}, {"number": 1, "is_last": "yes"}]
)
def test_text_that_is_no_number_or_boolean_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(ConversionError):
        arguments(count, given, lax=True)
    validator = jsonschema.Draft7Validator(input_schema(resolve_call(count, lax=True)))
    assert not validator.is_valid(given)


def test_without_lax_text_is_no_number() -> None:
    with pytest.raises(ConversionError) as caught:
        arguments(count, {"number": "12", "is_last": "false"})
    assert caught.value.problems == ("$.number: expected int, got str", "$.is_last: expected bool, got str")
