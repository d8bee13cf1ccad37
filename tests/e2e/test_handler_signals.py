"""Signals to programs with a ``TaskHandler``: while it imports, and while the program does something else."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from fleet_rig import HEAD, children, is_alive, statuses, until
from process_rig import Process, Server

INT, TERM, USR1, USR2 = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2
BACKENDS = ["asyncio", "trio"]

WORKERS = """
import os, time
import anyio
from anyworker import worker_task

@worker_task("nap", thread_count=5)
async def nap(seconds: float) -> None:
    os.write(1, b"napping\\n")
    await anyio.sleep(seconds)

@worker_task("toil")
def toil(seconds: float) -> None:
    os.write(1, b"toiling\\n")
    time.sleep(seconds)
"""

SLOW = """
import os, time
from anyworker import worker_task

os.write(1, b"importing\\n")
until = time.monotonic() + float(os.environ["SECONDS"])
while time.monotonic() < until:
    time.sleep(0.02)

@worker_task("late")
def late() -> None: ...
"""


def program(directory: Path, code: str) -> list[str]:
    (directory / "workers.py").write_text(WORKERS)
    (directory / "slow.py").write_text(SLOW)
    (directory / "app.py").write_text(f"{HEAD}\nimport time\n{code}")
    return ["app.py"]


@pytest.mark.parametrize(("count", "status"), [(1, 0), (2, 128 + TERM)])
def test_signals_while_a_handler_imports_begin_no_process(
    count: int, status: int, server: Server, tmp_path: Path
) -> None:
    """The first lets the import end, the second breaks it off."""
    code = """
with TaskHandler(import_modules=["slow"]) as handler:
    handler.start_processes()
    handler.join_processes()
    print("healthy", handler.is_healthy(), flush=True)
"""
    process = Process(program(tmp_path, code), tmp_path, server.url, SECONDS="1.5")
    try:
        process.await_output("importing")
        for _ in range(count):
            process.send(TERM)
            time.sleep(0.2)  # noqa: TID251 - the kernel merges signals that follow each other at once
        assert process.end() == status
    finally:
        process.close()
    assert (b"healthy False" in process.out) is (count == 1)
    assert b"no process is started" in process.err or count == 2
    assert b"Traceback" not in process.err
    assert server.last_poll("late") == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_quiet_that_came_while_a_handler_imports_holds_until_it_is_taken_back(
    backend: str, server: Server, tmp_path: Path
) -> None:
    code = """
with TaskHandler(import_modules=["slow"], processes=1, backend=sys.argv[1]) as handler:
    os.environ["SECONDS"] = "0"
    handler.start_processes()
    handler.join_processes()
"""
    process = Process([*program(tmp_path, code), backend], tmp_path, server.url, SECONDS="1")
    try:
        process.await_output("importing")
        process.send(USR1)
        process.await_output("Quiet: polling no more")
        assert server.last_poll("late") == 0
        process.send(USR2)
        until(lambda: server.last_poll("late") > 0)
        process.send(TERM)
        assert process.end() == 0
    finally:
        process.close()
    assert process.err.count(b"Quiet: polling no more") == 1


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_signal_while_processes_of_a_handler_import_ends_them(
    backend: str, server: Server, tmp_path: Path
) -> None:
    code = """
os.environ["SECONDS"] = "0"
with TaskHandler(import_modules=["slow"], processes=2, backend=sys.argv[1]) as handler:
    os.environ["SECONDS"] = "60"
    handler.start_processes()
    handler.join_processes()
"""
    process = Process([*program(tmp_path, code), backend], tmp_path, server.url)
    try:
        process.await_output("importing", 3)
        pids = children(process)
        for pid in (process.process.pid, *pids):
            os.kill(pid, INT)
        process.await_output("Draining 2 processes")
        process.send(TERM)
        assert process.end() == 128 + TERM
        until(lambda: not any(map(is_alive, pids)))
    finally:
        process.close()
    assert b"Traceback" not in process.err


IDLE = """
import workers
if __name__ == "__main__":
    first = TaskHandler([workers.nap], processes=1, backend=sys.argv[1])
    second = TaskHandler([workers.toil], processes=1, backend=sys.argv[1], grace=float(sys.argv[2]))
    with first, second:
        first.start_processes()
        second.start_processes()
        try:
            threading.Event().wait(25)
        except KeyboardInterrupt:
            print("interrupted", first.is_healthy(), second.is_healthy(), flush=True)
        finally:
            print("finally", flush=True)
