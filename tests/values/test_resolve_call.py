"""Which parameters of which callables are filled from what."""

import functools
import sys
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Optional, cast

import pytest

from anyworker.conductor.models import Task
from anyworker.errors import ConversionError, DeclarationError
from anyworker.values.markers import WholeInput
from anyworker.values.resolve import resolve_call

if TYPE_CHECKING:
    from collections.abc import Callable
    from decimal import Decimal as OnlyForTypeCheckers


def call(function: "Callable[..., object]", given: dict[str, Any], **settings: Any) -> object:
    positional, named = resolve_call(function, **settings).arguments(Task(task_id="t1", input_data=given))
    return function(*positional, **named)


def refused(function: "Callable[..., object]", given: dict[str, Any], **settings: Any) -> list[str]:
    with pytest.raises(ConversionError) as caught:
        resolve_call(function, **settings).arguments(Task(task_id="t1", input_data=given))
    return list(caught.value.problems)


def test_parameters_are_filled_by_name_and_unknown_keys_ignored() -> None:
    def function(a: int, b: str) -> object:
        return a, b

    assert call(function, {"b": "x", "a": 1, "c": None}) == (1, "x")


def test_unannotated_parameters_get_the_value_as_it_is() -> None:
    def function(a, b=2):  # type: ignore[no-untyped-def]
        return a, b

    value = [{"x": None}]
    assert call(function, {"a": value}) == (value, 2)
    assert call(function, {"a": None, "b": None}) == (None, None)


def test_defaults_apply_to_absent_keys_and_an_absent_optional_is_none() -> None:
    def function(a: int | None, b: Optional[str], c: int = 3, *, d: list[int] | None = None) -> object:  # noqa: UP045
        return a, b, c, d

    assert call(function, {}) == (None, None, 3, None)
    assert call(function, {"a": 1, "d": [2]}) == (1, None, 3, [2])


def test_null_is_taken_only_where_the_type_or_a_default_of_none_allows_it() -> None:
    def function(a: str = "x", b: str = cast("str", None), c: str | None = "x") -> object:
        return a, b, c

    assert call(function, {"b": None, "c": None}) == ("x", None, None)
    assert refused(function, {"a": None}) == ["$.a: expected str, got null"]


def test_all_problems_are_named_at_once() -> None:
    def function(a: int, b: str, c: float, d: bool) -> None: ...

    assert refused(function, {"a": "1", "c": "2", "d": "false"}) == [
        "$.a: expected int, got str",
        "$.b: missing, expected str",
        "$.c: expected float, got str",
        "$.d: expected bool, got str",
    ]


def test_strict_refuses_unknown_keys_everywhere() -> None:
    @dataclass
    class Point:
        x: int

    def function(point: Point) -> object:
        return point

    assert call(function, {"point": {"x": 1, "y": 2}, "z": 3}) == Point(1)
    assert refused(function, {"point": {"x": 1, "y": 2}, "z": 3}, strict=True) == [
        "$.point.y: unknown key (known are: x)",
        "$.z: unknown key (known are: point)",
    ]


def test_a_parameter_annotated_task_gets_the_task_whatever_its_name() -> None:
    def function(name: str, whole: Task, other: Task | None = None) -> object:
        return name, whole, other

    task = Task(task_id="t1", input_data={"name": "n", "whole": "ignored"})
    assert resolve_call(function).arguments(task) == ((), {"name": "n", "whole": task, "other": task})


def test_an_unannotated_task_of_an_execute_method_gets_the_task_elsewhere_it_is_input() -> None:
    class Greeter:
        def execute(self, task):  # type: ignore[no-untyped-def]
            return task

    execute = Greeter().execute
    assert isinstance(call(execute, {"task": 1}, whole_task=True), Task)
    assert call(execute, {"task": 1}) == 1


def test_whole_input_is_given_where_it_is_marked() -> None:
    def function(a: int, everything: Annotated[dict[str, Any], WholeInput]) -> object:
        return a, everything

    assert call(function, {"a": 1, "b": 2}, strict=True) == (1, {"a": 1, "b": 2})


def test_keyword_rest_takes_what_is_left_and_converts_it() -> None:
    def function(a: int, task: Task, **rest: float) -> object:
        return a, rest

    assert call(function, {"a": 1, "b": 2, "c": 2.5, "task": "x"}, strict=True) == (1, {"b": 2.0, "c": 2.5})
    assert refused(function, {"a": 1, "b": "2", "c d": "3"}) == [
        "$.b: expected float, got str",
        "$['c d']: expected float, got str",
    ]
    assert refused(function, {"b": "2"}) == ["$.a: missing, expected int", "$.b: expected float, got str"]


def test_var_positional_stays_empty() -> None:
    def function(*args: int, **rest: Any) -> object:
        return args, rest

    assert call(function, {"args": [1], "x": 2}) == ((), {"args": [1], "x": 2})


def test_positional_only_parameters_are_passed_by_position() -> None:
    def function(a: int, b: int = 5, /, c: int = 6) -> object:
        return a, b, c

    assert call(function, {"a": 1, "c": 3}) == (1, 5, 3)
    assert call(function, {"a": 1, "b": 2}) == (1, 2, 6)


