"""Fleets of several processes, against a development server on a socket."""

import os
import signal
import time
from pathlib import Path

import pytest
from fleet_rig import children, fleet, is_alive, naps_begun, statuses, until
from process_rig import Server

INT, TERM, USR1, USR2 = signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2
BACKENDS = ["asyncio", "trio"]


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
        shield = server.start("shield", seconds=60)
        process.await_output("shielding")
        pids = children(process)
        process.send(TERM)
        process.await_output("Draining: ", 2)
        process.send(TERM)
        until(lambda: statuses(server, naps) == {"SCHEDULED"})
        assert any(map(is_alive, pids)), "it shields itself"
        process.send(INT)
        assert process.end() == 128 + INT
        until(lambda: not any(map(is_alive, pids)))
    assert server.task(shield)["status"] == "IN_PROGRESS"


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


@pytest.mark.parametrize("backend", BACKENDS)
def test_thread_that_outlives_the_grace_is_named_and_left(
    backend: str, server: Server, tmp_path: Path
) -> None:
    code = "anyworker.run(processes=2, backend=sys.argv[1], import_modules=['workers'], grace=0.3)"
    with fleet(server, tmp_path, code, backend) as process:
        toil = server.start("toil", seconds=60)
        process.await_output("toiling")
        pids = children(process)
        process.send(TERM)
        assert process.end() == 4
        assert not any(map(is_alive, pids))
    assert server.task(toil)["status"] == "IN_PROGRESS"
    assert b"in toil" in process.err


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
    with fleet(server, tmp_path, code, wait_for="Conductor Worker[", count=3) as process:
        assert len(children(process)) == 3
        ids = [server.start(kind) for kind in ("nap", "toil", "nap", "toil")]
        until(lambda: statuses(server, ids) == {"COMPLETED"})
        pids = [server.task(workflow_id)["outputData"]["result"] for workflow_id in ids]
        assert pids[0] == pids[2] != pids[1] == pids[3]
        process.send(TERM)
        assert process.end() == 0
    assert process.err.count(b"Conductor Worker[") == 3


SLOW_IMPORT = """
import os, time
from anyworker import worker_task
if "PARENT" in os.environ:
    os.write(1, b"importing\\n")
    time.sleep(float(os.environ["PARENT"]))
os.environ["PARENT"] = os.environ["SECONDS"]

@worker_task("late")
def late() -> None: ...
"""


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("count", [1, 2])
def test_signals_while_processes_import_their_workers(
    backend: str, count: int, server: Server, tmp_path: Path
) -> None:
    """The first lets them end their import, and nothing begins; the second kills them, and is told of."""
    (tmp_path / "late.py").write_text(SLOW_IMPORT)
    code = "anyworker.run(processes=2, backend=sys.argv[1], import_modules=['late'])"
    seconds = "1.5" if count == 1 else "60"
    with fleet(
        server, tmp_path, code, backend, wait_for="importing", environment={"SECONDS": seconds}
    ) as process:
        pids = children(process)
        for number in range(count):
            process.send(TERM)
            if number == 0:
                process.await_output("Draining 2 processes")
        assert process.end() == (0 if count == 1 else 128 + TERM)
        until(lambda: not any(map(is_alive, pids)))
    assert server.last_poll("late") == 0


@pytest.mark.parametrize(("count", "status"), [(1, 0), (2, 128 + TERM)])
def test_signals_while_the_parent_imports_begin_no_process(
    count: int, status: int, server: Server, tmp_path: Path
) -> None:
    """The first lets the import end, the second breaks it off."""
    (tmp_path / "late.py").write_text(
        "import os, time\nfrom anyworker import worker_task\nos.write(1, b'importing\\n')\n"
        "until = time.monotonic() + 2\nwhile time.monotonic() < until:\n    time.sleep(0.05)\n"
        "@worker_task('late')\ndef late() -> None: ...\n"
    )
    code = "anyworker.run(processes=2, import_modules=['late'])"
    with fleet(server, tmp_path, code, wait_for="importing", count=1) as process:
        for _ in range(count):
            process.send(TERM)
            time.sleep(0.2)  # noqa: TID251 - the kernel merges signals that follow each other at once
        assert process.end() == status
    assert process.out.count(b"importing") == 1
    assert server.last_poll("late") == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_third_signal_ends_processes_whose_event_loops_are_blocked(
    backend: str, server: Server, tmp_path: Path
) -> None:
    code = """
import os, time
@anyworker.worker_task("block")
async def block() -> None:
    os.write(1, b"blocking\\n")
    time.sleep(60)
if __name__ == "__main__":
    anyworker.run(processes=2, backend=sys.argv[1], import_modules=["workers"])
"""
    with fleet(server, tmp_path, code, backend) as process:
        server.start("block")
        process.await_output("blocking")
        pids = children(process)
        process.send(TERM)
        process.await_output("Draining 2 processes")
        process.send(TERM)
        time.sleep(0.2)  # noqa: TID251 - the kernel merges signals that follow each other at once
        process.send(TERM)
        assert process.end() == 128 + TERM
        until(lambda: not any(map(is_alive, pids)))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("way", ["command", "module", "handler"])
def test_command_and_handler_take_signals_as_run_does(
    way: str, backend: str, server: Server, tmp_path: Path
) -> None:
    code = (
        "with anyworker.TaskHandler(import_modules=['workers'], processes=2, backend=sys.argv[1]) as handler:"
    )
    code += "\n    handler.start_processes()\n    handler.join_processes()\n"
    run = ["run", "workers", "--processes", "2", "--backend", backend]
    command = {
        "command": ["-c", "from anyworker.cli import main; main()", *run],
        "module": ["-m", "anyworker", *run],
        "handler": ["main.py", backend],
    }[way]
    with fleet(server, tmp_path, code, command=command) as process:
        assert len(children(process)) == 2
        ids = naps_begun(server, process, 3, seconds=1.5)
        long = server.start("toil", seconds=60)
        process.await_output("toiling")
        for pid in (process.process.pid, *children(process)):
            os.kill(pid, INT)
        until(lambda: statuses(server, ids) == {"COMPLETED"})
        process.send(INT)
        assert process.end() == 4
    assert b"in toil" in process.err
    assert server.task(long)["status"] == "IN_PROGRESS"
