"""Several TaskHandlers in one process: each hears the signals, also when another has ended before it."""

import signal
from pathlib import Path

import pytest
from process_rig import Process, Server

WORKERS = """
import time
from anyworker import worker_task

@worker_task("one")
def one(seconds: float) -> str:
    print("one begun", flush=True)
    time.sleep(seconds)
    return "done"

@worker_task("two")
def two(seconds: float) -> str:
    print("two begun", flush=True)
    time.sleep(seconds)
    return "done"
"""

SCRIPT = """
import logging, sys
import anyworker, workers
logging.basicConfig(level=logging.INFO, stream=sys.stderr)

first, second = anyworker.TaskHandler([workers.one]), anyworker.TaskHandler([workers.two])
with first, second:
    for handler in (first, second):
        handler.start_processes()
    if "{early}" == "first":
        first.stop_processes()
    if "{early}" == "second":
        second.stop_processes()
    print("ready", flush=True)
    first.join_processes()
    second.join_processes()
print("after", flush=True)
"""


@pytest.mark.parametrize("early", ["first", "second", "none"])
def test_one_signal_drains_every_handler(early: str, server: Server, tmp_path: Path) -> None:
    (tmp_path / "workers.py").write_text(WORKERS)
    (tmp_path / "main.py").write_text(SCRIPT.format(early=early))
    process = Process(["main.py"], tmp_path, server.url)
    running = {"first": ["two"], "second": ["one"], "none": ["one", "two"]}[early]
    try:
        process.await_output("ready")
        tasks = [server.start(name, seconds=1) for name in running]
        for name in running:
            process.await_output(f"{name} begun")
        process.send(signal.SIGTERM)
        assert process.end() == 0, process.err.decode()
    finally:
        process.close()
    assert "after" in process.out.decode()
    assert [server.task(task)["status"] for task in tasks] == ["COMPLETED"] * len(tasks)
