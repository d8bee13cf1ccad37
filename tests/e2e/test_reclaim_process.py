"""Tasks of killed processes and of cut polls run again at once, also through a real server."""

import os
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

from fleet_rig import children, fleet, naps_begun, statuses, until
from process_rig import Server

KILL, TERM = signal.SIGKILL, signal.SIGTERM
TWO = "anyworker.run(processes=2, import_modules=['workers'])"
SOON = 15.0
"""Seconds that are far from the response timeout of an hour."""

ONE_TYPE = """
@anyworker.worker_task("{name}", thread_count=4)
async def work(seconds: float) -> int:
    import anyio
    print("working", flush=True)
    await anyio.sleep(seconds)
    return anyworker.get_task_context().get_poll_count()
if __name__ == "__main__":
    anyworker.run(processes={processes})
"""


def test_tasks_of_a_killed_process_run_again_in_the_others(server: Server, tmp_path: Path) -> None:
    with fleet(server, tmp_path, TWO) as process:
        ids = naps_begun(server, process, 8, seconds=2)
        [pid, *_] = re.findall(rb"napping (\d+)", process.out)
        os.kill(int(pid), KILL)
        killed = time.monotonic()
        until(lambda: statuses(server, ids) == {"COMPLETED"})
        assert time.monotonic() - killed < SOON
        process.send(TERM)
        assert process.end() == 0
    assert b"when that died: given back after" in process.err


def test_task_that_may_not_run_again_is_named_and_stays(server: Server, tmp_path: Path) -> None:
    with fleet(server, tmp_path, "anyworker.run(processes=1 + 1, import_modules=['workers'])") as process:
        workflow_id = server.start("nap", seconds=60, retryCount=0)
        process.await_output("napping")
        for pid in children(process):
            os.kill(pid, KILL)
        process.await_output("left to its response timeout")
        process.send(TERM)
        assert process.end() == 0
    assert statuses(server, [workflow_id]) == {"IN_PROGRESS"}
    assert process.out.count(b"napping") == 1


def test_worker_that_says_so_has_its_tasks_run_again_whatever_their_attempts(
    server: Server, tmp_path: Path
) -> None:
    says = {"CONDUCTOR_WORKER_NAP_RESTARTABLE": "true"}
    with fleet(server, tmp_path, TWO, environment=says) as process:
        workflow_id = server.start("nap", seconds=1, retryCount=0)
        process.await_output("napping")
        [pid] = re.findall(rb"napping (\d+)", process.out)
        os.kill(int(pid), KILL)
        until(lambda: statuses(server, [workflow_id]) == {"COMPLETED"})
        process.send(TERM)
        assert process.end() == 0
    assert process.out.count(b"napping") == 2


def test_tasks_of_all_killed_processes_come_back_although_the_fleet_ends(
    server: Server, tmp_path: Path
) -> None:
    with fleet(server, tmp_path, TWO) as process:
        ids = naps_begun(server, process, 4, seconds=60)
        pids = children(process)
        process.send(TERM)
        process.await_output("Draining", 1)
        for pid in pids:
            os.kill(pid, KILL)
        assert process.end() == 4
    assert statuses(server, ids) == {"SCHEDULED"}


@contextmanager
def proxy(url: str) -> Iterator[tuple[str, threading.Event]]:
    """Stand between workers and a server; while the event is set, cut connections that have had a poll's
    answer from the server, before the worker gets it."""
    target, cut, listener = urlsplit(url), threading.Event(), socket.create_server(("127.0.0.1", 0))
    threads: list[threading.Thread] = []
    sockets: list[socket.socket] = []

    def pump(source: socket.socket, sink: socket.socket, *, is_answer: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(65536):
                if is_answer and cut.is_set() and b"workerId" in chunk:
                    cut.clear()
                    break
                sink.sendall(chunk)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                upstream = socket.create_connection((target.hostname, target.port))
                sockets.extend((client, upstream))
                for source, sink, is_answer in ((client, upstream, False), (upstream, client, True)):
                    threads.append(
                        threading.Thread(target=pump, args=(source, sink), kwargs={"is_answer": is_answer})
                    )
                    threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        port = listener.getsockname()[1]
        yield urlunsplit(target._replace(netloc=f"127.0.0.1:{port}")), cut
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (acceptor, *threads):
            thread.join(10)
        for each in sockets:
            each.close()


def cut_and_measure(server: Server, tmp_path: Path) -> float:
    """Return the seconds from the start of a task, the poll for which is cut, to its end."""
    name = f"cut_{uuid4().hex[:8]}"
    with proxy(server.url) as (url, cut):
        behind = Server(url)
        code = ONE_TYPE.format(name=name, processes=1)
        with behind.http, fleet(behind, tmp_path, code, wait_for=f"name={name}", count=1) as process:
            until(lambda: server.last_poll(name))
            cut.set()
            began = time.monotonic()
            workflow_id = server.start(name, ownerEmail="a@example.test")
            until(lambda: server.task(workflow_id)["status"] == "COMPLETED")
            taken = time.monotonic() - began
            assert not cut.is_set()
            assert server.task(workflow_id)["outputData"] == {"result": 1}
            process.send(TERM)
            assert process.end() == 0
    return taken


def kill_and_measure(server: Server, tmp_path: Path) -> float:
    """Return the seconds from the death of a process to the moment at which its task runs again."""
    name = f"killed_{uuid4().hex[:8]}"
    code = ONE_TYPE.format(name=name, processes=2)
    with fleet(server, tmp_path, code, wait_for=f"name={name}", count=2) as process:
        workflow_id = server.start(name, seconds=2, ownerEmail="a@example.test")
        process.await_output("working")
        worker_id = server.task(workflow_id)["workerId"]
        [pid] = [pid for pid in children(process) if f"-{pid}-" in worker_id]
        os.kill(pid, KILL)
        began = time.monotonic()
        process.await_output("working", 2)
        taken = time.monotonic() - began
        until(lambda: server.task(workflow_id)["status"] == "COMPLETED")
        process.send(TERM)
        assert process.end() == 0
        assert server.task(workflow_id)["outputData"] == {"result": 1}
    return taken


def test_task_of_a_cut_poll_runs_at_once(server: Server, tmp_path: Path) -> None:
    assert cut_and_measure(server, tmp_path) < SOON


def test_task_of_a_killed_process_begins_again_at_once(server: Server, tmp_path: Path) -> None:
    assert kill_and_measure(server, tmp_path) < SOON


def test_real_server_gives_lost_tasks_again_within_seconds(conductor_url: str, tmp_path: Path) -> None:
    server = Server(conductor_url)
    with server.http:
        after_cut = cut_and_measure(server, tmp_path)
        after_kill = kill_and_measure(server, tmp_path)
    print(f"\nafter a cut poll {after_cut:.2f} s, after SIGKILL {after_kill:.2f} s")
    assert max(after_cut, after_kill) < SOON


def test_tasks_of_a_whole_fleet_that_was_killed_run_in_the_next(server: Server, tmp_path: Path) -> None:
    code = TWO.replace(")", f", outbox={str(tmp_path / 'results.db')!r})")
    with fleet(server, tmp_path, code) as process:
        ids = naps_begun(server, process, 8, seconds=2)
        for pid in (process.process.pid, *children(process)):
            os.kill(pid, KILL)
        process.process.wait(10)
    with fleet(server, tmp_path, code) as process:
        began = time.monotonic()
        until(lambda: statuses(server, ids) == {"COMPLETED"})
        assert time.monotonic() - began < SOON
        process.send(TERM)
        assert process.end() == 0
    assert process.err.count(b"when that died: given back after") == 8
