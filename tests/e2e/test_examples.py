"""The examples, as their own first lines say to run them."""

import contextlib
import json
import os
import re
import shlex
import socket
import ssl
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
import uvicorn

from anyworker.devserver import DevServer
from anyworker.devserver.serve import config

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
OUTPUTS: dict[str, dict[str, Any]] = {
    "approval.py": {"approved_by": "Grace, of contract"},
    "checkpoints.py": {"sent": 3, "items": ["a", "b", "c"]},
    "cpu_bound.py": {"result": 9592},
    "class_based.py": {"to": "ada@example.com", "number": 1},
    "leases.py": {"frames": 20},
    "long_running.py": {"imported": 250},
    "orders.py": {"receipt": "Ada: 40.98", "parcels": 12},
    "pool.py": {"result": 2},
}
"""What ``anyworker dev`` prints."""
RUN_ELSEWHERE = {"hello.py", "fastapi_app.py"}
"""By the tests of README and of embedding."""
RUN_BELOW = {
    "listener.py",
    "test_workers.py",
    "comparing.py",
    "tiers.py",
    "tracing.py",
    "graceful_deploy.py",
    "secured.py",
}


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


def test_comparison_has_a_line_for_each_kind() -> None:
    lines = run([*command_of("comparing.py"), "4"]).splitlines()
    assert [line.split()[0] for line in lines] == ["4", "wait", "compute"]
    assert all(float(seconds) > 0 for line in lines[1:] for seconds in re.findall(r"(\S+) s", line))


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_spans_are_below_that_of_their_task(backend: str) -> None:
    assert run([*command_of("tracing.py"), backend]) == "ask the bank in a trace\nprocess charge\n"


def test_each_tier_wins_over_the_ones_below() -> None:
    """As the docstring says to try it."""

    def told(**variables: str) -> dict[str, dict[str, list[str]]]:
        command = [*command_of("tiers.py"), "--json"]
        environ = {key: value for key, value in os.environ.items() if not key.startswith("CONDUCTOR")}
        done = subprocess.run(
            command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True, env=environ | variables
        )
        return {
            worker["task_type"]: {
                name: [option["value"], option["source"].partition(":")[0]]
                for name, option in worker["options"].items()
            }
            for worker in json.loads(done.stdout)["workers"]
        }

    file = "examples/tiers.toml"
    workers = told()
    assert workers["charge"]["poll_interval_millis"] == [200, "code"]
    assert workers["charge"]["thread_count"] == [20, file]
    assert workers["refund"]["thread_count"] == [10, file]
    one = "CONDUCTOR_WORKER_CHARGE_THREAD_COUNT"
    everyone = "CONDUCTOR_WORKER_ALL_DOMAIN"
    workers = told(**{one: "50", everyone: "staging"})
    assert workers["charge"]["thread_count"] == [50, one]
    assert workers["refund"]["thread_count"] == [10, file]
    assert workers["charge"]["domain"] == workers["refund"]["domain"] == ["staging", everyone]


def test_deploy_under_load_loses_nothing() -> None:
    first, last = run(command_of("graceful_deploy.py")).splitlines()
    assert first == "the old process ended with status 0"
    counts = re.fullmatch(r"\{'COMPLETED': 20\}: (\d+) by the old process, (\d+) by the new one", last)
    assert counts is not None, last
    old, new = map(int, counts.groups())
    assert old + new == 20
    assert min(old, new) >= 1


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
    assert files == OUTPUTS.keys() | RUN_ELSEWHERE | RUN_BELOW
    index = (EXAMPLES / "README.md").read_text()
    assert {name for name in files if f"]({name})" in index} == files


