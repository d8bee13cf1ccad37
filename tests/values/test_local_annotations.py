"""Annotations as text, as `from __future__ import annotations` makes them, that name local classes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NewType

import pytest

from anyworker import Worker, worker_task
from anyworker.errors import DeclarationError
from anyworker.registry import registered_workers
from anyworker.testing import run_task


@dataclass
class Item:
    name: str


def test_module_level_class_is_found() -> None:
    def work(item: Item, count: int = 1) -> list[str]:
        return [item.name] * count

    assert run_task(work, {"item": {"name": "a"}, "count": 2.0}).output == {"result": ["a", "a"]}


def test_class_of_the_function_around_is_found() -> None:
    @dataclass
    class Order:
        items: list[Item]
        before: Order | None = None

    Count = NewType("Count", int)

    @worker_task("work")
    def work(order: Order, count: Count) -> list[str]:
        return [item.name for item in order.items] * count

    [worker] = registered_workers()
    given = {"order": {"items": [{"name": "a"}], "before": {"items": []}}, "count": 2}
    assert run_task(worker, given).output == {"result": ["a", "a"]}
    assert run_task(work, {"order": {"items": [{}]}, "count": "1"}).reason == (
        "$.order.items[0].name: missing, expected str; $.count: expected int, got str"
    )


def test_class_of_an_outer_function_is_found_and_the_innermost_wins() -> None:
    @dataclass
    class Order:
        total: float

    class Kind:
        pass

    def declare() -> Worker:
        @dataclass
        class Kind:
            name: str

        async def work(order: Order, kind: Kind) -> str:
            return f"{kind.name}: {order.total}"

        return Worker("work", work)

    assert Kind is not None
    outcome = run_task(declare(), {"order": {"total": 1}, "kind": {"name": "a"}})
    assert outcome.output == {"result": "a: 1.0"}


def test_method_of_a_local_class_finds_its_surroundings() -> None:
    @dataclass
    class Order:
        total: float

    class Works:
        task_definition_name = "work"

        def execute(self, order: Order) -> float:
            return order.total

    assert run_task(Works(), {"order": {"total": 1}}).output == {"result": 1.0}


def test_name_that_nobody_around_has_is_refused_at_the_start() -> None:
    def work(order: Missing) -> None: ...  # type: ignore[name-defined] # noqa: F821

    missing: Any = Worker("work", work)
    with pytest.raises(
        DeclarationError, match=r"parameter 'order': the name 'Missing' in its annotation cannot be"
    ):
        run_task(missing, {})
