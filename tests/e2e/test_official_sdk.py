"""The official SDK as a client of the dev server on a socket, unchanged, in an environment of its own."""

import json
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import httpx

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread

SCRIPT = Path(__file__).parent / "official_sdk" / "run_workflow.py"
PATIENCE = 90.0
CREDENTIALS = ("key", "s3cret")


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
