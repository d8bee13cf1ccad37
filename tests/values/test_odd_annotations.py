"""Annotations that are generic, inherited, aliased, unpacked, or known to the type checker alone."""

import sys
import typing
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, Required, TypedDict, TypeVar, Unpack
from uuid import UUID

import attrs
import msgspec
import pytest
import typing_extensions

from anyworker.conductor.models import Task
from anyworker.errors import ConversionError, DeclarationError
from anyworker.values.resolve import WholeInput, resolve_call

if TYPE_CHECKING:
    from nowhere import Hidden  # type: ignore[import-not-found] # no such module, nor need there be

T = TypeVar("T")
U = TypeVar("U")


@dataclass
class Box(Generic[T]):
    content: T
    more: "list[T]" = field(default_factory=list)


@dataclass
class Whole(Box[int]):
    count: int = 0


@dataclass
class Labelled(Box[int], Generic[T]):
    """Its T is not that of Box."""

    label: T | None = None


class Tied(TypedDict, Generic[T]):
    a: T


class TiedToInt(Tied[int]):
    b: str


class Couple(NamedTuple, Generic[T]):
    first: T


@attrs.define
class Shelf(Generic[T, U]):
    top: T
    rest: "dict[str, U]"


class Extended(typing_extensions.TypedDict):
    a: int
    b: typing_extensions.NotRequired[typing_extensions.ReadOnly[str]]


class Patch(msgspec.Struct):
    size: int | msgspec.UnsetType = msgspec.UNSET


class Closed(msgspec.Struct, forbid_unknown_fields=True):
    size: int = 0


Pair = tuple[T, T]
Tree = typing_extensions.TypeAliasType("Tree", "list[Tree] | int")
Series = typing_extensions.TypeAliasType("Series", dict[str, list[T]], type_params=(T,))


def arguments(function: Any, given: dict[str, Any], **settings: bool) -> dict[str, Any]:
    return resolve_call(function, **settings).arguments(Task(task_id="t", input_data=given))[1]


def converted(annotation: Any, value: object) -> object:
    def function(x: object) -> None: ...

    function.__annotations__["x"] = annotation
    return arguments(function, {"x": value})["x"]


@pytest.mark.parametrize(
    ("annotation", "value", "expected"),
    [
        (Whole, {"content": 1, "more": [2.0]}, Whole(1, [2])),
        (Labelled[str], {"content": 1, "label": "a"}, Labelled(1, [], "a")),
        (TiedToInt, {"a": 1, "b": "x"}, {"a": 1, "b": "x"}),
        (Couple[int], [1.0], Couple(1)),
        (Shelf[int, float], {"top": 1, "rest": {"a": 1}}, Shelf(1, {"a": 1.0})),
        (Pair[int], [1, 2.0], (1, 2)),
        (Series[float], {"a": [1]}, {"a": [1.0]}),
        (Tree, [1, [2.0]], [1, [2]]),
        (Extended, {"a": 1}, {"a": 1}),
        (Patch, {}, Patch()),
        (Patch, {"size": 1}, Patch(1)),
        (Closed, {"size": 1}, Closed(1)),
        (set[tuple[int, str]], [[1, "a"]], {(1, "a")}),
        (datetime, "2024-02-29T12:30", datetime(2024, 2, 29, 12, 30)),  # noqa: DTZ001
        (datetime, "2024-02-29 12:30+01:00", datetime.fromisoformat("2024-02-29T12:30+01:00")),
        (time, "12:30", time(12, 30)),
        (timedelta, "-P2W", timedelta(weeks=-2)),
        (Annotated[Decimal, msgspec.Meta(multiple_of=0.5)], "1.50", Decimal("1.50")),
    ],
)
def test_value_is_converted_exactly(annotation: Any, value: object, expected: object) -> None:
    assert converted(annotation, value) == expected
    assert repr(converted(annotation, value)) == repr(expected)


@pytest.mark.parametrize(
    ("annotation", "value", "problems"),
    [
        (Whole, {"content": "1", "more": ["2"]}, [
            "$.x.content: expected int, got str",
            "$.x.more[0]: expected int, got str",
        ]),
        (Labelled[str], {"content": "a", "label": 1}, [
            "$.x.content: expected int, got str",
            "$.x.label: expected str | null, got int",
        ]),
        (TiedToInt, {"a": "1", "b": 1}, ["$.x.a: expected int, got str", "$.x.b: expected str, got int"]),
        (Couple[int], ["1"], ["$.x.first: expected int, got str"]),
        (Shelf[int, float], {"top": 1, "rest": {"a": "1"}}, ["$.x.rest.a: expected float, got str"]),
        (Pair[int], [1, "2"], ["$.x[1]: expected int, got str"]),
        (Series[float], {"a": ["1"]}, ["$.x.a[0]: expected float, got str"]),
        (Tree, ["x"], ["$.x[0]: expected list[Tree] | int, got str 'x'"]),
        (Extended, {"a": "1", "b": 1}, ["$.x.a: expected int, got str", "$.x.b: expected str, got int"]),
        (Patch, {"size": None}, ["$.x.size: expected int, got null"]),
        (Closed, {"length": 1}, ["$.x.length: unknown key (known are: size)"]),
        (dict[UUID, int], {"1" * 32: 1, f"{'1' * 8}-1111-1111-1111-{'1' * 12}": 2}, [
            "$.x: expected dict[UUID, int], got keys that are the same UUID",
        ]),
        (time, "12", ["$.x: expected time, got str '12'"]),
        (timedelta, "P2W1D", ["$.x: expected timedelta, got str 'P2W1D'"]),
        (datetime, "2024-02-29T12:30:00.1234567", [
            "$.x: expected datetime, got str '2024-02-29T12:30:00.1234567'",
        ]),
        (Annotated[Decimal, msgspec.Meta(multiple_of=2)], "3", [
            "$.x: expected Decimal that's a multiple of 2, got 3",
        ]),
        (Annotated[Decimal, msgspec.Meta(multiple_of=2)], "1e50", [
            "$.x: expected Decimal that's a multiple of 2, got 1E+50",
        ]),
    ],
)  # fmt: skip
def test_value_is_refused_with_every_problem(annotation: Any, value: object, problems: list[str]) -> None:
    with pytest.raises(ConversionError) as caught:
        converted(annotation, value)
    assert list(caught.value.problems) == problems


