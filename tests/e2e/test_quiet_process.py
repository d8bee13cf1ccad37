"""``anyworker quiet`` finds the process that runs workers, and only that."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from process_rig import Process, Server

WORKERS = """
from anyworker import worker_task

@worker_task("idle")
def idle() -> None: ...
"""


def quiet(path: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "anyworker", "quiet", "--pid-file", str(path)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_quiet_stops_polling_and_the_process_stays(processes: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)
    path = tmp_path / "anyworker.pid"
    command = ["-m", "anyworker", "run", "workers.py", "--processes", processes, "--pid-file", str(path)]
    process = Process(command, tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[name=idle", int(processes))
        done = quiet(path)
        assert (done.returncode, done.stdout) == (0, f"Process {process.process.pid} takes no more tasks.\n")
        process.await_output("Quiet")
        assert process.process.poll() is None
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
    assert not path.exists()


def test_second_process_with_the_same_file_does_not_start(server: Server, tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)
    path = tmp_path / "anyworker.pid"
    command = ["-m", "anyworker", "run", "workers.py", "--pid-file", str(path)]
    first = Process(command, tmp_path, server.url)
    try:
        first.await_output("Conductor Worker[name=idle")
        second = Process(command, tmp_path, server.url)
        try:
            assert second.end() == 3
        finally:
            second.close()
        assert f"process {first.process.pid} has it".encode() in second.err
        assert path.read_text() == f"{first.process.pid}\n"
    finally:
        first.close()


def test_file_left_behind_by_a_killed_process_misleads_nobody(tmp_path: Path) -> None:
    path = tmp_path / "anyworker.pid"
    done = quiet(path)
    assert done.returncode == 1
    assert "does not exist" in done.stderr
    path.write_text(f"{os.getpid()}\n")
    done = quiet(path)
    assert done.returncode == 1
    assert "has ended" in done.stderr
