"""What is told of workers whose annotations are text, or cannot be resolved."""

import pytest

from anyworker import ConfigurationError, Worker
from anyworker.inspection import definitions, describe
from anyworker.options import ResolvedWorker, resolve_all


def resolved(*workers: Worker) -> tuple[ResolvedWorker, ...]:
    return resolve_all(list(workers), {}).workers


def pay(amount: "int | None", *rest: int, note: "str" = "-") -> "dict[str, int]":
    return {"amount": amount or 0}


def test_annotations_that_are_text_are_told_as_they_are_written() -> None:
    [worker] = resolved(Worker("pay", pay))
    expected = "pay(amount: int | None, *rest: int, note: str = '-') -> dict[str, int]"
    assert describe(worker)["signature"] == expected


def test_problems_of_all_workers_are_named_at_once() -> None:
    def first(x: complex) -> None: ...
    def second(y: "Nowhere") -> None: ...  # type: ignore[name-defined] # noqa: F821 - that is the point

    with pytest.raises(ConfigurationError) as caught:
        definitions(resolved(Worker("a", first), Worker("b", second)))
    assert [problem.split(":")[1] for problem in caught.value.problems] == [
        " parameter 'x'",
        " parameter 'y'",
    ]
