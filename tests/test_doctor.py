"""What ``anyworker doctor`` finds between workers and their server."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from anyworker import AuthenticationSettings, Configuration, TaskDef, Worker
from anyworker.cli import main
from anyworker.client import ConductorClient, WorkflowDef, WorkflowTask
from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread
from anyworker.doctor import Finding, examine
from anyworker.options import resolve_all
from anyworker.settings_file import read_settings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def charge(amount: int) -> int:
    return amount


def configured(server: DevServer, **arguments: Any) -> Configuration:
    return Configuration(server_api_url="http://dev/api", transport=server.transport(), **arguments)


async def findings(
    server: DevServer,
    *,
    environ: dict[str, str] | None = None,
    arguments: dict[str, Any] | None = None,
    **o: Any,
) -> dict[str, list[Finding]]:
    """Return what is found of one worker, by subject."""
    worker = Worker("charge", charge, **o)
    found = await examine(
        resolve_all([worker], environ or {}).workers, configured(server, **(arguments or {}))
    )
    subjects = dict.fromkeys(finding.subject for finding in found)
    return {name: [each for each in found if each.subject == name] for name in subjects}


async def define(server: DevServer, **fields: Any) -> None:
    async with ConductorClient(configured(server)) as client:
        await client.register_task_defs([TaskDef(name="charge", **fields)])


async def start(server: DevServer, count: int = 1, **options: Any) -> None:
    """Put tasks into the worker's queue."""
    task = WorkflowTask(name="charge", task_reference_name="it", type="SIMPLE")
    async with ConductorClient(configured(server)) as client:
        await client.register_workflow_def(WorkflowDef(name="flow", tasks=[task]), overwrite=True)
        for _ in range(count):
            await client.start_workflow("flow", {}, **options)


async def test_a_server_in_order_is_told_with_its_version() -> None:
    found = await findings(DevServer())
    [server] = found["server"]
    assert server.verdict == "ok"
    assert server.report.startswith("Conductor ")
    assert "http://dev/api (argument)" in server.report
    assert found["key"] == [Finding("key", "ok", "none configured, none asked for")]


async def test_a_server_that_does_not_answer_is_all_that_is_told() -> None:
    server = DevServer()
    server.faults.drop(how="refuse")
    found = await findings(server)
    assert list(found) == ["server"]
    [finding] = found["server"]
    assert finding.verdict == "wrong"
    assert "no Conductor answers at http://dev/api" in finding.report
    assert "CONDUCTOR_SERVER_URL" in finding.remedy


async def test_something_else_than_conductor_is_recognised() -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, html="<html>hello</html>"))
    [finding] = await examine((), Configuration(server_api_url="http://dev/api", transport=transport))
    assert finding.verdict == "wrong"
    assert "no Conductor API" in finding.report


async def test_an_older_server_that_does_not_tell_its_version_is_one() -> None:
    server = DevServer()
    server.faults.answer(404, "GET /version")
    found = await findings(server)
    assert found["server"][0].report.startswith("a server that does not tell its version at http://dev/api")
    assert found["charge"]
    server.faults.answer(404)
    assert [finding.verdict for finding in (await findings(server))["server"]] == ["wrong"]


async def test_a_key_that_is_missing_refused_or_not_used_is_told() -> None:
    orkes = DevServer(flavor="orkes", auth=("key", "secret"))
    [missing] = (await findings(orkes))["key"]
    assert missing.verdict == "wrong"
    assert "none is configured" in missing.report
    assert "CONDUCTOR_AUTH_KEY" in missing.remedy
    wrong = {"authentication_settings": AuthenticationSettings("key", "guess")}
    [refused] = (await findings(orkes, arguments=wrong))["key"]
    assert (refused.verdict, "key and secret (argument) refused" in refused.report) == ("wrong", True)
    right = {"authentication_settings": AuthenticationSettings("key", "secret")}
    [accepted] = (await findings(orkes, arguments=right))["key"]
    assert accepted == Finding("key", "ok", "key and secret (argument) accepted")
    [unused] = (await findings(DevServer(), arguments=right))["key"]
    assert unused.verdict == "warning"
    assert "gives no tokens" in unused.report


@pytest.mark.parametrize(
    ("seconds", "verdict", "said"),
    [(0, "ok", "within 5 s"), (-90, "warning", "90 s behind"), (90, "warning", "90 s ahead of")],
)
async def test_clocks_are_compared(seconds: int, verdict: str, said: str) -> None:
    headers = {"date": NOW.strftime("%a, %d %b %Y %H:%M:%S GMT")}
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="{}", headers=headers))
    configuration = Configuration(server_api_url="http://dev/api", transport=transport)
    here = NOW + timedelta(seconds=seconds + 0.5)
    found = await examine((), configuration, now=lambda: here)
    [clock] = [finding for finding in found if finding.subject == "clock"]
    assert clock.verdict == verdict
    assert said in clock.report


async def test_a_definition_that_is_missing_or_differs_is_told_with_what_to_do() -> None:
    server = DevServer()
    task_def = TaskDef(name="charge", retry_count=5)
    missing = (await findings(server, task_def=task_def))["charge"][0]
    assert missing.verdict == "warning"
    assert "no definition" in missing.report
    assert "register_task_def" in missing.remedy
    coming = (await findings(server, task_def=task_def, register_task_def=True))["charge"][0]
    assert (coming.verdict, coming.remedy) == ("ok", "")
    assert "a start registers it" in coming.report
    await define(server, retry_count=1)
    differing = (await findings(server, task_def=task_def))["charge"][0]
    assert differing.verdict == "warning"
    assert "differs from the code's in inputSchema, outputSchema, retryCount" in differing.report
    kept = (await findings(server, task_def=task_def, overwrite_task_def=False))["charge"][0]
    assert (kept.verdict, "leaves alone" in kept.report) == ("ok", True)


