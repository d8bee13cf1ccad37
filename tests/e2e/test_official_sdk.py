"""The official SDK as a client of the dev server on a socket, unchanged, in an environment of its own.

The environment is made once with pip and kept in pytest's cache. Where pip cannot bring the SDK, the tests
are skipped and say so.
"""

import json
import os
import signal
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

import httpx
import pytest

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread

SDK = "conductor-python==2.0.0"
SCRIPT = Path(__file__).parent / "official_sdk" / "run_workflow.py"
PATIENCE = 90.0
PIP_PATIENCE = 300.0
CREDENTIALS = ("key", "s3cret")


@pytest.fixture(scope="session")
def official_python(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the interpreter of an environment in which the official SDK is installed."""
    name = f"official-sdk-{sys.version_info.major}.{sys.version_info.minor}"
    cache = getattr(pytestconfig, "cache", None)
    directory = tmp_path_factory.mktemp(name) if cache is None else cache.mkdir(name)
    installed = directory / "installed"
    if not installed.exists() or installed.read_text() != SDK:
        venv.create(directory, clear=True, symlinks=True)
        install(directory / "bin" / "python")
        installed.write_text(SDK)
    return directory / "bin" / "python"


def install(python: Path) -> None:
    """Install the SDK, or skip the test that wants it."""
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "--no-input"]
    command = [*pip, "install", "--quiet", "--retries", "1", "--timeout", "15", SDK]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_PATIENCE, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        pytest.skip(f"the official SDK cannot be installed here: {reason}")


def run_workflow(python: Path, directory: Path, seconds: float, **environment: str) -> Any:
    """Run the script; return the workflow that it prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.Popen(
        [python, SCRIPT, str(seconds)],
        cwd=directory,
        env={**inherited, **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        # Its workers are processes too; the session is theirs alone.
        os.killpg(process.pid, signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == 0, err
    return json.loads(out.splitlines()[-1])


def test_workflow_of_the_official_sdk_completes(official_python: Path, tmp_path: Path) -> None:
    with serve_in_thread(server=DevServer()) as url:
        # Longer than the response timeout: without its lease extended the second task would not end well.
        workflow = run_workflow(official_python, tmp_path, 8.0, CONDUCTOR_SERVER_URL=url)
    assert workflow["status"] == "COMPLETED"
    assert workflow["output"] == {"said": "Hello Ada, 36, at last"}
    first, second = workflow["tasks"]["greet"], workflow["tasks"]["dawdle"]
    assert (first["status"], first["retries"]) == ("COMPLETED", 0)
    assert first["logs"] == ["greeting Ada"]
    assert (second["status"], second["retries"]) == ("COMPLETED", 0)
    assert second["milliseconds"] > 7000


def test_official_sdk_works_with_tokens_that_expire_and_registers_schemas(
    official_python: Path, tmp_path: Path
) -> None:
    server = DevServer(flavor="orkes", auth=CREDENTIALS, token_lifetime=1.0)
    key, secret = CREDENTIALS
    with serve_in_thread(server=server) as url, httpx.Client(base_url=url, trust_env=False) as http:
        workflow = run_workflow(
            official_python,
            tmp_path,
            2.0,
            CONDUCTOR_SERVER_URL=url,
            CONDUCTOR_AUTH_KEY=key,
            CONDUCTOR_AUTH_SECRET=secret,
        )
        assert workflow["status"] == "COMPLETED"
        token = http.post("/token", json={"keyId": key, "keySecret": secret}).json()["token"]
        schemas = http.get("/schema", headers={"X-Authorization": token}).json()
    assert {schema["name"] for schema in schemas} == {"official_greet_input", "official_greet_output"}
    (strict,) = (schema for schema in schemas if schema["name"] == "official_greet_input")
    assert strict["data"]["additionalProperties"] is False
