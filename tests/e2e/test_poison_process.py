"""A task that kills its process: the fleet survives it, whoever ran beside it is not blamed."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest
from fleet_rig import fleet, statuses, until
from process_rig import Process, Server

TERM = signal.SIGTERM

WORKERS = """
@anyworker.worker_task("bad", thread_count=5)
async def bad(seconds: float) -> None:
    print("bad", flush=True)
    os.kill(os.getpid(), {signal})
    await anyio.sleep(60)

@anyworker.worker_task("good", thread_count=5)
async def good(seconds: float) -> int:
    print("good", flush=True)
    await anyio.sleep(seconds)
    return os.getpid()
"""


def code(run: str, signum: str = "signal.SIGSEGV") -> str:
    head = "import os, signal, anyio, faulthandler\n"
    return head + WORKERS.format(signal=signum) + f"\nif __name__ == '__main__':\n    {run}\n"


def task_of(server: Server, workflow_id: str) -> dict[str, Any]:
    tasks = server.http.get(f"/workflow/{workflow_id}").raise_for_status().json()["tasks"]
    task: dict[str, Any] = tasks[-1]
    return task


def test_task_that_crashes_its_process_fails_for_good_and_those_beside_it_succeed(
    server: Server, tmp_path: Path
) -> None:
    run = "anyworker.run(processes=2, outbox='outbox.db')"
    with fleet(server, tmp_path, code(run), wait_for="Conductor Worker[name=good") as process:
        good = [server.start("good", seconds=1.5) for _ in range(6)]
        process.await_output("good\n", 6)
        bad = server.start("bad")
        until(lambda: task_of(server, bad)["status"] not in {"SCHEDULED", "IN_PROGRESS"})
        until(lambda: statuses(server, good) == {"COMPLETED"})
        process.send(TERM)
        assert process.end() == 0
    task = task_of(server, bad)
    assert task["status"] == "FAILED_WITH_TERMINAL_ERROR"
    assert process.out.count(b"bad\n") == 3
    reason = task["reasonForIncompletion"]
    assert reason.startswith("its process died 3 times while it ran, so it is not run again: ")
    assert reason.count("was killed by signal 11") == 3
    assert len(set(re.findall(r"pid (\d+) on", reason))) == 3


@pytest.mark.parametrize("max_deaths", [1, 2])
def test_single_process_that_is_killed_again_and_again_learns_from_the_file(
    server: Server, tmp_path: Path, max_deaths: int
) -> None:
    (tmp_path / "main.py").write_text(
        "import anyworker\n"
        + code("anyworker.run(outbox='outbox.db')", "signal.SIGKILL")
        + "# the number comes from outside\n"
    )
    workflow_id = server.start("bad", responseTimeoutSeconds=1, timeoutSeconds=0, retryDelaySeconds=0)
    ended = 0
    while task_of(server, workflow_id)["status"] != "FAILED_WITH_TERMINAL_ERROR":
        process = Process(["main.py"], tmp_path, server.url, CONDUCTOR_OUTBOX_MAX_DEATHS=str(max_deaths))
        try:
            until(lambda: process.process.poll() is not None or server_says_so(server, workflow_id))  # noqa: B023
            if process.process.poll() is None:
                process.send(TERM)
                assert process.end() == 0
            else:
                ended += 1
        finally:
            process.close()
    assert ended == max_deaths
    assert "last seen" in task_of(server, workflow_id)["reasonForIncompletion"]


def server_says_so(server: Server, workflow_id: str) -> bool:
    return task_of(server, workflow_id)["status"] == "FAILED_WITH_TERMINAL_ERROR"


def test_drained_and_rolled_processes_leave_no_mark(server: Server, tmp_path: Path) -> None:
    run = "anyworker.run(processes=1 + 1, outbox='outbox.db', grace=0.2)"
    ids = []
    for _ in range(4):
        with fleet(server, tmp_path, code(run), wait_for="Conductor Worker[name=good") as process:
            if not ids:
                ids = [server.start("good", seconds=3) for _ in range(2)]
            process.await_output("good\n", 2)
            process.send(TERM)
            assert process.end() == 0
    with fleet(server, tmp_path, code(run), wait_for="Conductor Worker[name=good") as process:
        until(lambda: statuses(server, ids) == {"COMPLETED"})
        process.send(TERM)
        process.end()
