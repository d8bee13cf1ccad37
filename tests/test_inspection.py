"""What the command tells of workers without running them."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from anyworker import Configuration, TaskDef, Worker
from anyworker.cli import main
from anyworker.client import ConductorClient
from anyworker.devserver import DevServer
from anyworker.events import Publisher
from anyworker.fleet.declarations import declarations
from anyworker.inspection import Finding, examine
from anyworker.options import resolve_all
from anyworker.runner.registration import Registrar

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


@pytest.mark.parametrize("command", ["list", "schema", "doctor"])
def test_a_module_that_cannot_be_imported_is_named(command: str) -> None:
    result = CliRunner().invoke(main, [command, "no.such.module"])
    assert result.exit_code == 3
    assert "no.such.module" in result.output or "'no'" in result.output


async def found(server: DevServer, **options: object) -> Finding:
    worker = Worker(
        "charge", lambda amount: amount, task_def=TaskDef(name="charge", retry_count=5), **options
    )  # type: ignore[arg-type]
    configuration = Configuration(server_api_url="http://dev/api", transport=server.transport())
    [finding] = await examine(resolve_all([worker], {}).workers, configuration)
    return finding


async def test_doctor_tells_what_the_server_lacks_and_what_differs() -> None:
    server = DevServer()
    configuration = Configuration(server_api_url="http://dev/api", transport=server.transport())
    missing = await found(server)
    assert "no definition" in missing.report
    assert "register_task_def is off" in missing.report
    async with ConductorClient(configuration) as client:
        await client.register_task_defs([TaskDef(name="charge", retry_count=1)])
    differing = await found(server, register_task_def=True)
    assert "differs from the code's in inputSchema, outputSchema, retryCount" in differing.report
    assert "a start registers it" in differing.report
    kept = await found(server, overwrite_task_def=False)
    assert "leaves alone" in kept.report


async def test_doctor_reads_schemas_that_are_in_a_registry() -> None:
    server = DevServer(flavor="orkes")
    configuration = Configuration(server_api_url="http://dev/api", transport=server.transport())
    worker = Worker("charge", lambda amount: amount, register_task_def=True)
    workers = resolve_all([worker], {}).workers
    async with ConductorClient(configuration) as client:
        await Registrar(client, Publisher(), declarations(workers)).run()
    [finding] = await examine(workers, configuration)
    assert finding.report == "the server's definition is the code's"


async def test_doctor_finds_a_definition_that_the_server_would_refuse() -> None:
    server = DevServer()
    configuration = Configuration(server_api_url="http://dev/api", transport=server.transport())
    worker = Worker("charge", lambda: 1, task_def=TaskDef(name="charge", timeout_seconds=5))
    [finding] = await examine(resolve_all([worker], {}).workers, configuration)
    assert not finding.is_right
    assert "timeoutSeconds=5" in finding.report
