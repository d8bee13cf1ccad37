"""A deploy: SIGTERM to a fleet of three processes that has twenty tasks in hand, on a real server."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import httpx
import pytest
from fleet_rig import descendants, is_alive

SCRIPTS = Path(__file__).parent / "deploy"
PROCESSES = 3
TASKS = 20
SECONDS = 2.0
"""How long a task takes."""
LONGEST_POLL = 1.2
"""Seconds that a poll under way at the signal may last; the server notes a poll when it answers it."""
MACHINE_SECONDS = 2.0
"""What a machine that is busy with other tests may add."""
PATIENCE = 30.0


class Server:
    """The workflows of one test on a server that others use as well."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.task_type = f"deploy_{uuid.uuid4().hex[:8]}"
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        definition = {
            "name": self.task_type,
            "retryCount": 0,
            "responseTimeoutSeconds": 600,
            "timeoutSeconds": 0,
        }
        self._http.post("/metadata/taskdefs", json=[definition]).raise_for_status()

    def start(self) -> str:
        task = {
            "name": self.task_type,
            "taskReferenceName": "it",
            "type": "SIMPLE",
            "inputParameters": {"seconds": SECONDS},
        }
        definition = {"name": self.task_type, "version": 1, "schemaVersion": 2, "tasks": [task]}
        body = {"name": self.task_type, "workflowDef": definition}
        return self._http.post("/workflow", json=body).raise_for_status().text

    def tasks(self, workflow_ids: list[str]) -> Counter[str]:
        """Return how many of the workflows' tasks have which status."""
        answers = [self._http.get(f"/workflow/{each}").raise_for_status().json() for each in workflow_ids]
        return Counter(answer["tasks"][0]["status"] for answer in answers)

    def last_poll(self) -> int:
        """Return when the last poll came, in epoch milliseconds."""
        entries: list[dict[str, Any]] = self._http.get(
            "/tasks/queue/polldata", params={"taskType": self.task_type}
        ).json()
        return max((entry["lastPollTime"] for entry in entries), default=0)

    def close(self) -> None:
        self._http.close()


@attrs.frozen
class Deploy:
    """What was seen of a deploy. A container ends with the process that gets the signal, whoever is in it."""

    statuses: Counter[str]
    """How many tasks had which status when that process had ended."""
    exit_status: int | None
    took: float
    """Seconds from the signal to the exit of that process."""
    left: set[int]
    """Processes that were still there then."""
    last_poll: float
    """Seconds after the signal at which the last poll was answered; negative before it."""


@pytest.fixture
def server(conductor_url: str) -> Iterator[Server]:
    with contextlib.closing(Server(conductor_url)) as server:
        yield server


def deploy(server: Server, command: list[str | Path], begun: Path) -> Deploy:
    """Start workers, give them tasks, tell them to end while they have all of them in hand.

    A task is in hand when its function has begun, which adds a byte to the file `begun`: what the server has
    given away may still be on its way, and would be handed back.
    """
    begun.touch()
    workflow_ids = [server.start() for _ in range(TASKS)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    process = subprocess.Popen(
        [*command, begun],
        env={**environment, "CONDUCTOR_SERVER_URL": server.url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    family = set[int]()
    try:
        deadline = time.monotonic() + PATIENCE
        while begun.stat().st_size < TASKS:
            assert process.poll() is None, "the workers ended by themselves"
            assert time.monotonic() < deadline, "the workers did not take the tasks"
            threading.Event().wait(0.01)
        family = descendants(process.pid)
        signalled, wall = time.monotonic(), time.time_ns() // 1_000_000
        process.send_signal(signal.SIGTERM)
        exit_status = process.wait(PATIENCE)
        took = time.monotonic() - signalled
        left = {pid for pid in family if is_alive(pid)}
        statuses = server.tasks(workflow_ids)
        wait_for_pollers()
        return Deploy(statuses, exit_status, took, left, (server.last_poll() - wall) / 1000)
    finally:
        process.kill()
        process.wait()
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def wait_for_pollers() -> None:
    """Give who still polls the time to show it."""
    threading.Event().wait(1.5)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_deploy_finishes_every_task_polls_no_more_and_leaves_no_process(
    server: Server, tmp_path: Path, backend: str
) -> None:
    command = [sys.executable, SCRIPTS / "ours.py", server.task_type, backend, str(PROCESSES)]
    seen = deploy(server, command, tmp_path / "begun")
    assert seen.statuses == {"COMPLETED": TASKS}
    assert seen.exit_status == 0
    assert seen.took <= SECONDS + 1 + MACHINE_SECONDS
    assert seen.left == set()
    assert seen.last_poll <= LONGEST_POLL


def test_deploy_of_the_official_sdk_beside_it(
    server: Server,
    official_python: Path,
    tmp_path: Path,
    record_property: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = [official_python, SCRIPTS / "official.py", server.task_type, str(PROCESSES)]
    seen = deploy(server, command, tmp_path / "begun")
    for name, value in attrs.asdict(seen).items():
        record_property(name, value)
    with capsys.disabled():
        print(
            f"\n  the official SDK at its parent's exit: {seen.statuses['COMPLETED']} of {TASKS} results, "
            f"{len(seen.left)} processes left, polling until {seen.last_poll:.1f} s after the signal"
        )
    # A measurement, held against what makes it one: all the tasks are there still.
    assert seen.statuses.total() == TASKS
