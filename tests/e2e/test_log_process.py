"""What ``anyworker run`` and processes of a fleet write to their logs."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from process_rig import Process, Server

SECRET = "hunter2-and-more"
WORKERS = """
import logging
from anyworker import worker_task
log = logging.getLogger("app")

@worker_task("greet")
def greet(seconds: float) -> str:
    log.info("greeting\\nwarmly")
    return "Hello"
"""
SCRIPT = """
import logging, sys
import anyworker
from anyworker.logs import TaskFields
handler = logging.StreamHandler(sys.stderr)
handler.addFilter(TaskFields())
handler.setFormatter(logging.Formatter("%(task_type)s|%(task_id)s|%(message)s"))
logging.basicConfig(level=logging.INFO, handlers=[handler])
if __name__ == "__main__":
    anyworker.run(import_modules=["workers"], processes=2)
"""


def greeted(server: Server, directory: Path, *command: str, processes: int = 1) -> tuple[str, dict[str, Any]]:
    """Run workers by a command, in so many processes, until one has greeted; return the log, and the task."""
    (directory / "workers.py").write_text(WORKERS)
    (directory / "main.py").write_text(SCRIPT)
    process = Process(list(command), directory, server.url)
    try:
        process.await_output("Conductor Worker[", processes)
        workflow_id = server.start("greet")
        process.await_output("warmly")
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    assert process.out == b""
    return process.err.decode(), server.task(workflow_id)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_json_lines_tell_task_and_process(processes: str, server: Server, tmp_path: Path) -> None:
    command = ["-m", "anyworker", "run", "workers", "--log-format", "json", "--processes", processes]
    err, task = greeted(server, tmp_path, *command, processes=int(processes))
    lines = [json.loads(line) for line in err.splitlines()]
    [line] = [line for line in lines if line["logger"] == "app"]
    assert line["message"] == "greeting\nwarmly"
    assert line["task_id"] == task["taskId"]
    assert line["workflow_id"] == task["workflowInstanceId"]
    assert (line["task_type"], line["attempt"]) == ("greet", 0)
    others = [each for each in lines if "Conductor Worker[" in each["message"]]
    assert line["process"] in {each["process"] for each in others}
    assert len({each["process"] for each in others}) == int(processes)
    assert all(each["task_id"] is None for each in others)


def test_console_lines_tell_the_task(server: Server, tmp_path: Path) -> None:
    err, task = greeted(server, tmp_path, "-m", "anyworker", "run", "workers")
    assert f"warmly [greet {task['taskId']}]" in err


def test_filter_of_a_program_is_there_in_its_processes(server: Server, tmp_path: Path) -> None:
    err, task = greeted(server, tmp_path, "main.py", processes=2)
    assert f"greet|{task['taskId']}|greeting" in err
    assert "-|-|Conductor Worker[" in err
    assert "Logging error" not in err


TELLING = """
from anyworker import worker_task

@worker_task("echo")
def echo(seconds: str) -> str:
    print("called")
    return seconds

@worker_task("fail")
async def fail(seconds: str) -> None:
    print("called")
    raise ValueError(seconds)
"""


@pytest.mark.parametrize("form", ["console", "json"])
@pytest.mark.parametrize("processes", ["1", "2"])
def test_detailed_log_holds_nothing_secret(form: str, processes: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(TELLING)
    (tmp_path / "anyworker.toml").write_text(f'[server.headers]\nX-Api-Key = "{SECRET}-header"\n')
    words = ["-m", "anyworker", "run", "workers", "--verbose", "--log-format", form, "--processes", processes]
    keys = {"CONDUCTOR_AUTH_KEY": "id", "CONDUCTOR_AUTH_SECRET": f"{SECRET}-key", "PYTHONUNBUFFERED": "1"}
    process = Process(words, tmp_path, server.url, **keys)
    try:
        process.await_output("Conductor Worker[", 2 * int(processes))
        ids = [server.start(each, seconds=f"{SECRET}-input", retryCount=0) for each in ("echo", "fail")]
        process.await_output("called", 2)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    assert [server.task(each)["status"] for each in ids] == ["COMPLETED", "FAILED"]
    assert SECRET not in process.err.decode()


def test_password_of_a_proxy_is_in_no_line(tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(TELLING)
    proxy = f"http://user:{SECRET}@127.0.0.1:1"
    words = ["-m", "anyworker", "run", "workers", "--verbose"]
    process = Process(
        words, tmp_path, "http://conductor.invalid/api", http_proxy=proxy, no_proxy="", NO_PROXY=""
    )
    try:
        process.await_output("Polling echo fails")
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    assert SECRET not in process.err.decode()
