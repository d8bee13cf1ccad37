"""What tests of whole processes share: a development server on a socket, and a process with workers."""

import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from typing import Any

import httpx

PATIENCE = 60.0

_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Server:
    """A client of the development server, for tests without an event loop."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=10, trust_env=False)

    def start(self, task_type: str, **task_def: Any) -> str:
        """Start a workflow of one task that takes its seconds from the workflow's input."""
        seconds = task_def.pop("seconds", 0)
        self.http.post("/metadata/taskdefs", json=[{"name": task_type, **task_def}]).raise_for_status()
        task = {
            "name": task_type,
            "taskReferenceName": "it",
            "type": "SIMPLE",
            "inputParameters": {"seconds": seconds},
        }
        definition = {"name": "flow", "version": 1, "schemaVersion": 2, "tasks": [task]}
        body = {"name": "flow", "workflowDef": definition}
        answer = self.http.post("/workflow", json=body)
        return answer.raise_for_status().text

    def task(self, workflow_id: str) -> dict[str, Any]:
        return self.http.get(f"/workflow/{workflow_id}").raise_for_status().json()["tasks"][0]

    def last_poll(self, task_type: str) -> int:
        data = self.http.get("/tasks/queue/polldata", params={"taskType": task_type}).json()
        return max((entry["lastPollTime"] for entry in data), default=0)


class Process:
    """A process with workers, ended for certain after half a minute, or when its test loses patience."""

    def __init__(
        self,
        command: list[str],
        directory: Path,
        url: str,
        *,
        stdin: int = subprocess.DEVNULL,
        patience: float = PATIENCE,
        **environment: str,
    ) -> None:
        self.began = time.monotonic()
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=directory,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "CONDUCTOR_SERVER_URL": url, **environment},
        )
        self.out = b""
        self.err = b""
        self._watchdog = threading.Timer(patience, self.process.kill)
        self._watchdog.start()

    def await_output(self, text: str, count: int = 1) -> None:
        """Read what it prints until this has come so many times."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        streams = {self.process.stdout.fileno(): "out", self.process.stderr.fileno(): "err"}
        while (self.out + self.err).count(text.encode()) < count:
            ready, _, _ = select.select(list(streams), [], [], PATIENCE)
            assert ready, f"no {text!r} in {self.out!r}, {self.err!r}"
            for descriptor in ready:
                chunk = os.read(descriptor, 65536)
                assert chunk, f"ended before {text!r}: {self.out!r}, {self.err!r}"
                setattr(self, streams[descriptor], getattr(self, streams[descriptor]) + chunk)

    def write(self, text: str) -> None:
        """Give it something to read."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode())
        self.process.stdin.flush()

    def send(self, signum: signal.Signals) -> None:
        self.process.send_signal(signum)

    def end(self) -> int:
        """Return the exit status."""
        out, err = self.process.communicate(timeout=PATIENCE)
        self.out += out
        self.err += err
        self._watchdog.cancel()
        return self.process.returncode

    def close(self) -> None:
        self._watchdog.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()


def port_url(process: Process) -> str:
    """Return the URL of the status page that a process has logged; it ends in a slash."""
    match = re.search(rb"Status: (http://[^,\s]+/),", process.err)
    assert match is not None
    return match[1].decode()


def fetch(url: str) -> bytes:
    """Return what is served there, asked for without any proxy."""
    with _direct.open(url, timeout=10) as answer:
        body: bytes = answer.read()
    return body
