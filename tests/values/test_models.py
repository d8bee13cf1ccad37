"""Classes that validate themselves, as pydantic's models do, and that are known by their methods alone."""

from datetime import UTC, datetime
from typing import Any

import pytest

from anyworker.conductor.models import Task, TaskResult
from anyworker.errors import ConversionError, DeclarationError, SerializationError
from anyworker.values.payload import encode_result, to_output
from anyworker.values.resolve import resolve_call

pydantic = pytest.importorskip("pydantic")


class Small(pydantic.BaseModel):  # type: ignore[name-defined,misc] # it may not be installed
    size: int


class Large(pydantic.BaseModel):  # type: ignore[name-defined,misc]
    size: int
    full_name: str = pydantic.Field(alias="fullName", min_length=2)
    at: datetime | None = None


class SmallToo(pydantic.BaseModel):  # type: ignore[name-defined,misc]
    """Small under another name."""

    size: int


Numbers = pydantic.RootModel[list[int]]


def convert(annotation: Any, given: dict[str, Any]) -> Any:
    def function(x: object) -> None: ...

    function.__annotations__["x"] = annotation
    return resolve_call(function).arguments(Task(task_id="t", input_data=given))[1]["x"]


LARGE = {"size": 1, "fullName": "Ada", "at": "2024-02-29T12:00:00Z"}


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Small, {"size": 1}, Small(size=1)),
        (Large, LARGE, Large(size=1, fullName="Ada", at=datetime(2024, 2, 29, 12, tzinfo=UTC))),
        (Small | Large, {"size": 1}, Small(size=1)),
        (Small | Large, {"size": 1, "fullName": "Ada"}, Large(size=1, fullName="Ada")),
        (Large | Small, {"size": 1, "fullName": "Ada"}, Large(size=1, fullName="Ada")),
        (Small | dict[str, Any], {"weight": 1}, {"weight": 1}),
        (Small | str | None, "text", "text"),
        (Numbers, [1, 2], Numbers([1, 2])),
        (list[Small], [{"size": 1}], [Small(size=1)]),
    ],
)
def test_model_is_built_from_its_value(annotation: Any, value: object, expected: object) -> None:
    assert convert(annotation, {"x": value}) == expected


@pytest.mark.parametrize(
    ("annotation", "given", "problems"),
    [
        (Large, {"x": {"size": "q", "fullName": "A"}}, [
            "$.x.size: Input should be a valid integer, unable to parse string as an integer",
            "$.x.fullName: String should have at least 2 characters",
        ]),
        (list[Small], {"x": [{"size": 1}, {}]}, ["$.x[1].size: Field required"]),
        (Small, {"x": None}, ["$.x: Input should be a valid dictionary or instance of Small"]),
        (Small, {}, ["$.x: missing, expected Small"]),
        (Numbers, {"x": [1, "q"]}, [
            "$.x[1]: Input should be a valid integer, unable to parse string as an integer",
        ]),
    ],
)  # fmt: skip
def test_model_that_does_not_validate_is_refused_with_its_own_problems(
    annotation: Any, given: dict[str, Any], problems: list[str]
) -> None:
    with pytest.raises(ConversionError) as caught:
        convert(annotation, given)
    assert list(caught.value.problems) == problems


def test_models_of_one_schema_cannot_be_told_apart() -> None:
    with pytest.raises(DeclarationError, match="nothing in JSON tells Small and SmallToo apart"):
        convert(Small | SmallToo, {})


class Peculiar(Exception):
    """Looks like a ValidationError of pydantic's, and is none."""

    def __init__(self, found: object) -> None:
        super().__init__("peculiar")
        self._found = found

    def errors(self) -> object:
        if isinstance(self._found, Exception):
            raise self._found
        return self._found


@pytest.mark.parametrize("found", [RuntimeError("no errors"), [{"no": "loc"}], 5, [{"loc": 1, "msg": "x"}]])
def test_errors_in_another_form_are_told_by_their_text(found: object) -> None:
    class Duck:
        @classmethod
        def model_validate(cls, value: object) -> "Duck":
            raise Peculiar(found)

    with pytest.raises(ConversionError) as caught:
        convert(Duck, {"x": {}})
    assert caught.value.problems == ("$.x: not a valid Duck: peculiar",)


def sent(value: object) -> bytes:
    return encode_result(TaskResult(task_id="t", status="COMPLETED", output_data=to_output(value)))


def test_model_is_the_output_or_a_part_of_it() -> None:
    assert b'"outputData":{"size":1,"fullName":"Ada","at":null}' in sent(Large(size=1, fullName="Ada"))
    assert b'"outputData":{"models":[{"size":1}]}' in sent({"models": [Small(size=1)]})
    assert b'"outputData":{"result":[1]}' in sent(Numbers([1]))


def test_model_that_the_server_cannot_store_is_refused_by_its_path() -> None:
    with pytest.raises(SerializationError, match=r"^\$\.a\[0\]\.fullName: the character U\+0000"):
        sent({"a": [Large(size=1, fullName="a\x00")]})
