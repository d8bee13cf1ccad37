"""``anyworker config``: every setting that holds, and who says so."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from anyworker.cli import main

WORKERS = """
from anyworker import worker_task

@worker_task("charge", thread_count=7, timeout=30, poll_interval_millis=50)
async def charge(amount: float) -> str:
    return "done"
"""

SETTINGS = """
modules = ["charging.py"]
grace = 60

[server]
url = "https://conductor.example/api"
proxy = "http://user:hush@proxy:3128"
headers = { X-Key = "hush" }
auth = { key_id = "hush", key_secret_env = "ORDERS_SECRET" }

[metrics]
http_port = 9464

[workers.all]
poll_interval = 250
domain = "eu"
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a directory with workers and a settings file."""
    (tmp_path / "charging.py").write_text(WORKERS)
    (tmp_path / "anyworker.toml").write_text(SETTINGS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERS_SECRET", "hush")
    return tmp_path


def printed(*arguments: str) -> str:
    """Return what the command prints."""
    result = CliRunner().invoke(main, ["config", *arguments])
    assert result.exit_code == 0, result.output
    return result.output


def report(*arguments: str) -> Any:
    return json.loads(printed("--json", *arguments))


def test_every_value_has_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_SERVER_URL", "http://other/api")
    monkeypatch.setenv("CONDUCTOR_WORKER_CHARGE_TIMEOUT", "5")
    found = report()
    server, run, [worker] = found["server"], found["run"], found["workers"]
    assert found["file"] == "anyworker.toml"
    assert server["server_api_url"] == {"value": "http://other/api", "source": "CONDUCTOR_SERVER_URL"}
    assert server["verify_ssl"] == {"value": True, "source": "default"}
    assert run["grace"] == {"value": 60, "source": "anyworker.toml:grace"}
    assert run["backend"] == {"value": "asyncio", "source": "default"}
    assert found["metrics"]["http_port"] == {"value": 9464, "source": "anyworker.toml:metrics.http_port"}
    assert found["metrics"]["http_host"] == {"value": "127.0.0.1", "source": "default"}
    options = worker["options"]
    assert worker["task_type"] == "charge"
    assert options["thread_count"] == {"value": 7, "source": "code"}
    assert options["timeout"] == {"value": 5.0, "source": "CONDUCTOR_WORKER_CHARGE_TIMEOUT"}
    assert options["poll_interval_millis"] == {
        "value": 250,
        "source": "anyworker.toml:workers.all.poll_interval",
    }
    assert options["lax"] == {"value": False, "source": "default"}


def test_secrets_are_masked() -> None:
    for text in (printed(), printed("--json")):
        assert "hush" not in text
        assert "***@proxy:3128" in text
    found = report()["server"]["authentication_settings"]
    assert found["value"] == {"key_id": "***", "key_secret": "***"}
    assert "anyworker.toml:server.auth.key_secret_env (ORDERS_SECRET)" in found["source"]
    assert report()["server"]["headers"]["value"] == {"X-Key": "***"}


def test_secrets_of_the_environment_are_masked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_AUTH_KEY", "hush")
    monkeypatch.setenv("CONDUCTOR_AUTH_SECRET", "hush")
    text = printed()
    assert "hush" not in text
    assert "CONDUCTOR_AUTH_KEY, CONDUCTOR_AUTH_SECRET" in text


def test_text_is_a_line_for_each_value() -> None:
    lines = [line.split() for line in printed().splitlines()]
    assert ["settings", "file:", "anyworker.toml"] in lines
    assert ["grace", "60", "anyworker.toml:grace"] in lines
    assert ["worker", "'charge'", "in", "domain", "'eu'"] in lines
    assert ["thread_count", "7", "code"] in lines
    assert ["worker_id", "none", "default"] in lines


def test_the_command_line_wins_over_the_file(project: Path) -> None:
    (project / "others.py").write_text(WORKERS.replace("charge", "refund"))
    found = report("others.py")
    assert found["run"]["modules"] == {"value": ["others.py"], "source": "command line"}
    assert [worker["task_type"] for worker in found["workers"]] == ["refund"]


def test_without_modules_the_options_of_all_workers_are_shown(project: Path) -> None:
    (project / "anyworker.toml").write_text("[workers.all]\nthread_count = 4\n")
    [worker] = report()["workers"]
    assert worker["task_type"] == "all"
    assert worker["options"]["thread_count"]["value"] == 4


def test_pyproject_is_found(project: Path) -> None:
    (project / "anyworker.toml").unlink()
    (project / "pyproject.toml").write_text("[tool.anyworker]\ngrace = 2\n")
    assert report()["run"]["grace"] == {"value": 2, "source": "pyproject.toml:tool.anyworker.grace"}


@pytest.mark.parametrize("text", ["grase = 1", "[server]\nurl = 'x'", "[workers.all]\nthread_count = 0"])
def test_a_file_that_cannot_work_ends_the_command(text: str, project: Path) -> None:
    (project / "anyworker.toml").write_text(text)
    result = CliRunner().invoke(main, ["config"])
    assert result.exit_code == 3
    assert "anyworker.toml, line " in result.output


def test_metrics_that_go_nowhere_are_refused(project: Path) -> None:
    (project / "anyworker.toml").write_text("[metrics]\nhistograms = true\n")
    result = CliRunner().invoke(main, ["run", "charging.py"])
    assert result.exit_code == 3
    assert "anyworker.toml, line 2: metrics: MetricsSettings: nowhere to go" in result.output
