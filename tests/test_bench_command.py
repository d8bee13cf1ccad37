"""``anyworker bench``: what it measures, what it leaves behind, and what it says where it cannot."""

import json

import pytest
from click.testing import CliRunner

from anyworker import Configuration
from anyworker.bench import STEPS, Figures, measure
from anyworker.cli import main
from anyworker.client import ConductorClient
from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread
from anyworker.errors import NotFoundError


def is_plausible(figures: Figures) -> bool:
    spreads = (figures.round_trip_ms, figures.pickup_ms, figures.next_step_ms)
    return figures.tasks_per_second > 0 and all(0 <= each.p50 <= each.p95 for each in spreads)


@pytest.mark.virtual_time
async def test_each_task_is_counted_and_no_definition_is_left() -> None:
    server = DevServer()
    seen = set[str]()
    configuration = Configuration(server_api_url="http://dev/api", transport=server.transport(), environ={})
    told: list[int] = []
    figures = await measure(configuration, tasks=30, thread_count=5, told=told.append)
    assert figures.tasks == sum(told) == 30 + 10 + 2 * 5 * STEPS
    assert is_plausible(figures)
    async with ConductorClient(configuration) as client:
        sizes = server.engine.store.tasks.values()
        seen = {record.task_type for record in sizes}
        [name] = seen
        with pytest.raises(NotFoundError):
            await client.get_task_def(name)
        for flow in (f"{name}-one", f"{name}-chain"):
            with pytest.raises(NotFoundError):
                await client.get_workflow_def(flow)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_command_prints_json_that_a_script_can_read(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_in_thread() as url:
        monkeypatch.setenv("CONDUCTOR_SERVER_URL", url)
        done = CliRunner().invoke(main, ["bench", "--tasks", "10", "--backend", backend, "--json"])
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found.keys() == {
        "tasks",
        "tasks_per_second",
        "round_trip_ms",
        "pickup_ms",
        "next_step_of_a_chain_ms",
    }
    assert found["pickup_ms"]["p50"] <= found["pickup_ms"]["p95"]


def test_command_names_a_server_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONDUCTOR_SERVER_URL", "http://127.0.0.1:1/api")
    done = CliRunner().invoke(main, ["bench"])
    assert done.exit_code == 1
    assert "http://127.0.0.1:1/api: " in done.output
    assert "cannot connect to 127.0.0.1, port 1" in done.output


def test_too_few_tasks_are_refused() -> None:
    done = CliRunner().invoke(main, ["bench", "--tasks", "3"])
    assert done.exit_code == 2
    assert "3 is not in the range x>=10" in done.output