async def test_a_definition_that_the_server_would_refuse_is_wrong() -> None:
    found = await findings(DevServer(), task_def=TaskDef(name="charge", timeout_seconds=5))
    assert found["charge"][0].verdict == "wrong"
    assert "timeoutSeconds=5" in found["charge"][0].report


@pytest.mark.parametrize(
    ("fields", "timeout", "verdict", "said"),
    [
        ({"response_timeout_seconds": 60}, 60, "wrong", "after responseTimeoutSeconds=60 its task is given"),
        ({"response_timeout_seconds": 60}, 59, "ok", "timeout=59 s is below responseTimeoutSeconds=60"),
        (
            {"response_timeout_seconds": 60, "timeout_seconds": 60, "timeout_policy": "RETRY"},
            90,
            "wrong",
            "after timeoutSeconds=60 its task is timed out",
        ),
        ({}, None, "ok", "an execution may take 3600 s (responseTimeoutSeconds)"),
        ({}, 4000, "wrong", "responseTimeoutSeconds=3600"),
    ],
)
async def test_the_time_limits_of_worker_and_server_are_compared(
    fields: dict[str, Any], timeout: float | None, verdict: str, said: str
) -> None:
    server = DevServer()
    await define(server, **fields)
    finding = (await findings(server, timeout=timeout))["charge"][1]
    assert finding.verdict == verdict
    assert said in finding.report
    assert ("lower timeout" in finding.remedy) == (verdict == "wrong")


async def test_with_leases_only_the_limit_of_the_whole_counts() -> None:
    server = DevServer()
    await define(server, response_timeout_seconds=30)
    unlimited = (await findings(server, lease_extend_enabled=True, timeout=90))["charge"][1]
    assert unlimited.verdict == "ok"
    assert "leases are extended (code); a task whose worker died waits 30 s" in unlimited.report
    await define(server, response_timeout_seconds=30, timeout_seconds=60)
    limited = (await findings(server, lease_extend_enabled=True, timeout=90))["charge"][1]
    assert limited.verdict == "wrong"
    assert "after timeoutSeconds=60 its task is timed out" in limited.report
    assert limited.remedy == "raise timeoutSeconds of the task definition above 90, or lower timeout"


async def test_the_limits_that_a_start_registers_are_the_ones_that_count() -> None:
    server = DevServer()
    await define(server, response_timeout_seconds=60)
    task_def = TaskDef(name="charge", response_timeout_seconds=600)
    found = await findings(server, timeout=120, task_def=task_def, register_task_def=True)
    assert found["charge"][1].verdict == "ok"


async def test_tasks_that_wait_are_counted_and_whoever_does_not_take_them_is_told() -> None:
    server = DevServer()
    await define(server)
    assert (await findings(server))["charge"][2].report == "0 tasks wait"
    await start(server, 2)
    unpolled = (await findings(server))["charge"][2]
    assert (unpolled.verdict, unpolled.report) == ("warning", "2 tasks wait, and nobody has polled yet")
    paused = (await findings(server, environ={"CONDUCTOR_WORKER_ALL_PAUSED": "true"}))["charge"][2]
    assert "it is paused" in paused.report
    assert paused.remedy == "unset CONDUCTOR_WORKER_ALL_PAUSED"
    async with ConductorClient(configured(server)) as client:
        await client.poll("charge", count=1, timeout=0, worker_id="me")
    polled = (await findings(server))["charge"][2]
    assert (polled.verdict, polled.report) == ("ok", "1 task waits")


async def test_tasks_outside_of_the_workers_domain_are_pointed_out() -> None:
    server = DevServer()
    await define(server)
    await start(server)
    found = await findings(server, domain="eu")
    finding = found["charge in domain 'eu'"][2]
    assert finding.verdict == "warning"
    assert "0 tasks wait in its domain, 1 outside of any" in finding.report


# ---------------------------------------------------------------- the command


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "charging.py"
    path.write_text(
        "from anyworker import worker_task\n\n@worker_task('charge', timeout=4000)\ndef charge(): ...\n"
    )
    return str(path)


def test_the_command_tells_all_and_fails_if_something_is_wrong(
    module: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_in_thread(server=DevServer()) as url:
        monkeypatch.setenv("CONDUCTOR_SERVER_URL", url)
        wrong = CliRunner().invoke(main, ["doctor", module])
        alone = CliRunner().invoke(main, ["doctor"])
        rows = json.loads(CliRunner().invoke(main, ["doctor", module, "--json"]).stdout)
    assert (wrong.exit_code, alone.exit_code) == (1, 0)
    assert f"at {url} (CONDUCTOR_SERVER_URL)" in wrong.output
    assert "ok       clock: within 5 s of the server's" in wrong.output
    assert "WRONG    charge: an execution may take timeout=4000 s (code)" in wrong.output
    assert "         -> turn lease_extend_enabled on, raise that above 4000" in wrong.output
    assert "charge" not in alone.output
    assert [row["verdict"] for row in rows] == ["ok", "ok", "ok", "warning", "wrong", "ok"]


def test_the_command_reads_the_settings_file(module: str, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    with serve_in_thread(server=DevServer()) as url:
        settings.write_text(
            f'modules = ["charging.py"]\n[server]\nurl = "{url}"\n[workers.charge]\ntimeout = 5\n'
        )
        result = CliRunner().invoke(main, ["doctor", "--config", str(settings)])
    assert result.exit_code == 0, result.output
    assert "timeout=5 s is below responseTimeoutSeconds=3600" in result.output
    assert read_settings(settings).run["modules"].value == [module]
