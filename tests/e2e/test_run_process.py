"""``anyworker.run`` and the command, in processes of their own, against a development server on a socket."""

import contextlib
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from process_rig import Process, Server

from anyworker.devserver.serve import serve_in_thread

INT, TERM = signal.SIGINT, signal.SIGTERM
BACKENDS = ["asyncio", "uvloop", "trio"]

WORKERS = """
import os, threading, time
import anyio
from anyworker import worker_task, get_task_context

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

@worker_task("nap", thread_count=10)
async def nap(seconds: float) -> str:
    say("nap", get_task_context().get_poll_count())
    await anyio.sleep(seconds)
    return "rested"

@worker_task("toil", thread_count=10)
def toil(seconds: float) -> str:
    say("toiling")
    time.sleep(seconds)
    return "done"

@worker_task("shield")
async def shield(seconds: float) -> None:
    say("shielding")
    with anyio.CancelScope(shield=True):
        await anyio.sleep(seconds)

@worker_task("block")
async def block(seconds: float) -> None:
    say("blocking")
    time.sleep(seconds)
"""

SCRIPT = """
import logging, sys
import anyworker
logging.basicConfig(level=logging.INFO, stream=sys.stderr)

if __name__ == "__main__":
    name = sys.argv[1]
    options = {"use_uvloop": True} if name == "uvloop" else {}
    backend = "asyncio" if name == "uvloop" else name
    grace = float(sys.argv[2])
    anyworker.run(backend=backend, backend_options=options, import_modules=["workers"], grace=grace)
    print("after run", flush=True)
"""


def put(directory: Path) -> None:
    (directory / "workers.py").write_text(WORKERS)
    (directory / "main.py").write_text(SCRIPT)


@contextlib.contextmanager
def script(server: Server, directory: Path, backend: str = "asyncio", grace: float = 10) -> Iterator[Process]:
    put(directory)
    process = Process(["main.py", backend, str(grace)], directory, server.url)
    try:
        process.await_output("Conductor Worker[name=block")
        yield process
    finally:
        process.close()


@contextlib.contextmanager
def command(server: Server, directory: Path, *words: str, **environment: str) -> Iterator[Process]:
    put(directory)
    process = Process(["-m", "anyworker", *words], directory, server.url, **environment)
    try:
        yield process
    finally:
        process.close()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("signum", [INT, TERM])
def test_first_signal_finishes_what_runs_and_exits_with_0(
    backend: str, signum: signal.Signals, server: Server, tmp_path: Path
) -> None:
    with script(server, tmp_path, backend) as process:
        ids = [server.start(kind, seconds=1) for kind in ("nap", "nap", "toil", "toil")]
        # What the server has given away may not have come yet, and is handed back then.
        process.await_output("nap 1\n", 2)
        process.await_output("toiling\n", 2)
        process.send(signum)
        assert process.end() == 0
    assert [server.task(workflow_id)["status"] for workflow_id in ids] == ["COMPLETED"] * 4
    assert b"after run" in process.out


@pytest.mark.parametrize("backend", BACKENDS)
def test_idle_worker_ends_within_its_waiting_poll(backend: str, server: Server, tmp_path: Path) -> None:
    with script(server, tmp_path, backend) as process:
        while not server.last_poll("nap"):
            time.sleep(0.02)  # noqa: TID251 - the server tells no event
        began = time.monotonic()
        process.send(TERM)
        assert process.end() == 0
    assert time.monotonic() - began < 1.2 + 1.5, "a waiting poll, and the end of the interpreter"


@pytest.mark.parametrize("backend", BACKENDS)
def test_second_signal_hands_back_what_may_run_again(backend: str, server: Server, tmp_path: Path) -> None:
    with script(server, tmp_path, backend, grace=60) as process:
        workflow_id = server.start("nap", seconds=60)
        process.await_output("nap 1")
        process.send(TERM)
        process.await_output("Draining")
        process.send(TERM)
        assert process.end() == 0
    assert server.task(workflow_id)["status"] == "SCHEDULED"


@pytest.mark.parametrize("backend", BACKENDS)
def test_thread_that_outlives_the_grace_is_left_to_its_lease(
    backend: str, server: Server, tmp_path: Path
) -> None:
    with script(server, tmp_path, backend, grace=0.2) as process:
        workflow_id = server.start("toil", seconds=60)
        process.await_output("toiling")
        process.send(TERM)
        assert process.end() == 4
    assert server.task(workflow_id)["status"] == "IN_PROGRESS"
    assert b"in toil" in process.err
    assert server.task(workflow_id)["taskId"].encode() in process.err


def test_function_that_shields_itself_cannot_keep_the_process(server: Server, tmp_path: Path) -> None:
    with script(server, tmp_path, grace=0.2) as process:
        server.start("shield", seconds=60)
        process.await_output("shielding")
        process.send(TERM)
        assert process.end() == 4
    assert b"Abandoning 1 tasks" in process.err


@pytest.mark.parametrize("backend", BACKENDS)
def test_third_signal_exits_at_once_although_user_code_blocks_the_loop(
    backend: str, server: Server, tmp_path: Path
) -> None:
    with script(server, tmp_path, backend) as process:
        server.start("block", seconds=60)
        process.await_output("blocking")
        for signum in (TERM, INT, TERM):
            process.send(signum)
            time.sleep(0.1)  # noqa: TID251 - the kernel merges signals that follow each other at once
        assert process.end() == 128 + TERM


