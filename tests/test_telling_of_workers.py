"""What is told of workers whose annotations are text, or cannot be resolved."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from anyworker import ConfigurationError, Worker
from anyworker.cli import main
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


BAD = """
from anyworker import worker_task

@worker_task("bad")
def bad(x: complex, y: "Nowhere") -> None: ...

@worker_task("worse")
def worse(z: complex) -> None: ...
"""


def test_schema_names_every_parameter_that_cannot_work_and_no_traceback(tmp_path: Path) -> None:
    module = tmp_path / "badly_declared.py"
    module.write_text(BAD)
    result = CliRunner().invoke(main, ["schema", str(module)])
    assert result.exit_code == 3
    assert [name for name in "xyz" if f"parameter {name!r}" in result.output] == ["x", "y", "z"]
    assert "Traceback" not in result.output
    assert isinstance(result.exception, SystemExit)


def test_a_module_without_workers_is_named(tmp_path: Path) -> None:
    module = tmp_path / "workless.py"
    module.write_text("")
    for command in ("list", "schema", "doctor"):
        result = CliRunner().invoke(main, [command, str(module)])
        assert (result.exit_code, result.output.count("Traceback")) == (3, 0)
        assert "workless.py" in result.output
        assert "@worker_task" in result.output
