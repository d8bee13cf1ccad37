"""What is known of a worker from its function."""

import datetime
import enum
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from anyworker import Task, TaskDef, Worker, worker_task
from anyworker.dev.cards import card
from anyworker.dev.messages import Card
from anyworker.options import resolve_all
from anyworker.values.markers import WholeInput


def card_of(function: Any, **options: Any) -> Card:
    resolution = resolve_all([Worker("job", function, **options)], {})
    return card(resolution.workers[0])


class Colour(enum.Enum):
    RED = "red"


@dataclass
class Order:
    id: int
    note: str = ""


def test_inputs_are_the_parameters_and_what_they_default_to() -> None:
    def job(name: str, times: int = 3, colour: Colour = Colour.RED, note: str | None = None) -> None: ...

    found = card_of(job)
    assert found.inputs == ["name", "times", "colour", "note"]
    assert found.defaults == {"times": 3, "colour": "red"}
    assert found.example == {"name": "text"}


def test_default_that_json_cannot_say_is_left_to_the_function() -> None:
    def job(name: str, choice: int = complex(1, 2)) -> None: ...  # type: ignore[assignment]

    assert card_of(job).inputs == ["name"]


def test_example_is_of_the_right_type() -> None:
    def job(
        *,
        count: int,
        ratio: float,
        is_on: bool,
        names: list[str],
        extra: dict[str, int],
        when: datetime.datetime,
        order: Order,
        kind: Literal["text"],
    ) -> None: ...

    assert card_of(job).example == {
        "count": 1,
        "ratio": 1.5,
        "is_on": True,
        "names": [],
        "extra": {},
        "when": "2026-01-31T12:00:00Z",
        "order": {"id": 1},
        "kind": "text",
    }


def test_what_takes_everything_names_nothing() -> None:
    def whole(task: Task) -> None: ...
    def all_of_it(given: Annotated[dict[str, Any], WholeInput]) -> None: ...
    def rest(**rest: Any) -> None: ...

    for function in (whole, all_of_it, rest):
        assert card_of(function).inputs == []


def test_declared_definition_brings_its_keys_and_template() -> None:
    def job(task: Task) -> None: ...

    definition = TaskDef(name="other", input_keys=["a"], input_template={"b": 1}, retry_count=2)
    found = card_of(job, task_def=definition)
    assert (found.inputs, found.defaults) == (["a", "b"], {"b": 1})
    assert found.task_def is not None
    assert (found.task_def["name"], found.task_def["retryCount"]) == ("job", 2)


def test_coroutine_functions_and_domains_are_no_different() -> None:
    @worker_task("told", domain="eu")
    async def told(name: str) -> None: ...

    resolution = resolve_all([Worker.of(told)], {})
    found = card(resolution.workers[0])
    assert (found.task_type, found.domain, found.inputs) == ("told", "eu", ["name"])
