"""Settings from a file, in whole processes: the modules, how many processes, the options in each."""

import signal
from pathlib import Path

import pytest
from fleet_rig import statuses, until
from process_rig import Process, Server

WORKERS = """
from anyworker import worker_task

@worker_task("one", thread_count=1)
def one(): ...

@worker_task("two", thread_count=1)
def two(): ...
"""

SETTINGS = """
modules = ["jobs/workers.py"]
backend = "trio"
grace = 1
processes = {processes}

[server]
url = "{url}"

[metrics]
http_port = 0

[workers.all]
thread_count = 3
poll_interval = 40

[workers.two]
thread_count = 4
"""


def project(directory: Path, url: str, processes: str) -> Path:
    """Write a project and return its settings file."""
    (directory / "jobs").mkdir()
    (directory / "jobs" / "workers.py").write_text(WORKERS)
    path = directory / "settings.toml"
    path.write_text(SETTINGS.format(url=url, processes=processes))
    return path


@pytest.mark.parametrize("processes", ["1", "2", '"per-worker"'])
def test_a_file_says_what_runs_and_how(server: Server, tmp_path: Path, processes: str) -> None:
    project(tmp_path, server.url, processes)
    command = ["-m", "anyworker", "run", "--config", "settings.toml"]
    process = Process(command, tmp_path, server.url, CONDUCTOR_WORKER_ALL_POLL_INTERVAL="50")
    try:
        process.await_output("Conductor Worker[name=", 4 if processes == "2" else 2)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    said = process.err.decode()
    lines = [line for line in said.splitlines() if "Conductor Worker[name=" in line]
    assert "Settings from settings.toml" in said
    assert all("poll_interval=50ms" in line and "backend=trio" in line for line in lines)
    counts = {"one": "thread_count=3", "two": "thread_count=4"}
    assert all(counts[line.split("name=")[1][:3]] in line for line in lines)
    assert "thread_count: settings.toml:workers.two.thread_count" in said
    assert "is for no worker" not in said
    assert len({line.split("pid=")[1].split(",")[0] for line in lines}) == (1 if processes == "1" else 2)


def test_the_command_line_wins_over_the_file(server: Server, tmp_path: Path) -> None:
    project(tmp_path, server.url, "2")
    command = [
        "-m",
        "anyworker",
        "run",
        "--config",
        "settings.toml",
        "--processes",
        "1",
        "--backend",
        "asyncio",
    ]
    process = Process(command, tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[name=", 2)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    assert process.err.count(b"backend=asyncio") == 2


PARTS = """
import contextlib
from typing import Annotated
from anyworker import FromLifespan, worker_task

@worker_task("ask")
def ask(seconds: int, pool: Annotated[str, FromLifespan]) -> dict:
    return {"pool": pool}

@contextlib.asynccontextmanager
async def make_pool():
    yield {"pool": "filled"}

class Around:
    async def __call__(self, call_next, task):
        outcome = await call_next(task)
        outcome.output["around"] = True
        return outcome
"""


@pytest.mark.parametrize(
    ("backend", "processes", "is_file"), [("asyncio", "2", True), ("trio", "2", False), ("trio", "1", True)]
)
def test_lifespan_and_middleware_come_by_their_names(
    backend: str, processes: str, is_file: bool, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "parts.py").write_text(PARTS)
    flags = ["app/parts.py", "--lifespan", "app/parts.py:make_pool", "--middleware", "app/parts.py:Around"]
    if is_file:
        settings = (
            'modules = ["parts.py"]\nlifespan = "parts.py:make_pool"\nmiddleware = ["parts.py:Around"]\n'
        )
        (tmp_path / "app" / "anyworker.toml").write_text(settings)
        flags = ["--config", "app/anyworker.toml"]
    command = ["-m", "anyworker", "run", *flags, "--backend", backend, "--processes", processes]
    process = Process(command, tmp_path, server.url)
    try:
        task = server.start("ask")
        until(lambda: statuses(server, [task]) == {"COMPLETED"})
        assert server.task(task)["outputData"] == {"pool": "filled", "around": True}
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()


def test_names_that_mean_nothing_are_a_failed_start(server: Server, tmp_path: Path) -> None:
    (tmp_path / "parts.py").write_text(PARTS)
    flags = ["--lifespan", "parts:make_pol", "--middleware", "parts:__name__", "--middleware", "nowhere:it"]
    process = Process(["-m", "anyworker", "run", "parts", *flags], tmp_path, server.url)
    try:
        assert process.end() == 3
    finally:
        process.close()
    said = process.err.decode()
    assert (
        "lifespan: cannot import 'parts:make_pol': there is no 'make_pol' in parts; did you mean 'make_pool'?"
        in said
    )
    assert "middleware: cannot import 'parts:__name__': it is 'parts', which cannot be called" in said
    assert "middleware: cannot import 'nowhere': there is no module 'nowhere'" in said
    assert "Traceback" not in said
