"""The examples, as their own first lines say to run them."""

import json
import re
import shlex
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
OUTPUTS: dict[str, dict[str, Any]] = {
    "approval.py": {"approved_by": "Grace, of contract"},
    "checkpoints.py": {"sent": 3, "items": ["a", "b", "c"]},
    "class_based.py": {"to": "ada@example.com", "number": 1},
    "leases.py": {"frames": 20},
    "long_running.py": {"imported": 250},
    "orders.py": {"receipt": "Ada: 40.98", "parcels": 12},
    "pool.py": {"result": 2},
}
"""What ``anyworker dev`` prints."""
RUN_ELSEWHERE = {"hello.py", "fastapi_app.py"}
"""By the tests of README and of embedding."""


def command_of(name: str) -> list[str]:
    """Return the command in an example's first lines, run by this interpreter."""
    text = (EXAMPLES / name).read_text().split('"""')[1].replace("\\\\\n", "")
    found = re.search(r"^    ((?:anyworker|python) .*)$", text, re.MULTILINE)
    assert found is not None, name
    words = shlex.split(found[1])
    start = [sys.executable] if words[0] == "python" else [sys.executable, "-m", "anyworker"]
    return start + words[1:]


def run(command: list[str]) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-3000:]
    return done.stdout


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_example_runs_as_it_says_and_prints_its_output(name: str, backend: str) -> None:
    assert json.loads(run([*command_of(name), "--backend", backend])) == OUTPUTS[name]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_listener_counts_what_two_naps_cost(backend: str) -> None:
    assert re.fullmatch(r"0\.\d{3} cents, 1 of 2 naps late\n", run([*command_of("listener.py"), backend]))


def test_tests_of_workers_pass() -> None:
    assert "5 passed" in run([*command_of("test_workers.py"), "-q", "-p", "no:cacheprovider"])


def test_bad_price_fails_the_order_with_its_path(tmp_path: Path) -> None:
    order = json.loads((EXAMPLES / "order.json").read_text())
    order["order"]["items"][0]["price"] = "cheap"
    bad = tmp_path / "bad.json"
    bad.write_text(json.dumps(order))
    command = [word.replace("@examples/order.json", f"@{bad}") for word in command_of("orders.py")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    promised = re.search(r"``(\$\.order[^`]*)``", (EXAMPLES / "orders.py").read_text())
    assert promised is not None
    assert promised[1] in done.stderr


def test_every_example_is_run_by_a_test_and_stands_in_the_index() -> None:
    files = {path.name for path in EXAMPLES.glob("*.py")}
    assert files == OUTPUTS.keys() | RUN_ELSEWHERE | {"listener.py", "test_workers.py"}
    index = (EXAMPLES / "README.md").read_text()
    assert {name for name in files if f"]({name})" in index} == files


@pytest.mark.real_server
@pytest.mark.parametrize("name", [name for name in OUTPUTS if name != "orders.py"])
def test_example_runs_on_a_real_server(name: str, conductor_url: str, tmp_path: Path) -> None:
    words = command_of(name)
    start, given = words[words.index("--start") + 1], "{}"
    if "--input" in words:
        given = words[words.index("--input") + 1]
    flow = f"{start}-{uuid.uuid4().hex}"
    code = f"""
import anyio, anyworker, json, sys
from anyworker import TaskDef, Worker
from anyworker.client import ConductorClient
from anyworker.conductor.models import WorkflowDef, WorkflowTask
sys.path.insert(0, {str(ROOT)!r})
import examples.{name.removesuffix(".py")} as example

async def main():
    given = json.loads({given!r})
    task = WorkflowTask(name={start!r}, task_reference_name="it", input_parameters=given)
    configuration = anyworker.Configuration(server_api_url={conductor_url!r})
    lifespan = getattr(example, "resources", None)
    async with ConductorClient(configuration) as client:
        await client.register_task_defs([TaskDef(name={start!r}, retry_count=0)])
        await client.register_workflow_def(WorkflowDef(name={flow!r}, tasks=[task]))
        async with anyworker.serving(configuration=configuration, lifespan=lifespan):
            with anyio.fail_after(40):
                workflow = await client.wait_for_workflow(await client.start_workflow({flow!r}))
    print(json.dumps(workflow.tasks[0].output_data))

anyio.run(main)
"""
    program = tmp_path / "main.py"
    program.write_text(code)
    assert json.loads(run([sys.executable, str(program)]).splitlines()[-1]) == OUTPUTS[name]