@pytest.mark.parametrize(
    "annotation", [set[dict[str, int]], frozenset[list[int]], set[Box[int]], set[int | list[int]]]
)
def test_set_of_what_cannot_be_in_a_set_is_refused_at_registration(annotation: Any) -> None:
    with pytest.raises(DeclarationError, match=r"parameter 'x': nothing that .* becomes can be in a set"):
        converted(annotation, [])


class Settings(TypedDict, total=False):
    size: int
    color: Required[str]


def painted(name: str, **settings: Unpack[Settings]) -> None: ...


def test_unpacked_typed_dict_names_the_keys_that_kwargs_take() -> None:
    assert arguments(painted, {"name": "a", "color": "red", "else": 1}) == {"name": "a", "color": "red"}
    with pytest.raises(ConversionError) as caught:
        arguments(painted, {"name": "a", "size": "1"})
    assert caught.value.problems == ("$.size: expected int, got str", "$.color: missing, expected str")


class Counter:
    def count(self, n: int, **rest: int) -> None: ...


def test_kwargs_take_no_name_that_a_method_has_filled() -> None:
    assert arguments(Counter().count, {"n": 1, "m": 2}) == {"n": 1, "m": 2}
    with pytest.raises(ConversionError) as caught:
        arguments(Counter().count, {"n": 1, "self": 2})
    assert caught.value.problems == ("$.self: names a parameter that is bound already",)


def hidden(x: "int", y: "list[Hidden]", z: "Unwritten") -> None: ...  # type: ignore[name-defined] # noqa: F821


def test_name_for_the_type_checker_alone_is_an_error_that_names_the_parameter() -> None:
    with pytest.raises(DeclarationError) as caught:
        resolve_call(hidden)
    assert caught.value.problems == tuple(
        f"test_odd_annotations.hidden: parameter {parameter!r}: the name {name!r} in its annotation cannot "
        "be found: it has to be imported when the program runs, not only under TYPE_CHECKING"
        for parameter, name in (("y", "Hidden"), ("z", "Unwritten"))
    )


@pytest.mark.parametrize("annotation", [Box[int], dict[str, int], list[Any], int])
def test_whole_input_is_for_an_object_of_any_members(annotation: Any) -> None:
    with pytest.raises(DeclarationError, match=r"parameter 'x': WholeInput gives the input as it came"):
        converted(Annotated[annotation, WholeInput], {})


@pytest.mark.parametrize("annotation", [dict, dict[str, Any], typing.Mapping[str, object], Any])
def test_whole_input_is_given_as_it_came(annotation: Any) -> None:
    def function(x: object, n: int) -> None: ...

    function.__annotations__["x"] = Annotated[annotation, WholeInput]
    given = {"n": 1, "x": [None]}
    assert arguments(function, given)["x"] is given


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the syntax is of Python 3.12")
def test_type_parameters_and_aliases_in_the_syntax_of_3_12() -> None:
    module = ModuleType("newer")
    source = """
from dataclasses import dataclass
type PairOf[T] = tuple[T, T]
type Tree[T] = T | list[Tree[T]]
@dataclass
class Box[T]:
    content: "T"
@dataclass
class Whole(Box[int]): ...
def work[N: int](pair: PairOf[float], tree: Tree[int], box: Box[str], whole: Whole, n: "N" = 1): ...
"""
    sys.modules["newer"] = module
    try:
        exec(source, vars(module))
        given = {"pair": [1, 2], "tree": [1, [2]], "box": {"content": "a"}, "whole": {"content": 1}}
        filled = arguments(module.work, given)
        assert filled["pair"] == (1.0, 2.0)
        assert filled["tree"] == [1, [2]]
        bad = {"pair": [1], "tree": ["x"], "box": {"content": 1}, "whole": {"content": "a"}, "n": "x"}
        with pytest.raises(ConversionError) as caught:
            arguments(module.work, bad)
        assert caught.value.problems == (
            "$.pair: expected tuple[float, float], got 1 items",
            "$.tree[0]: expected int | list[Tree], got str 'x'",
            "$.box.content: expected str, got int",
            "$.whole.content: expected int, got str",
            "$.n: expected int, got str",
        )
    finally:
        del sys.modules["newer"]
