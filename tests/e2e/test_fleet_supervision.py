"""What the parent of a fleet does when a process dies, blocks, grows old, or cannot start; and without it."""

import os
import re
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from fleet_rig import STARTED, children, fleet, is_alive, naps_begun, statuses, until
from process_rig import Server

KILL, TERM = signal.SIGKILL, signal.SIGTERM
BACKENDS = ["asyncio", "trio"]
TWO = "anyworker.run(processes=2, import_modules=['workers'], backend=sys.argv[1])"


@pytest.mark.parametrize("backend", BACKENDS)
def test_killed_process_is_explained_and_replaced(backend: str, server: Server, tmp_path: Path) -> None:
    with fleet(server, tmp_path, TWO, backend) as process:
        pids = children(process)
        os.kill(pids[0], KILL)
        process.await_output("Conductor Worker[name=toil", 3)
        assert len(children(process)) == 2
        assert pids[1] in children(process)
        process.send(TERM)
        assert process.end() == 0
    assert b"(pid %d) was killed by signal 9, often out of memory" % pids[0] in process.err


@pytest.mark.parametrize("backend", BACKENDS)
def test_process_that_drains_by_itself_is_replaced(backend: str, server: Server, tmp_path: Path) -> None:
    with fleet(server, tmp_path, TWO, backend) as process:
        ids = naps_begun(server, process, 4, seconds=1)
        os.kill(children(process)[0], TERM)
        process.await_output("Conductor Worker[name=toil", 3)
        assert statuses(server, ids) <= {"COMPLETED", "IN_PROGRESS"}
        process.send(TERM)
        assert process.end() == 0
    assert statuses(server, ids) == {"COMPLETED"}


def test_20_killed_processes_are_replaced_and_only_their_tasks_run_twice(
    server: Server, tmp_path: Path
) -> None:
    code = """
from anyworker import get_task_context
@anyworker.worker_task("count", thread_count=5)
async def count() -> None:
    context = get_task_context()
    os.write(1, f"did {context.get_task_id()} {context.get_poll_count()}.\\n".encode())
import os
if __name__ == "__main__":
    settings = {"processes": 3, "import_modules": ["workers"], "restart_backoff_max_seconds": 0.01}
    with anyworker.TaskHandler(**settings) as handler:
        handler.start_processes()
        handler.join_processes()
"""
    stop = threading.Event()

    def load() -> None:
        own = Server(server.url)
        with own.http:
            while not stop.wait(0.01):
                own.start("count")

    loaders = [threading.Thread(target=load) for _ in range(2)]
    with fleet(server, tmp_path, code, count=3, patience=180) as process:
        for loader in loaders:
            loader.start()
        try:
            for number in range(1, 11):
                until(lambda: len(children(process)) == 3)
                for pid in children(process)[:2]:
                    os.kill(pid, KILL)
                process.await_output(STARTED, 3 + 2 * number)
                process.await_output("did ", process.out.count(b"did ") + 20)
        finally:
            stop.set()
            for loader in loaders:
                loader.join()
        process.send(TERM)
        assert process.end() == 0
    executions = re.findall(rb"did (\S+ \d+)\.", process.out)
    given_back = set(re.findall(rb"Task (\S+) \(workflow .*: given back after", process.err))
    repeated = {each.split()[0] for each, count in Counter(executions).items() if count > 1}
    assert len(set(executions)) >= 100  # of 200 at least, if every killed process had its hands full
    assert repeated <= given_back, "a task ran twice that no killed process had in hand"
    assert process.err.count(b"was killed by signal 9") == 20


