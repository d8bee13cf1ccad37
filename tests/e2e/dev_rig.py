"""``anyworker dev`` in a process of its own, on pipes or on a terminal, for tests without an event loop."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 30.0

WORKERS = """
import os, threading, time
import anyio
from anyworker import worker_task, get_task_context

def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())

@worker_task("greet")
async def greet(name: str, times: int = 1) -> str:
    return " ".join([f"Hello {name}"] * times)

@worker_task("shout")
def shout(name: str) -> str:
    return name.upper()

@worker_task("nap", thread_count=10)
async def nap(seconds: float) -> str:
    say("napping", os.getpid())
    await anyio.sleep(seconds)
    return "rested"

@worker_task("toil", thread_count=10)
def toil(seconds: float) -> str:
    say("toiling", os.getpid())
    time.sleep(seconds)
    return "done"

@worker_task("block")
async def block(seconds: float) -> None:
    say("blocking")
    time.sleep(seconds)

@worker_task("fail")
def fail(why: str) -> None:
    raise RuntimeError(why)

@worker_task("crash")
def crash() -> None:
    os._exit(7)
"""


class Dev:
    """The command, running."""

    def __init__(
        self,
        directory: Path,
        *words: str,
        has_terminal: bool = False,
        stdin: bytes = b"",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self.directory = directory
        if not (directory / "workers.py").exists():
            (directory / "workers.py").write_text(WORKERS)
        self._text = b""
        self.out = b""
        self.err = b""
        self._terminal: int | None = None
        command = [sys.executable, "-m", "anyworker", "dev", "workers.py", *words]
        environment = {
            **os.environ,
            **(settings or {}),
            "TERM": "xterm-256color",
            "COLUMNS": "120",
            "LINES": "30",
        }
        environment.pop("NO_COLOR", None)
        if has_terminal:
            self._terminal, theirs = pty.openpty()
            streams: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        else:
            theirs = None
            streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(
            command, cwd=directory, env=environment, start_new_session=True, **streams
        )
        self._watchdog = threading.Timer(PATIENCE, self.process.kill)
        self._watchdog.start()
        if theirs is not None:
            os.close(theirs)
        else:
            assert self.process.stdin is not None
            self.process.stdin.write(stdin)
            self.process.stdin.close()

    @property
    def text(self) -> str:
        """What it has shown so far, on both streams, in the order in which it was read."""
        return self._text.decode(errors="replace")

    def read(self, seconds: float) -> bool:
        """Read what is there within some time; return whether there is more to come."""
        if self._terminal is not None:
            streams = {self._terminal: "out"}
        else:
            assert self.process.stdout is not None
            assert self.process.stderr is not None
            streams = {self.process.stdout.fileno(): "out", self.process.stderr.fileno(): "err"}
        ready, _, _ = select.select(list(streams), [], [], seconds)
        is_open = True
        for descriptor in ready:
            try:
                chunk = os.read(descriptor, 65536)
            except OSError:  # a terminal whose other side is gone
                chunk = b""
            is_open = is_open and bool(chunk)
            self._text += chunk
            setattr(self, streams[descriptor], getattr(self, streams[descriptor]) + chunk)
        return is_open

    def await_text(self, text: str, count: int = 1) -> None:
        """Read what it shows until this has come, so many times."""
        deadline = time.monotonic() + PATIENCE
        while self.text.count(text) < count:
            assert self.read(deadline - time.monotonic()), f"ended before {text!r}: {self.text}"
            assert time.monotonic() < deadline, f"no {text!r}: {self.text}"

    @property
    def url(self) -> str:
        self.await_text("/api")
        found = re.search(r"http://127\.0\.0\.1:\d+/api", self.text)
        assert found is not None
        return found[0]

    @contextlib.contextmanager
    def client(self) -> Iterator[httpx.Client]:
        with httpx.Client(base_url=self.url, timeout=10, trust_env=False) as client:
            yield client

    def await_ready(self) -> None:
        self.await_text("--start crash")

    def rewrite(self, old: str, new: str) -> None:
        """Change the workers' code as editors do: a new file in the place of the old."""
        path = self.directory / "workers.py"
        fresh = path.with_suffix(".new")
        fresh.write_text(path.read_text().replace(old, new))
        fresh.replace(path)

    def send(self, signum: signal.Signals, *, to_group: bool = False) -> None:
        """Send a signal to the command, or to it and its workers, as a terminal does."""
        if to_group:
            os.killpg(self.process.pid, signum)
        else:
            self.process.send_signal(signum)

    def end(self) -> int:
        """Read to the end; return the exit status."""
        while self.process.poll() is None:
            self.read(0.1)
        while self.read(0.2) and self._terminal is None:
            pass
        return self.process.returncode

    def close(self) -> None:
        self._watchdog.cancel()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()
        if self._terminal is not None:
            os.close(self._terminal)


@contextlib.contextmanager
def running(directory: Path, *words: str, **options: Any) -> Iterator[Dev]:
    dev = Dev(directory, *words, **options)
    try:
        yield dev
    finally:
        dev.close()


def start(client: httpx.Client, workflow_name: str, /, **source: Any) -> str:
    return client.post(f"/workflow/{workflow_name}", json=source).raise_for_status().text


def workflow(client: httpx.Client, workflow_id: str) -> dict[str, Any]:
    found: dict[str, Any] = client.get(f"/workflow/{workflow_id}").raise_for_status().json()
    return found


def until(condition: Callable[[], object]) -> None:
    """Ask until it is so: neither the server nor the system tells an event."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)  # noqa: TID251 - see above


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan that has ended may wait for its reaper.
    return " Z " not in Path(f"/proc/{pid}/stat").read_text() if Path(f"/proc/{pid}").exists() else False