def test_server_that_comes_later_is_found(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    put(tmp_path)
    process = Process(["main.py", "asyncio", "5"], tmp_path, f"http://127.0.0.1:{port}/api")
    try:
        process.await_output("Polling nap fails")
        with serve_in_thread(port) as url, Server(url).http:
            server = Server(url)
            workflow_id = server.start("nap")
            process.await_output("nap 1")
            process.send(TERM)
            assert process.end() == 0
            assert server.task(workflow_id)["status"] == "COMPLETED"
            server.http.close()
    finally:
        process.close()
    assert process.err.count(b"Polling nap fails") == 1
    assert b"Traceback" not in process.err


def test_bad_configuration_names_every_problem_and_exits_with_3(server: Server, tmp_path: Path) -> None:
    with command(
        server,
        tmp_path,
        "run",
        "workers.py",
        CONDUCTOR_WORKER_NAP_THREAD_COUNT="0",
        CONDUCTOR_WORKER_ALL_PAUSED="maybe",
    ) as process:
        assert process.end() == 3
    assert b"CONDUCTOR_WORKER_NAP_THREAD_COUNT" in process.err
    assert b"CONDUCTOR_WORKER_ALL_PAUSED" in process.err
    assert b"maybe" in process.err
    assert b"Traceback" not in process.err


def test_modules_that_cannot_be_imported_are_named_and_exit_with_3(server: Server, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("import nothing_of_that_name\n")
    with command(server, tmp_path, "run", "broken.py", "missing.module") as process:
        assert process.end() == 3
    assert b"nothing_of_that_name" in process.err
    assert b"missing" in process.err


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("target", ["workers", "workers.py"])
def test_command_runs_modules_and_files(backend: str, target: str, server: Server, tmp_path: Path) -> None:
    with command(server, tmp_path, "run", target, "--backend", backend) as process:
        workflow_id = server.start("nap")
        process.await_output("nap 1")
        process.send(INT)
        assert process.end() == 0
    assert server.task(workflow_id)["status"] == "COMPLETED"
    assert f"backend={backend}".encode() in process.err


def test_command_without_workers_says_what_to_do(server: Server, tmp_path: Path) -> None:
    (tmp_path / "empty.py").write_text("")
    with command(server, tmp_path, "run", "empty.py") as process:
        assert process.end() == 3
    assert b"no workers" in process.err


@pytest.mark.parametrize("backend", BACKENDS)
def test_dev_command_brings_its_own_server(backend: str, server: Server, tmp_path: Path) -> None:
    with command(server, tmp_path, "dev", "workers.py", "--port", "0", "--backend", backend) as process:
        process.await_output("/api\n")
        url = process.out.decode().split("server: ", 1)[1].split()[0]
        own = Server(url)
        with own.http:
            workflow_id = own.start("nap")
            process.await_output("nap 1")
            while own.task(workflow_id)["status"] != "COMPLETED":
                time.sleep(0.02)  # noqa: TID251 - the server tells no event
        process.send(INT)
        assert process.end() == 0


def test_dev_command_names_a_port_in_use_and_exits_with_3(server: Server, tmp_path: Path) -> None:
    port = server.url.rpartition(":")[2].removesuffix("/api")
    with command(server, tmp_path, "dev", "workers.py", "--port", port) as process:
        assert process.end() == 3
    assert f"port {port}".encode() in process.err
    assert b"Traceback" not in process.err


def test_handlers_of_the_host_are_restored_after_run(server: Server, tmp_path: Path) -> None:
    (tmp_path / "host.py").write_text(
        "import os, signal, threading, anyworker, workers\n"
        "before = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]\n"
        "run = anyworker.run  # imports what it needs, however long that takes\n"
        "threading.Timer(0.5, lambda: os.kill(os.getpid(), signal.SIGTERM)).start()\n"
        "run()\n"
        "assert before == [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]\n"
    )
    put(tmp_path)
    process = Process(["host.py"], tmp_path, server.url)
    try:
        assert process.end() == 0, process.err
    finally:
        process.close()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("signals", "status"), [([TERM], 0), ([TERM, TERM], 128 + TERM), ([INT] * 3, 128 + INT)]
)
def test_signals_while_modules_are_imported(
    backend: str, signals: list[signal.Signals], status: int, server: Server, tmp_path: Path
) -> None:
    """The first lets the import end, and nothing begins; the second breaks it off; the third exits."""
    (tmp_path / "slow.py").write_text(
        "import os, time\n"
        "os.write(1, b'importing\\n')\n"
        "until = time.monotonic() + 1.5\n"
        "while time.monotonic() < until:\n"
        "    try:\n"
        "        time.sleep(0.05)\n"
        f"    except KeyboardInterrupt:\n"
        f"        {'pass' if len(signals) == 3 else 'raise'}\n"
        "from workers import *\n"
    )
    with command(server, tmp_path, "run", "slow.py", "--backend", backend) as process:
        process.await_output("importing")
        for signum in signals:
            process.send(signum)
            time.sleep(0.1)  # noqa: TID251 - the kernel merges signals that follow each other at once
        assert process.end() == status
    assert not server.last_poll("nap")
