"""What an orchestrator is told while processes of a fleet die, are given up, or stand still."""

import contextlib
import json
import os
import signal
import urllib.error
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fleet_rig import until
from process_rig import Process, Server, fetch, port_url

PROGRAM = """
import logging, sys, time
import anyio
import anyworker
logging.basicConfig(level=logging.INFO, stream=sys.stderr)

@anyworker.worker_task("nap")
async def nap(seconds: float) -> None:
    await anyio.sleep(seconds)

@anyworker.worker_task("wedge")
async def wedge(seconds: float) -> None:
    time.sleep(seconds)

if __name__ == "__main__":
    anyworker.run(
        processes=2,
        restart_max_attempts=1,
        watchdog=1.0,
        metrics_settings=anyworker.MetricsSettings(http_port=0, update_interval=0.1),
    )
"""

Answer = tuple[int, dict[str, Any]]


def probe(process: Process, path: str) -> Answer:
    try:
        return 200, json.loads(fetch(port_url(process) + path))
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def problems(answer: Answer, subject: str) -> list[dict[str, Any]]:
    return [problem for problem in answer[1]["problems"] if problem["subject"] == subject]


@pytest.fixture
def running(server: Server, tmp_path: Path) -> Iterator[Process]:
    with fleet(server.url, tmp_path) as process:
        until(lambda: probe(process, "ready")[0] == 200)
        yield process


@contextlib.contextmanager
def fleet(url: str, directory: Path) -> Iterator[Process]:
    (directory / "main.py").write_text(PROGRAM)
    process = Process(["main.py"], directory, url)
    try:
        process.await_output("Conductor Worker[name=wedge", 2)
        yield process
    finally:
        process.close()


def kill_first(process: Process) -> int:
    """Kill the process in the first place, and return its id."""
    pid = int(probe(process, "health")[1]["processes"][0]["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


def test_process_that_dies_degrades_until_it_is_replaced_and_fails_when_it_is_given_up(
    running: Process,
) -> None:
    answers: list[Answer] = []

    def shows(status: int, level: str) -> bool:
        answers.append(probe(running, "health"))
        return (answers[-1][0], answers[-1][1]["status"]) == (status, level)

    assert shows(200, "ok")
    kill_first(running)
    until(lambda: shows(200, "degraded"))
    [problem] = problems(answers[-1], "process 1 of 2")
    assert problem["workers"] == ["nap", "wedge"]
    assert problem["since"] is not None
    until(lambda: shows(200, "ok"))
    kill_first(running)
    until(lambda: shows(503, "failed"))
    [problem] = problems(answers[-1], "process 1 of 2")
    assert "given up" in problem["problem"]
    assert probe(running, "ready")[0] == 503


def test_process_that_stands_still_is_shown_until_it_is_replaced(running: Process, server: Server) -> None:
    server.start("wedge", seconds=60)
    answers: list[Answer] = []

    def is_degraded() -> bool:
        answers.append(probe(running, "health"))
        return answers[-1][1]["status"] == "degraded"

    until(is_degraded)
    [problem] = answers[-1][1]["problems"]
    assert problem["subject"] in {"process 1 of 2", "process 2 of 2"}
    assert "wedge" in problem["workers"]


def test_server_that_is_away_is_told_by_worker_and_nothing_is_ready(tmp_path: Path) -> None:
    with fleet("http://127.0.0.1:9/api", tmp_path) as process:
        until(lambda: problems(probe(process, "health"), "worker 'nap'"))
        status, report = probe(process, "health")
        assert (status, report["status"]) == (200, "degraded")
        assert {name for problem in report["problems"] for name in problem["workers"]} >= {"nap"}
        assert probe(process, "ready")[0] == 503


def test_draining_fleet_lives_and_is_not_ready(running: Process, server: Server) -> None:
    server.start("nap", seconds=3)
    until(lambda: any(worker["in_hand"] for worker in probe(running, "health")[1]["workers"]))
    running.send(signal.SIGTERM)
    until(lambda: probe(running, "ready")[1]["stage"] == "draining")
    assert probe(running, "ready")[0] == 503
    assert probe(running, "health")[0] == 200
    assert running.end() == 0