def test_partials_bound_methods_wrappers_and_callable_objects_are_resolved() -> None:
    class Adder:
        def add(self, a: float, b: float = 1) -> float:
            return a + b

        def __call__(self, a: float) -> float:
            return a

    def wrapped(function: "Callable[..., object]") -> "Callable[..., object]":
        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> object:
            return function(*args, **kwargs)

        return wrapper

    adder = Adder()
    assert call(adder.add, {"a": 1}) == 2.0
    assert isinstance(call(wrapped(adder.add), {"a": 1}), float)
    assert isinstance(call(adder, {"a": 1}), float)
    assert call(functools.partial(adder.add, 10), {"b": 3}) == 13
    assert call(functools.partial(adder.add, b=10), {"a": 3}) == 13
    assert call(functools.partial(adder.add, b=10), {"a": 3, "b": 4}) == 7


def test_text_annotations_are_resolved_also_to_names_around_a_nested_function() -> None:
    @dataclass
    class Local:
        x: "int"

    def by_closure(a: "Local") -> object:
        return isinstance(a, Local), a

    def by_namespace(a: "Local | None") -> object:
        return a

    assert call(by_closure, {"a": {"x": 1}}) == (True, Local(1))
    assert call(by_namespace, {"a": {"x": 1}}, namespace=locals()) == Local(1)


def test_local_classes_may_refer_to_each_other() -> None:
    @dataclass
    class Inner:
        x: int

    @dataclass
    class Outer:
        inner: "Inner"

    def function(a: Outer) -> object:
        return a

    assert call(function, {"a": {"inner": {"x": 1}}}, namespace=locals()) == Outer(Inner(1))


def test_names_in_a_class_are_those_of_its_own_module(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("elsewhere")
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    source = """
from dataclasses import dataclass
Tree = dict[str, "Tree"] | int
@dataclass
class Holder:
    tree: "Tree"
"""
    exec(source, vars(module))
    holder = module.Holder

    def function(a: "holder") -> object:  # type: ignore[valid-type]
        return a

    around = {"holder": holder, "Tree": str}
    assert call(function, {"a": {"tree": {"b": {"c": 1}}}}, namespace=around) == holder({"b": {"c": 1}})
    assert refused(function, {"a": {"tree": {"b": {"c": "1"}}}}, namespace=around) == [
        "$.a.tree.b.c: expected dict[str, Tree] | int, got str '1'"
    ]


def test_a_name_that_cannot_be_found_is_refused_with_its_parameter() -> None:
    def function(a: int, amount: "OnlyForTypeCheckers", more: "list[Nowhere]") -> "AlsoNowhere": ...  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(DeclarationError) as caught:
        resolve_call(function)
    amount, more = caught.value.problems
    assert "parameter 'amount': the name 'OnlyForTypeCheckers'" in amount
    assert "parameter 'more': the name 'Nowhere'" in more


def test_a_type_that_json_cannot_become_is_refused_unless_there_is_a_default() -> None:
    def required(connection: "Callable[[], None]") -> None: ...

    def optional(a: int, connection: complex = 0j) -> object:
        return a, connection

    with pytest.raises(
        DeclarationError, match=r"parameter 'connection': no JSON value can become .*Callable"
    ):
        resolve_call(required, namespace={"Callable": __import__("collections.abc").abc.Callable})
    assert call(optional, {"a": 1}) == (1, 0j)
    assert refused(optional, {"a": 1, "connection": 1}) == ["$.connection: no JSON value can become complex"]


def test_a_class_refused_where_there_is_a_default_is_refused_where_there_is_none() -> None:
    @dataclass
    class Unfillable:
        x: complex

    def function(a: int, b: Unfillable, c: Unfillable | None = None) -> None: ...

    def only_with_default(c: Unfillable | None = None, *, b: Unfillable) -> None: ...

    for declared in (function, only_with_default):
        with pytest.raises(DeclarationError, match="parameter 'b': no JSON value can become complex"):
            resolve_call(declared)


def test_each_problem_of_a_declaration_is_told_once_with_its_parameter() -> None:
    def function(a: bytes | str, b: int, c: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821

    with pytest.raises(DeclarationError) as caught:
        resolve_call(function)
    assert [problem.split(": ")[1] for problem in caught.value.problems] == ["parameter 'a'", "parameter 'c'"]


def test_an_annotation_that_raises_is_refused_with_its_parameter() -> None:
    def function(a: "int.nothing") -> None: ...  # type: ignore[name-defined]

    with pytest.raises(
        DeclarationError, match=r"parameter 'a': its annotation cannot be read: AttributeError"
    ):
        resolve_call(function)


def test_arguments_are_fresh_for_every_task() -> None:
    def function(a: list[int]) -> object:
        return a

    bound = resolve_call(function)
    first = bound.arguments(Task(task_id="1", input_data={"a": [1]}))[1]["a"]
    second = bound.arguments(Task(task_id="2", input_data={"a": [2]}))[1]["a"]
    assert (first, second) == ([1], [2])
