"""``anyworker migrate``: every use of the official SDK is found, and what is said of it is true."""

import importlib
import inspect
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

import anyworker
from anyworker.cli import main
from anyworker.migration.names import NAMES
from anyworker.migration.table import ATTRIBUTES, OPTIONS
from anyworker.option_table import PROPERTIES

PROGRAM = """
import os
import conductor.client.worker.worker as w
from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration as Conf
from conductor.client.http.models import Task, TaskResult
from conductor.client.http.models.task_result_status import TaskResultStatus
from conductor.client.worker.worker_task import worker_task as wt
from conductor.client.ai.orchestrator import AIOrchestrator
from elsewhere import worker_task

@wt(task_definition_name="a", poll_timeout=100, thread_count=4)
def a(task: Task) -> TaskResult:
    result = TaskResult(task_id=task.task_id, status=TaskResultStatus.COMPLETED)
    result.add_output_data("x", 1)
    return result

@wt("b", 100)
def b(): ...

@worker_task("c", poll_timeout=5)
def c(): ...

TaskHandler(workers=[w.Worker("d", b, poll_interval=100, paused=True)], configuration=Conf(debug=True))
os.environ["CONDUCTOR_WORKER_A_POLLING_INTERVAL"] = "5"
"""


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["migrate", *map(str, arguments)])


def found(*paths: Path) -> list[dict[str, Any]]:
    done = run("--json", *paths)
    assert done.exit_code in {0, 1}, done.output
    findings: list[dict[str, Any]] = json.loads(done.stdout)
    return findings


def test_each_use_is_told_with_its_place_and_what_becomes_of_it(tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(PROGRAM)
    told = [(each["line"], each["found"], each["verdict"], each["replacement"]) for each in found(program)]
    models = "from conductor.client.http.models"
    assert told == [
        (3, "import conductor.client.worker.worker", "renamed", "import anyworker"),
        (
            4,
            "from conductor.client.automator.task_handler import TaskHandler",
            "better",
            "anyworker.TaskHandler",
        ),
        (
            5,
            "from conductor.client.configuration.configuration import Configuration",
            "same",
            "anyworker.Configuration",
        ),
        (6, f"{models} import Task", "same", "anyworker.Task"),
        (6, f"{models} import TaskResult", "same", "anyworker.TaskResult"),
        (7, f"{models}.task_result_status import TaskResultStatus", "renamed", "the text"),
        (8, "from conductor.client.worker.worker_task import worker_task", "same", "anyworker.worker_task"),
        (9, "from conductor.client.ai.orchestrator import AIOrchestrator", "not there", None),
        (12, "worker_task(poll_timeout=...)", "better", None),
        (15, ".add_output_data", "not there", None),
        (18, "worker_task(options without their names)", "renamed", "by name"),
        (24, "Worker(poll_interval=...)", "renamed", "poll_interval_millis"),
        (24, "Worker(paused=...)", "not there", None),
        (24, "Configuration(debug=...)", "not there", None),
        (
            25,
            "CONDUCTOR_WORKER_A_POLLING_INTERVAL",
            "renamed",
            "CONDUCTOR_WORKER_A_POLL_INTERVAL_MILLIS",
        ),
    ]


def test_names_reached_through_their_modules_are_found(tmp_path: Path) -> None:
    program = tmp_path / "app.py"
    program.write_text(
        "import conductor.client.worker.worker_task\n"
        "@conductor.client.worker.worker_task.worker_task('a', register_schema=True)\n"
        "def a(): ...\n"
    )
    kinds = [(each["line"], each["kind"], each["found"]) for each in found(program)]
    assert (1, "import", "import conductor.client.worker.worker_task") in kinds
    assert (2, "option", "worker_task(register_schema=...)") in kinds


def test_variables_are_looked_for_in_settings_and_manifests(tmp_path: Path) -> None:
    (tmp_path / "deploy.yaml").write_text(
        "env:\n- name: CONDUCTOR_LOG_LEVEL\n- name: CONDUCTOR_SERVER_URL\n- name: conductor_worker_a_domain\n"
    )
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "x.py").write_text("import conductor.client\n")
    assert [(each["line"], each["found"], each["replacement"]) for each in found(tmp_path)] == [
        (2, "CONDUCTOR_LOG_LEVEL", None),
        (4, "conductor_worker_a_domain", "CONDUCTOR_WORKER_A_DOMAIN"),
    ]


def test_file_that_cannot_be_read_is_named_and_stops_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("def (:\n")
    (tmp_path / "b.py").write_bytes(b"\xff\xfe\x00nonsense")
    (tmp_path / "c.py").write_text("from conductor.client.context import TaskInProgress\n")
    done = run(tmp_path)
    assert done.exit_code == 1
    assert "a.py:1: cannot be read" in done.output
    assert "b.py:1: cannot be read" in done.output
    assert (
        "c.py:1: from conductor.client.context import TaskInProgress -> from anyworker import" in done.output
    )


def test_project_without_the_sdk_has_nothing_to_change(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("import anyworker\nfrom conductor_x.client import y\n")
    done = run(tmp_path)
    assert (done.exit_code, done.output) == (0, "No use of conductor-python was found.\n")


def test_path_that_is_not_there_is_an_error_of_use() -> None:
    done = run("/nowhere/at/all")
    assert done.exit_code == 2
    assert "/nowhere/at/all" in done.stderr


OURS = [fate.ours for fate in NAMES if fate.ours.startswith("anyworker.")]


@pytest.mark.parametrize("name", sorted(set(OURS)))
def test_name_to_write_instead_is_there(name: str) -> None:
    module, _, last = name.rpartition(".")
    assert hasattr(importlib.import_module(module), last)


@pytest.mark.parametrize(
    ("owner", "ours"),
    [(owner, fate.ours) for owner, options in OPTIONS.items() for fate in options if fate.ours],
)
def test_option_to_write_instead_is_taken(owner: str, ours: str) -> None:
    """Those of workers by any of their forms."""
    taken = {"worker_task": "worker_task", "WorkerTask": "worker_task"}.get(owner, owner)
    parameters = set(inspect.signature(getattr(anyworker, taken)).parameters)
    assert ours in parameters | ({*PROPERTIES} if taken == "Worker" or ours == "register_task_def" else set())


@pytest.mark.parametrize("fate", ATTRIBUTES, ids=lambda fate: fate.name)
def test_attribute_that_is_said_to_be_missing_is_missing(fate: Any) -> None:
    kinds = (anyworker.Task, anyworker.TaskResult, anyworker.TaskContext, anyworker.Configuration)
    assert not any(hasattr(kind, fate.name) for kind in kinds)