@pytest.mark.parametrize("backend", BACKENDS)
def test_process_that_exits_at_once_is_restarted_ever_later(
    backend: str, server: Server, tmp_path: Path
) -> None:
    code = """
import workers
@anyworker.worker_task("bomb")
def bomb() -> None: ...

class Fuse(anyworker.TaskRunnerEventsListener):
    def on_poll_started(self, event):
        if event.task_type == "bomb":
            os._exit(7)

import os
if __name__ == "__main__":
    anyworker.run(processes="per-worker", event_listeners=[Fuse()], backend=sys.argv[1])
"""
    with fleet(server, tmp_path, code, backend, wait_for="restart 4)", count=1) as process:
        workflow_id = server.start("nap")
        until(lambda: statuses(server, [workflow_id]) == {"COMPLETED"})
        process.send(TERM)
        assert process.end() == 0
    delays = [float(each) for each in re.findall(rb"restarting in ([\d.]+) s", process.err)]
    assert all(delay / 0.25 / 1.6**number >= 0.5 for number, delay in enumerate(delays)), delays
    assert b"ended with exit status 7" in process.err
    assert process.err.count(b"name=nap") == 1


def test_place_whose_processes_die_too_often_is_given_up(server: Server, tmp_path: Path) -> None:
    code = """
import os
import workers
class Fuse(anyworker.TaskRunnerEventsListener):
    def on_poll_started(self, event):
        os._exit(7)
if __name__ == "__main__":
    anyworker.run(processes=2, event_listeners=[Fuse()], restart_max_attempts=2)
"""
    with fleet(server, tmp_path, code, wait_for="Conductor Worker[name=toil", count=6) as process:
        assert process.end() == 4
    assert process.err.count(b"not restarted after 2 restarts in a row") == 2
    assert process.err.count(b"ended with exit status 7") == 6


@pytest.mark.parametrize("kind", ["raise RuntimeError('no second time')", "import nothing_of_that_name"])
def test_process_that_cannot_start_stops_the_fleet_with_its_error(
    kind: str, server: Server, tmp_path: Path
) -> None:
    (tmp_path / "moody.py").write_text(
        "import pathlib, os\nfrom anyworker import worker_task\n"
        f"if 'PARENT' in os.environ:\n    {kind}\nos.environ['PARENT'] = '1'\n"
        "@worker_task('moody')\ndef moody() -> None: ...\n"
    )
    code = "anyworker.run(processes=2, import_modules=['moody'])"
    with fleet(server, tmp_path, code, wait_for="Cannot start", count=1) as process:
        assert process.end() == 3
    assert process.err.count(b"Cannot start") == 1
    assert (b"no second time" in process.err) or (b"nothing_of_that_name" in process.err)
    assert b"restart" not in process.err


@pytest.mark.parametrize("backend", BACKENDS)
def test_blocked_event_loop_is_reported_with_its_stack_and_replaced(
    backend: str, server: Server, tmp_path: Path
) -> None:
    code = """
import time
@anyworker.worker_task("wedge")
async def wedge() -> None:
    time.sleep(60)
if __name__ == "__main__":
    anyworker.run(processes="per-worker", watchdog=1, import_modules=["workers"], backend=sys.argv[1])
"""
    with fleet(server, tmp_path, code, backend, wait_for="Conductor Worker[", count=4) as process:
        began = time.monotonic()
        server.start("wedge")
        process.await_output("Conductor Worker[name=wedge", 2)
        assert time.monotonic() - began < 8
        process.send(TERM)
        assert process.end() == 0
    assert b"no sign of life for 1." in process.err
    assert b"in wedge" in process.err
    assert b"'wedge' (pid" in process.err
    assert b"was killed by its parent; restarting" in process.err
    assert b"out of memory" not in process.err


@pytest.mark.parametrize("backend", BACKENDS)
def test_processes_finish_and_go_when_their_parent_is_killed(
    backend: str, server: Server, tmp_path: Path
) -> None:
    with fleet(server, tmp_path, TWO, backend) as process:
        pids = children(process)
        ids = naps_begun(server, process, 4, seconds=2)
        process.send(KILL)
        until(lambda: not any(map(is_alive, pids)))
    assert statuses(server, ids) == {"COMPLETED"}
    late = server.start("nap")
    time.sleep(0.3)  # noqa: TID251 - nothing is to happen
    assert statuses(server, [late]) == {"SCHEDULED"}


