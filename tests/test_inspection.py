"""What the command tells of workers without running them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from anyworker.cli import main

MODULE = """
from anyworker import TaskDef, worker_task

@worker_task("charge", thread_count=7, task_def=TaskDef(name="charge", retry_count=5))
async def charge(amount: float) -> str:
    return "done"
"""


@pytest.fixture
def module(tmp_path: Path) -> str:
    path = tmp_path / "charging.py"
    path.write_text(MODULE)
    return str(path)


def test_list_tells_function_place_and_what_is_no_default(module: str) -> None:
    result = CliRunner().invoke(main, ["list", module])
    assert result.exit_code == 0, result.output
    assert "charge  async def charge(amount: float) -> str" in result.output
    assert f"({module}:4)" in result.output
    assert "thread_count = 7  (code)" in result.output


def test_list_as_json_names_every_option_and_its_source(module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_WORKER_ALL_POLL_INTERVAL", "250")
    [worker] = json.loads(CliRunner().invoke(main, ["list", "--json", module]).output)
    assert (worker["task_type"], worker["kind"], worker["line"]) == ("charge", "async def", 4)
    assert worker["options"]["poll_interval"] == 0.25
    assert worker["sources"] == {
        "poll_interval": "CONDUCTOR_WORKER_ALL_POLL_INTERVAL",
        "thread_count": "code",
    }


def test_schema_prints_what_registration_sends(module: str) -> None:
    printed = json.loads(CliRunner().invoke(main, ["schema", module]).output)
    assert printed["charge"]["taskDef"] == {"name": "charge", "retryCount": 5}
    assert printed["charge"]["input"]["properties"] == {"amount": {"type": "number"}}
    assert printed["charge"]["output"]["properties"] == {"result": {"type": "string"}}


@pytest.mark.parametrize("command", ["list", "schema", "doctor", "config", "run"])
def test_a_module_that_cannot_be_imported_is_named(command: str) -> None:
    result = CliRunner().invoke(main, [command, "no.such.module"])
    assert result.exit_code == 3
    if command != "run":  # which logs it
        assert "there is no module 'no'" in result.output


@pytest.mark.parametrize("command", ["list", "schema", "run"])
def test_modules_have_to_be_named_somewhere(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(main, [command])
    assert result.exit_code == 2
    assert "list them as modules in a settings file" in result.output


def test_modules_may_be_named_in_the_settings_file(module: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('modules = ["charging.py"]\n[workers.charge]\nthread_count = 3\n')
    result = CliRunner().invoke(main, ["list", "--config", str(settings)])
    assert result.exit_code == 0, result.output
    assert f"thread_count = 3  ({settings}:workers.charge.thread_count)" in result.output