"""


@pytest.mark.parametrize(("backend", "signum"), [("asyncio", INT), ("trio", TERM)])
def test_program_that_does_something_else_gets_the_signal_when_the_processes_have_ended(
    backend: str, signum: signal.Signals, server: Server, tmp_path: Path
) -> None:
    process = Process([*program(tmp_path, IDLE), backend, "20"], tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[", 2)
        tasks = [server.start("nap", seconds=0.5), server.start("toil", seconds=1)]
        process.await_output("napping")
        process.await_output("toiling")
        process.send(signum)
        assert process.end() == 0
    finally:
        process.close()
    assert statuses(server, tasks) == {"COMPLETED"}
    assert b"finally" in process.out
    assert (b"interrupted False False" in process.out) is (signum is INT)
    assert b"Traceback" not in process.err


def test_program_that_stops_its_processes_after_a_signal_does_not_get_it(
    server: Server, tmp_path: Path
) -> None:
    """As with uvicorn, which hands a signal on when it returns."""
    code = """
import signal, workers
if __name__ == "__main__":
    with TaskHandler([workers.nap], processes=1) as handler:
        handler.start_processes()
        sys.stdin.readline()
        signal.raise_signal(signal.SIGINT)
    print("behind", flush=True)
"""
    process = Process(program(tmp_path, code), tmp_path, server.url, stdin=subprocess.PIPE)
    try:
        process.await_output("Conductor Worker[")
        process.write("\n")
        assert process.end() == 0
    finally:
        process.close()
    assert b"behind" in process.out
    assert b"Traceback" not in process.err


def test_program_that_does_something_else_tells_what_was_abandoned(server: Server, tmp_path: Path) -> None:
    process = Process([*program(tmp_path, IDLE), "asyncio", "0.2"], tmp_path, server.url)
    try:
        process.await_output("Conductor Worker[", 2)
        server.start("toil", seconds=60)
        process.await_output("toiling")
        process.send(TERM)
        assert process.end() == 4
    finally:
        process.close()
    assert b"finally" in process.out


@pytest.mark.parametrize("backend", BACKENDS)
def test_processes_that_are_stopped_at_once_hand_back_although_another_thread_waits_already(
    backend: str, server: Server, tmp_path: Path
) -> None:
    code = """
import workers
if __name__ == "__main__":
    with TaskHandler([workers.nap], processes=2, backend=sys.argv[1], grace=60) as handler:
        handler.start_processes()
        sys.stdin.readline()
        waiting = threading.Thread(target=handler.stop_processes)
        waiting.start()
        sys.stdin.readline()
        handler.stop_processes(at_once=True)
        waiting.join()
"""
    process = Process([*program(tmp_path, code), backend], tmp_path, server.url, stdin=subprocess.PIPE)
    try:
        process.await_output("Conductor Worker[", 2)
        tasks = [server.start("nap", seconds=60) for _ in range(3)]
        process.await_output("napping", 3)
        process.write("\n")
        process.await_output("Draining 2 processes")
        assert statuses(server, tasks) == {"IN_PROGRESS"}
        process.write("\n")
        assert process.end() == 0
    finally:
        process.close()
    assert statuses(server, tasks) == {"SCHEDULED"}


def test_program_that_comes_to_its_end_waits_for_its_processes(server: Server, tmp_path: Path) -> None:
    code = """
import workers
if __name__ == "__main__":
    TaskHandler([workers.nap], processes=1).start_processes()
    raise LookupError("broken")
"""
    process = Process(program(tmp_path, code), tmp_path, server.url)
    try:
        process.await_output("LookupError: broken")
        process.await_output("Conductor Worker[")
        task = server.start("nap", seconds=0.5)
        process.await_output("napping")
        process.send(TERM)
        assert process.end() == 1
    finally:
        process.close()
    assert statuses(server, [task]) == {"COMPLETED"}
