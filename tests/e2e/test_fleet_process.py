"""Fleets of several processes, against a development server on a socket."""

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from process_rig import Process, Server

INT, TERM, USR1, USR2 = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2
BACKENDS = ["asyncio", "trio"]
STARTED = "Conductor Worker[name=toil"

WORKERS = """
import os, time
import anyio
from anyworker import worker_task, get_task_context

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

@worker_task("nap", thread_count=10)
async def nap(seconds: float) -> int:
    say("napping", os.getpid())
    await anyio.sleep(seconds)
    return os.getpid()

@worker_task("toil", thread_count=10)
def toil(seconds: float) -> int:
    say("toiling", os.getpid())
    time.sleep(seconds)
    return os.getpid()
"""

RUN = """
import logging, sys
import anyworker
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
{code}
"""


@contextlib.contextmanager
def fleet(
    server: Server, directory: Path, code: str, *arguments: str, wait_for: str = STARTED, count: int = 2
) -> Iterator[Process]:
    """Run a script of that code; go on when its processes poll."""
    (directory / "workers.py").write_text(WORKERS)
    (directory / "main.py").write_text(RUN.format(code=code))
    process = Process(["main.py", *arguments], directory, server.url)
    try:
        process.await_output(wait_for, count)
        yield process
    finally:
        process.close()


def until(condition: Callable[[], object]) -> None:
    """Wait for something that tells no event."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it does not come"
        time.sleep(0.02)  # noqa: TID251 - it tells no event


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/status").read_text().split("State:", 1)[1].split("\n", 1)[0]


def children(process: Process) -> list[int]:
    found = Path(f"/proc/{process.process.pid}/task").glob("*/children")
    return sorted({int(pid) for each in found for pid in each.read_text().split()})


def naps_begun(server: Server, process: Process, count: int, seconds: float) -> list[str]:
    """Start so many tasks and wait until all of them run."""
    ids = [server.start("nap", seconds=seconds) for _ in range(count)]
    process.await_output("napping", count)
    return ids


def statuses(server: Server, ids: list[str]) -> set[str]:
    return {server.task(workflow_id)["status"] for workflow_id in ids}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("signum", [INT, TERM])
def test_signal_lets_all_processes_finish_what_they_run(
    backend: str, signum: signal.Signals, server: Server, tmp_path: Path
) -> None:
    code = "anyworker.run(processes=2, backend=sys.argv[1], import_modules=['workers'])\nprint('after run')"
    with fleet(server, tmp_path, code, backend) as process:
        pids = children(process)
        ids = naps_begun(server, process, 12, seconds=1.5)
        process.send(signum)
        assert process.end() == 0
    assert statuses(server, ids) == {"COMPLETED"}
    assert {server.task(workflow_id)["outputData"]["result"] for workflow_id in ids} == set(pids)
    assert len(pids) == 2
    assert not any(map(is_alive, pids))
    assert b"after run" in process.out


@pytest.mark.parametrize("backend", BACKENDS)
def test_signal_to_the_whole_group_counts_once(backend: str, server: Server, tmp_path: Path) -> None:
    code = "anyworker.run(processes=2, backend=sys.argv[1], import_modules=['workers'])"
    with fleet(server, tmp_path, code, backend) as process:
        ids = naps_begun(server, process, 4, seconds=1.5)
        for pid in (process.process.pid, *children(process)):
            os.kill(pid, INT)
        assert process.end() == 0
    assert statuses(server, ids) == {"COMPLETED"}


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_signal_hands_back_and_third_kills(backend: str, server: Server, tmp_path: Path) -> None:
    code = "anyworker.run(processes=2, backend=sys.argv[1], import_modules=['workers'], grace=60)"
    with fleet(server, tmp_path, code, backend) as process:
        naps = naps_begun(server, process, 4, seconds=60)
        toil = server.start("toil", seconds=60)
        process.await_output("toiling")
        pids = children(process)
        process.send(TERM)
        process.await_output("Draining: ", 2)
        process.send(TERM)
        until(lambda: statuses(server, naps) == {"SCHEDULED"})
        assert any(map(is_alive, pids)), "a thread cannot be cancelled"
        process.send(INT)
        assert process.end() == 128 + INT
        until(lambda: not any(map(is_alive, pids)))
    assert server.task(toil)["status"] == "IN_PROGRESS"


@pytest.mark.parametrize("backend", BACKENDS)
def test_grace_holds_for_the_whole_fleet(backend: str, server: Server, tmp_path: Path) -> None:
    code = "anyworker.run(processes=2, backend=sys.argv[1], import_modules=['workers'], grace=0.3)"
    with fleet(server, tmp_path, code, backend) as process:
        ids = naps_begun(server, process, 4, seconds=60)
        began = time.monotonic()
        process.send(TERM)
        assert process.end() == 0
    assert time.monotonic() - began < 4
    assert statuses(server, ids) == {"SCHEDULED"}


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_signals_hush_a_fleet_and_let_it_poll_again(
    backend: str, processes: str, server: Server, tmp_path: Path
) -> None:
    code = "anyworker.run(processes=int(sys.argv[2]), backend=sys.argv[1], import_modules=['workers'])"
    with fleet(server, tmp_path, code, backend, processes, count=int(processes)) as process:
        running = naps_begun(server, process, 1, seconds=0.5)
        process.send(USR1)
        process.await_output("Quiet: ")
        until(lambda: statuses(server, running) == {"COMPLETED"})
        time.sleep(1.2)  # noqa: TID251 - polls that were under way come to their end
        waiting = server.start("nap", seconds=0)
        last = server.last_poll("nap")
        time.sleep(1)  # noqa: TID251 - nothing is to happen
        assert server.task(waiting)["status"] == "SCHEDULED"
        assert server.last_poll("nap") == last
        process.send(USR2)
        until(lambda: server.task(waiting)["status"] == "COMPLETED")
        process.send(TERM)
        assert process.end() == 0


def test_one_process_per_worker_holds_that_worker_only(server: Server, tmp_path: Path) -> None:
    code = "anyworker.run(processes='per-worker', import_modules=['workers'])"
    with fleet(server, tmp_path, code, wait_for="Conductor Worker[") as process:
        assert len(children(process)) == 2
        ids = [server.start(kind) for kind in ("nap", "toil", "nap", "toil")]
        until(lambda: statuses(server, ids) == {"COMPLETED"})
        pids = [server.task(workflow_id)["outputData"]["result"] for workflow_id in ids]
        assert pids[0] == pids[2] != pids[1] == pids[3]
        process.send(TERM)
        assert process.end() == 0
    assert process.err.count(b"Conductor Worker[") == 2