@pytest.mark.real_server
@pytest.mark.parametrize("name", [name for name in OUTPUTS if name != "orders.py"])
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_example_runs_on_a_real_server(name: str, backend: str, conductor_url: str, tmp_path: Path) -> None:
    words = command_of(name)
    start, given = words[words.index("--start") + 1], "{}"
    if "--input" in words:
        given = words[words.index("--input") + 1]
    task = {"name": start, "taskReferenceName": "it", "type": "SIMPLE", "inputParameters": json.loads(given)}
    definition = {"schemaVersion": 2, "tasks": [task]}
    task_def = {"name": start, "retryCount": 0, "ownerEmail": "a@example.com"}
    httpx.post(f"{conductor_url}/metadata/taskdefs", json=[task_def]).raise_for_status()
    _, [output, *_] = run_on(conductor_url, name, definition, {}, backend=backend, directory=tmp_path)
    assert output == OUTPUTS[name]


@pytest.mark.real_server
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_orders_run_on_a_real_server(backend: str, conductor_url: str, tmp_path: Path) -> None:
    definition, given = (json.loads((EXAMPLES / file).read_text()) for file in ("orders.json", "order.json"))
    output, _ = run_on(conductor_url, "orders.py", definition, given, backend=backend, directory=tmp_path)
    assert output == OUTPUTS["orders.py"]


def run_on(
    conductor_url: str, name: str, definition: dict[str, Any], given: Any, *, backend: str, directory: Path
) -> Any:
    """Return the output of a workflow through an example's workers, and those of its tasks."""
    flow = f"example-{uuid.uuid4().hex}"
    definition = {**definition, "name": flow, "ownerEmail": "a@example.com"}
    httpx.put(f"{conductor_url}/metadata/workflow", json=[definition]).raise_for_status()
    code = f"""
import anyio, anyworker, json, sys
from anyworker.client import ConductorClient
sys.path.insert(0, {str(ROOT)!r})
import examples.{name.removesuffix(".py")} as example

async def main():
    configuration = anyworker.Configuration(server_api_url={conductor_url!r})
    lifespan = getattr(example, "resources", None)
    async with ConductorClient(configuration) as client:
        async with anyworker.serving(configuration=configuration, lifespan=lifespan):
            with anyio.fail_after(40):
                workflow = await client.wait_for_workflow(await client.start_workflow({flow!r}, {given!r}))
    print(json.dumps([workflow.output, [task.output_data for task in workflow.tasks]]))

anyio.run(main, backend={backend!r})
"""
    program = directory / "main.py"
    program.write_text(code)
    return json.loads(run([sys.executable, str(program)]).splitlines()[-1])


@contextlib.contextmanager
def secured_server(authority: trustme.CA, directory: Path) -> Iterator[str]:
    """Serve behind TLS, for those alone who have a certificate of an authority's."""
    settings = config(DevServer())
    settings.loop = "asyncio"  # whose transports for TLS can be watched, unlike uvloop's
    own = authority.issue_cert("localhost")
    own.private_key_and_cert_chain_pem.write_to_path(directory / "server.pem")
    settings.ssl_certfile = settings.ssl_keyfile = str(directory / "server.pem")
    settings.ssl_ca_certs = str(directory / "ca.pem")
    settings.ssl_cert_reqs = ssl.CERT_REQUIRED
    listener = socket.create_server(("localhost", 0))
    shell = uvicorn.Server(settings)
    thread = threading.Thread(target=shell.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"https://localhost:{listener.getsockname()[1]}/api"
    finally:
        shell.should_exit = True
        thread.join(30)
        listener.close()


def test_secured_server_is_reached_with_authority_and_certificate_alone(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    authority.issue_cert("client@example.com").private_key_and_cert_chain_pem.write_to_path(
        tmp_path / "c.pem"
    )
    command = [*command_of("secured.py")[:2]]
    with secured_server(authority, tmp_path) as url:
        assert "3.32.3" in run([*command, url, str(tmp_path / "ca.pem"), str(tmp_path / "c.pem")])
        for given in ([], [str(tmp_path / "ca.pem")]):
            done = subprocess.run(
                [*command, url, *given], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
            )
            assert done.returncode == 1
            assert "3.32.3" not in done.stdout