def test_processes_that_still_import_go_at_once_when_their_parent_is_killed(
    server: Server, tmp_path: Path
) -> None:
    (tmp_path / "slow.py").write_text(
        "import os, time\nfrom anyworker import worker_task\n"
        "if 'PARENT' in os.environ:\n    os.write(1, b'importing')\n    time.sleep(60)\n"
        "os.environ['PARENT'] = '1'\n@worker_task('slow')\ndef slow() -> None: ...\n"
    )
    code = "anyworker.run(processes=2, import_modules=['slow'])"
    with fleet(server, tmp_path, code, wait_for="importing") as process:
        pids = children(process)
        process.send(KILL)
        until(lambda: not any(map(is_alive, pids)))
        assert len(pids) == 2


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("limit", ["max_tasks_per_process=5", "max_rss_mb=1"])
def test_old_process_is_drained_behind_its_successor(
    limit: str, backend: str, server: Server, tmp_path: Path
) -> None:
    code = f"anyworker.run(processes=2, import_modules=['workers'], {limit}, backend=sys.argv[1])"
    with fleet(server, tmp_path, code, backend) as process:
        pids = children(process)
        long = naps_begun(server, process, 2, seconds=3)
        ids: list[str] = []
        while set(pids) & set(children(process)):
            ids += [server.start("nap", seconds=0) for _ in range(5)]
            time.sleep(0.1)  # noqa: TID251 - the load of this test
            assert len(children(process)) >= 2
        process.send(TERM)
        assert process.end() == 0
    assert statuses(server, ids + long) == {"COMPLETED"}
    assert limit.partition("=")[0].encode() in process.err
    assert b"was killed" not in process.err


def test_parent_that_was_forked_and_killed_leaves_no_orphans(server: Server, tmp_path: Path) -> None:
    """What it forked holds the sockets to its children open."""
    code = """
import os, signal, threading
def fork() -> None:
    threading.Event().wait(1.0)
    pid = os.fork()
    if pid == 0:
        threading.Event().wait(60)
        os._exit(0)
    os.write(1, f"forked {pid} at last\\\\n".encode())
if __name__ == "__main__":
    with anyworker.TaskHandler(import_modules=["workers"], processes=2) as handler:
        handler.start_processes()
        fork()
        handler.join_processes()
"""
    with fleet(server, tmp_path, code) as process:
        process.await_output("at last")
        forked = int(process.out.decode().split("forked ")[1].split()[0])
        pids = [pid for pid in children(process) if pid != forked]
        try:
            process.send(KILL)
            until(lambda: not any(map(is_alive, pids)))
            assert len(pids) == 2
            assert is_alive(forked)
        finally:
            os.kill(forked, KILL)


def test_lifespan_that_cannot_be_opened_stops_the_fleet(server: Server, tmp_path: Path) -> None:
    (tmp_path / "life.py").write_text(
        "import contextlib\n@contextlib.asynccontextmanager\nasync def pool():\n"
        "    raise RuntimeError('no database')\n    yield {}\n"
    )
    code = "import life\nanyworker.run(processes=2, import_modules=['workers'], lifespan=life.pool)"
    with fleet(server, tmp_path, code, wait_for="Cannot start", count=1) as process:
        assert process.end() == 3
    assert b"no database" in process.err
    assert b"pool" in process.err


def test_fleet_that_was_stopped_and_goes_on_replaces_nobody(server: Server, tmp_path: Path) -> None:
    """As by Ctrl-Z and fg: none of the processes could give a sign of life."""
    code = "anyworker.run(processes=2, import_modules=['workers'], watchdog=1)"
    with fleet(server, tmp_path, code) as process:
        pids = [process.process.pid, *children(process)]
        for signum in (signal.SIGSTOP, signal.SIGCONT):
            for pid in pids:
                os.kill(pid, signum)
            time.sleep(2)  # noqa: TID251 - longer than the watchdog's patience
        assert children(process) == pids[1:]
        process.send(TERM)
        assert process.end() == 0
    assert b"sign of life" not in process.err
