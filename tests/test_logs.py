"""Lines of a log say which task they belong to."""

import io
import json
import logging
import os
import pickle
from collections.abc import Iterator

import anyio.lowlevel
import pytest

from anyworker import Worker, worker_task
from anyworker.logs import ConsoleFormatter, JsonFormatter, TaskFields, fields_of
from anyworker.testing import run_task

log = logging.getLogger("app")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    yield io.StringIO()
    for handler in list(log.handlers):
        log.removeHandler(handler)


def write_to(stream: io.StringIO, formatter: logging.Formatter, *filters: logging.Filter) -> None:
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    for each in filters:
        handler.addFilter(each)
    log.addHandler(handler)
    log.setLevel("DEBUG")


@worker_task("charge")
def charge(amount: int) -> None:
    log.warning("charging %d", amount)


@worker_task("charge_later")
async def charge_later(amount: int) -> None:
    await anyio.lowlevel.checkpoint()
    log.warning("charging %d", amount)


each_kind = pytest.mark.parametrize("function", [charge, charge_later])


@each_kind
def test_filter_gives_lines_of_a_function_the_fields_of_its_task(
    stream: io.StringIO, function: object
) -> None:
    form = "%(task_id)s %(workflow_id)s %(task_type)s %(attempt)s %(message)s"
    write_to(stream, logging.Formatter(form), TaskFields())
    outcome = run_task(function, {"amount": 7}, retry_count=2, backend="trio")
    task = outcome.task
    log.warning("outside")
    expected = f"{task.task_id} {task.workflow_instance_id} {task.task_type} 2 charging 7\n- - - - outside\n"
    assert stream.getvalue() == expected


def test_fields_outside_of_tasks_are_what_the_filter_says() -> None:
    record = logging.makeLogRecord({})
    assert TaskFields(missing=None).filter(record)
    assert (record.task_id, record.attempt) == (None, None)  # type: ignore[attr-defined]


def test_fields_that_a_line_has_already_stay() -> None:
    record = logging.makeLogRecord({"task_id": "own"})
    TaskFields().filter(record)
    assert (record.task_id, record.task_type) == ("own", "-")  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("own", "workflow", "attempt"), [({"attempt": 9}, True, 9), ({"task_id": "another"}, False, None)]
)
def test_line_that_sets_some_fields_has_the_others_of_its_task(
    stream: io.StringIO, own: dict[str, object], workflow: bool, attempt: int | None
) -> None:
    def charge_again() -> None:
        log.warning("charging", extra=own)

    write_to(stream, JsonFormatter())
    task = run_task(Worker("charge", charge_again)).task
    line = json.loads(stream.getvalue())
    assert line["task_id"] == own.get("task_id", task.task_id)
    assert line["workflow_id"] == (task.workflow_instance_id if workflow else None)
    assert line["attempt"] == attempt


@each_kind
def test_json_lines_have_the_fields(stream: io.StringIO, function: object) -> None:
    write_to(stream, JsonFormatter())
    task = run_task(function, {"amount": 7}).task
    line = json.loads(stream.getvalue())
    assert line.pop("time").endswith("+00:00")
    assert line == {
        "level": "WARNING",
        "logger": "app",
        "message": "charging 7",
        "process": os.getpid(),
        **fields_of(task),
    }


def test_json_stays_one_line_whatever_is_logged(stream: io.StringIO) -> None:
    write_to(stream, JsonFormatter())
    try:
        raise ValueError("two\nlines \ud800")
    except ValueError:
        log.exception("a\nb", extra={"object": object, "number": float("nan"), "list": [1], "key": {(1,): 2}})
    [text] = stream.getvalue().splitlines()
    line = json.loads(text)
    assert line["message"] == "a\nb"
    assert "ValueError: two\nlines" in line["exception"]
    assert (line["list"], line["number"], line["object"]) == ([1], "nan", "<class 'object'>")
    assert (line["task_id"], line["attempt"]) == (None, None)


def test_json_shows_stacks_where_asked_to(stream: io.StringIO) -> None:
    write_to(stream, JsonFormatter())
    log.info("here", stack_info=True)
    assert "test_json_shows_stacks" in json.loads(stream.getvalue())["stack"]


def test_console_lines_of_functions_end_with_their_task(stream: io.StringIO) -> None:
    write_to(stream, ConsoleFormatter())
    task = run_task(charge, {"amount": 7}).task
    log.warning("outside")
    first, second = stream.getvalue().splitlines()
    assert first.endswith(f"WARNING  app: charging 7 [charge {task.task_id}]")
    assert second.endswith("WARNING  app: outside")


@pytest.mark.parametrize("part", [ConsoleFormatter(), JsonFormatter(), TaskFields("none")])
def test_formatters_and_filters_reach_other_processes(part: object) -> None:
    assert type(pickle.loads(pickle.dumps(part))) is type(part)
