"""Results and the death of processes: what was on the disk before SIGKILL is delivered after it."""

import signal
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from process_rig import PATIENCE, Process, Server

from anyworker.devserver import DevServer
from anyworker.devserver.serve import serve_in_thread

PROGRAM = """
import logging, sys
import anyworker
from anyworker import OutboxSettings, worker_task

@worker_task(task_definition_name="nap", thread_count=5)
async def nap(seconds: float) -> dict:
    print("called", flush=True)
    return {"worth": 1}

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    outbox = OutboxSettings("outbox.db", write_ahead=sys.argv[2] == "ahead")
    anyworker.run(backend=sys.argv[1], outbox=outbox, grace=1, processes=int(sys.argv[3]))
"""


@contextmanager
def program(server: Server, directory: Path, *arguments: str) -> Iterator[Process]:
    (directory / "program.py").write_text(PROGRAM)
    process = Process(["program.py", *arguments], directory, server.url)
    try:
        yield process
    finally:
        process.close()


@pytest.fixture
def devserver() -> DevServer:
    return DevServer()


@pytest.fixture
def server(devserver: DevServer) -> Iterator[Server]:
    with serve_in_thread(server=devserver) as url:
        client = Server(url)
        with client.http:
            yield client


def await_hits(devserver: DevServer, count: int) -> None:
    """Wait until so many results have been turned away."""
    deadline = time.monotonic() + PATIENCE
    while devserver.faults.hits < count:
        assert time.monotonic() < deadline
        threading.Event().wait(0.02)


def states(directory: Path) -> list[str]:
    with closing(sqlite3.connect(directory / "outbox.db")) as connection:
        return [state for (state,) in connection.execute("SELECT state FROM results")]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_results_that_were_not_accepted_survive_sigkill(
    backend: str, server: Server, devserver: DevServer, tmp_path: Path
) -> None:
    fault = devserver.faults.answer(503, "POST /tasks")
    workflows = [server.start("nap") for _ in range(5)]
    with program(server, tmp_path, backend, "ahead", "1") as process:
        await_hits(devserver, 5)
        process.send(signal.SIGKILL)
        assert process.end() == -signal.SIGKILL
    assert states(tmp_path) == ["ahead"] * 5
    fault.remove()
    with program(server, tmp_path, backend, "ahead", "1") as process:
        process.await_output("is with the server", 5)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    assert b"called" not in process.out
    assert [server.task(each)["status"] for each in workflows] == ["COMPLETED"] * 5
    assert states(tmp_path) == []


def test_results_of_several_processes_are_left_in_their_file_by_an_orderly_end(
    server: Server, devserver: DevServer, tmp_path: Path
) -> None:
    fault = devserver.faults.answer(503, "POST /tasks")
    workflows = [server.start("nap") for _ in range(6)]
    with program(server, tmp_path, "asyncio", "lazy", "2") as process:
        await_hits(devserver, 6)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    assert states(tmp_path) == ["waiting"] * 6
    fault.remove()
    with program(server, tmp_path, "asyncio", "lazy", "2") as process:
        process.await_output("is with the server", 6)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    assert [server.task(each)["status"] for each in workflows] == ["COMPLETED"] * 6
