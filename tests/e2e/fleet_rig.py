"""What tests of several processes share."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from process_rig import PATIENCE, Process, Server

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

@worker_task("shield")
async def shield(seconds: float) -> None:
    say("shielding")
    with anyio.CancelScope(shield=True):
        await anyio.sleep(seconds)

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


HEAD = """
import logging, os, sys, threading
import anyworker
from anyworker import TaskHandler, TaskRunnerEventsListener, worker_task
logging.basicConfig(level=logging.INFO, stream=sys.stderr)
"""
WORKER = """
@worker_task("greet")
def greet(name: str = "you") -> str:
    return f"{__name__} {name}"
"""


def script(directory: Path, code: str) -> list[str]:
    """Write a program; return the command that runs it."""
    (directory / "app.py").write_text(HEAD + code)
    return ["app.py"]


@contextlib.contextmanager
def fleet(
    server: Server,
    directory: Path,
    code: str,
    *arguments: str,
    wait_for: str = STARTED,
    count: int = 2,
    patience: float = PATIENCE,
    command: Sequence[str] = ("main.py",),
    environment: Mapping[str, str] = {},
) -> Iterator[Process]:
    """Run a script of that code; go on when its processes poll."""
    (directory / "workers.py").write_text(WORKERS)
    (directory / "main.py").write_text(RUN.format(code=code))
    process = Process([*command, *arguments], directory, server.url, patience=patience, **environment)
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
    return (said := _of_proc(Path("/proc", str(pid), "status"))) != "" and "State:\tZ" not in said


def descendants(pid: int) -> set[int]:
    """Return the children of a process, their children and so on."""
    found = set[int]()
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in map(int, _of_proc(children).split()):
            found |= {child, *descendants(child)}
    return found


def _of_proc(path: Path) -> str:
    """Return what a file of /proc says, nothing if its process has just ended."""
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""


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
