"""Measure what a fleet costs before its first task: time to the first polls, CPU time, memory.

    python benchmarks/bench_fleet.py --official /path/to/venv/bin/python [--workers 10] [--runs 3]

The other interpreter is one that has ``conductor-python`` installed, best the same Python version; without
it anyworker stands alone. Each run starts a program with that many workers against a server that has no
tasks, and waits until every one of them has polled. Programs take turns, so that a machine that slows down
slows all.

CPU time is that of all processes until then. Memory is the sum over all processes of what each has for
itself (USS) and with its share of what is shared (PSS); RSS counts shared pages once for each process.
Marks: 0.5 s to the first poll of the last worker in one process, 3 s in one process per worker, on two idle
cores; a process of a fleet takes at most 1.3 times what ``from anyworker import *`` takes, which loads what
``import anyworker`` puts off.
"""

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import attrs

SECONDS_ONE, SECONDS_MANY, LARGEST_RATIO = 0.5, 3.0, 1.3
PATIENCE = 120.0
OURS = """
import sys
import anyworker

async def work() -> int:
    return 1

for number in range(int(sys.argv[1])):
    anyworker.worker_task(f"worker_{number}")(work)

if __name__ == "__main__":
    anyworker.run(processes=1 if sys.argv[2] == "1" else sys.argv[2])
"""
THEIRS = """
import sys
from conductor.client.automator.task_handler import TaskHandler
from conductor.client.configuration.configuration import Configuration
from conductor.client.worker.worker_task import worker_task

async def work() -> int:
    return 1

for number in range(int(sys.argv[1])):
    worker_task(task_definition_name=f"worker_{number}")(work)

if __name__ == "__main__":
    with TaskHandler(configuration=Configuration(), scan_for_annotated_workers=True) as handler:
        handler.start_processes()
        handler.join_processes()
"""


class EmptyServer(ThreadingHTTPServer):
    """A server without tasks that notes which types have been polled."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.polled: set[str] = set()
        self.changed = threading.Condition()

    @property
    def url(self) -> str:
        """The API's URL."""
        return f"http://127.0.0.1:{self.server_address[1]}/api"

    def handle_error(self, *_: object) -> None:
        """Say nothing of the connections of processes that were killed."""

    def wait_for(self, count: int) -> None:
        """Wait until so many types have been polled."""
        with self.changed:
            if not self.changed.wait_for(lambda: len(self.polled) >= count, PATIENCE):
                message = f"only {sorted(self.polled)} have been polled"
                raise TimeoutError(message)


class Answer(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: EmptyServer

    def do_GET(self) -> None:
        """Answer a poll as if it had waited a little."""
        path, _, _ = self.path.partition("?")
        if "/tasks/poll/batch/" in path:
            with self.server.changed:
                self.server.polled.add(path.rpartition("/")[2])
                self.server.changed.notify_all()
            threading.Event().wait(0.2)
        self._answer(b"[]")

    def do_POST(self) -> None:
        """Take whatever it is."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer(b"{}")

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@attrs.define
class Samples:
    """One number each for a run."""

    name: str
    seconds: list[float] = attrs.field(factory=list)
    cpu: list[float] = attrs.field(factory=list)
    processes: int = 0
    rss: list[float] = attrs.field(factory=list)
    pss: list[float] = attrs.field(factory=list)
    uss: list[float] = attrs.field(factory=list)
    child_rss: list[float] = attrs.field(factory=list)
    """Of one child process."""

    def line(self) -> str:
        """Return it as a line of the table."""
        memory = "".join(f"{statistics.median(values):10.1f}" for values in (self.rss, self.pss, self.uss))
        times = f"{statistics.median(self.seconds):10.2f}{statistics.median(self.cpu):10.2f}"
        return f"{self.name:32}{times}{self.processes:10d}{memory}"


@contextlib.contextmanager
def empty_server() -> Iterator[EmptyServer]:
    server = EmptyServer()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


def add_run(samples: Samples, command: list[str], workers: int, directory: str) -> None:
    """Start a program, measure it, end it."""
    with empty_server() as server:
        began = time.monotonic()
        process = subprocess.Popen(
            command,
            cwd=directory,
            env={**os.environ, "CONDUCTOR_SERVER_URL": server.url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            server.wait_for(workers)
            samples.seconds.append(time.monotonic() - began)
            pids = session_of(process.pid)
            samples.processes = len(pids)
            samples.cpu.append(sum(map(cpu_of, pids)))
            for kind, values in (("Rss", samples.rss), ("Pss:", samples.pss), ("Private", samples.uss)):
                values.append(sum(memory_of(pid, kind) for pid in pids))
            samples.child_rss.append(memory_of(pids[-1], "Rss"))
        finally:
            for pid in session_of(process.pid):
                os.kill(pid, signal.SIGKILL)
            process.wait()


def session_of(leader: int) -> list[int]:
    """Return the processes of a session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return sorted(found)


def cpu_of(pid: int) -> float:
    """Return the seconds of CPU that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_of(pid: int, kind: str) -> float:
    """Return MB of 2**20 bytes."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def import_rss() -> float:
    """Return the memory of a process that has imported anyworker, all names loaded."""
    code = "from anyworker import *; print(end='.', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(1)
    rss = memory_of(process.pid, "Rss")
    process.communicate(b"\n")
    return rss


def verdict(name: str, value: float, mark: float) -> str:
    return f"{name}: {value:.2f}, <= {mark:g} {'reached' if value <= mark else 'MISSED'}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--official", metavar="PYTHON")
    parser.add_argument("--workers", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path, metavar="FILE")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "ours.py").write_text(OURS)
        Path(directory, "theirs.py").write_text(THEIRS)
        count = str(given.workers)
        programs = {
            "anyworker, one process": [sys.executable, "ours.py", count, "1"],
            "anyworker, one per worker": [sys.executable, "ours.py", count, "per-worker"],
        }
        if given.official:
            programs["official SDK, one per worker"] = [given.official, "theirs.py", count]
        results = {name: Samples(name) for name in programs}
        for _ in range(given.runs):
            for name, command in programs.items():
                add_run(results[name], command, given.workers, directory)
    print(f"load average {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    print(f"{given.workers} workers{'':22}{'poll s':>10}{'CPU s':>10}{'processes':>10}", end="")
    print(f"{'RSS MB':>10}{'PSS MB':>10}{'USS MB':>10}")
    for samples in results.values():
        print(samples.line())
    one, many = list(results.values())[:2]
    print(verdict("one process, s to the last first poll", statistics.median(one.seconds), SECONDS_ONE))
    print(verdict("one per worker, s to the last first poll", statistics.median(many.seconds), SECONDS_MANY))
    ratio = statistics.median(many.child_rss) / import_rss()
    print(verdict("memory of a child beside the import's", ratio, LARGEST_RATIO))
    if given.json is not None:
        given.json.write_text(json.dumps([attrs.asdict(each) for each in results.values()], indent=2) + "\n")


if __name__ == "__main__":
    main()
