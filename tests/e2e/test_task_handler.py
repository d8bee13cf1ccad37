"""``TaskHandler`` in programs of its users."""

import signal
import subprocess
import time
from pathlib import Path
from typing import Literal

import pytest
from fleet_rig import WORKER, children, script, statuses, until
from process_rig import Process, Server

from anyworker import ConfigurationError, TaskHandler, Worker


def test_handler_starts_again_after_it_was_stopped(server: Server, tmp_path: Path) -> None:
    code = f"""{WORKER}
if __name__ == "__main__":
    handler = TaskHandler()
    for _ in range(2):
        handler.start_processes()
        print("status", handler.get_worker_process_status(), handler.is_healthy(), flush=True)
        assert sys.stdin.readline()
        handler.stop_processes()
        print("stopped", handler.is_healthy(), flush=True)
"""
    process = Process(script(tmp_path, code), tmp_path, server.url, stdin=subprocess.PIPE)
    try:
        for count in (1, 2):
            workflow_id = server.start("greet")
            until(lambda workflow_id=workflow_id: statuses(server, [workflow_id]) == {"COMPLETED"})
            assert len(children(process)) == 1
            process.write("\n")
            process.await_output("stopped False", count)
            assert children(process) == []
        assert process.end() == 0
    finally:
        process.close()
    assert process.out.count(b"'alive': True") == 2
    assert b"'worker': 'greet'" in process.out
    assert b"True\n" in process.out


HANDLED = f"""{WORKER}
if __name__ == "__main__":
    handler = TaskHandler(processes=2, backend=sys.argv[1], grace=5)
    handler.start_processes()
    for line in sys.stdin:
        getattr(handler, line.strip())()
        print("did", line.strip(), flush=True)
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_handler_is_quiet_resumes_and_stops_by_calls(backend: str, server: Server, tmp_path: Path) -> None:
    process = Process([*script(tmp_path, HANDLED), backend], tmp_path, server.url, stdin=subprocess.PIPE)
    try:
        process.await_output("Conductor Worker[", 2)
        process.write("quiet\n")
        process.await_output("did quiet")
        process.await_output("Quiet: polling no more", 2)
        until_stable(server, "greet")
        workflow_id = server.start("greet")
        assert not until_stable(server, "greet")
        assert statuses(server, [workflow_id]) == {"SCHEDULED"}
        process.write("resume\n")
        until(lambda: statuses(server, [workflow_id]) == {"COMPLETED"})
        process.write("stop_processes\n")
        process.await_output("did stop_processes")
        assert children(process) == []
        assert process.end() == 0
    finally:
        process.close()


def until_stable(server: Server, task_type: str) -> bool:
    """Wait until nobody has polled for a while; return whether somebody had."""
    last, is_first = server.last_poll(task_type), True
    while True:
        time.sleep(1.3)  # noqa: TID251 - nothing is to happen
        if (now := server.last_poll(task_type)) == last:
            return not is_first
        last, is_first = now, False


def test_handler_outside_of_the_main_thread_leaves_signals_alone(server: Server, tmp_path: Path) -> None:
    code = f"""{WORKER}
import signal
def handlers():
    return [signal.getsignal(signum) for signum in (signal.SIGTERM, signal.SIGUSR1)]
def serve():
    with TaskHandler(processes=1) as handler:
        handler.start_processes()
        print("handlers", handlers() == before, flush=True)
        done.wait()
if __name__ == "__main__":
    done = threading.Event()
    before = handlers()
    thread = threading.Thread(target=serve)
    thread.start()
    sys.stdin.readline()
    done.set()
    thread.join()
"""
    process = Process(script(tmp_path, code), tmp_path, server.url, stdin=subprocess.PIPE)
    try:
        process.await_output("Conductor Worker[")
        workflow_id = server.start("greet")
        until(lambda: statuses(server, [workflow_id]) == {"COMPLETED"})
        process.write("\n")
        assert process.end() == 0
    finally:
        process.close()
    assert b"handlers True" in process.out


@pytest.mark.parametrize("way", ["workers=[greet], scan_for_annotated_workers=False", "", "[greet]"])
def test_handler_runs_what_it_is_given_or_all_that_are_registered(
    way: str, server: Server, tmp_path: Path
) -> None:
    code = f"""{WORKER}
@worker_task("other")
def other() -> None: ...
if __name__ == "__main__":
    print("run", [worker.task_definition_name for worker in TaskHandler({way}).workers])
"""
    process = Process(script(tmp_path, code), tmp_path, server.url)
    try:
        assert process.end() == 0
    finally:
        process.close()
    assert ("run ['greet', 'other']" if not way else "run ['greet']").encode() in process.out


def test_handler_whose_process_cannot_start_says_so_when_joined(server: Server, tmp_path: Path) -> None:
    code = f"""{WORKER}
if __name__ != "__main__":
    raise RuntimeError("not again")
handler = TaskHandler()
handler.start_processes()
try:
    handler.join_processes()
except anyworker.ConfigurationError as error:
    print("refused", error, handler.is_healthy())
"""
    process = Process(script(tmp_path, code), tmp_path, server.url)
    try:
        assert process.end() == 0
    finally:
        process.close()
    assert b"refused importing" in process.out
    assert b"app.py:" in process.out
    assert b"not again" in process.out
    assert process.out.rstrip().endswith(b"False")


def test_handler_refuses_what_no_other_process_can_get() -> None:
    def inner() -> None: ...

    with pytest.raises(ConfigurationError, match="inside of a function: move it to the top level"):
        TaskHandler([Worker("closure", inner)])
    with pytest.raises(ConfigurationError, match=r"'processes'|processes=0"):
        TaskHandler([Worker("any", print)], processes=0)
    with pytest.raises(ConfigurationError, match="restart_backoff_seconds=-1"):
        TaskHandler([Worker("any", print)], restart_backoff_seconds=-1, processes=1, max_rss_mb=500)
    with pytest.raises(ConfigurationError, match=r"monitor_interval_seconds=None: .* number above 0$"):
        TaskHandler([Worker("any", print)], monitor_interval_seconds=None)  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ConfigurationError, match="no workers"):
        TaskHandler()
    with pytest.raises(ConfigurationError, match="scan_for_annotated_workers"):
        TaskHandler(scan_for_annotated_workers=False)


@pytest.mark.parametrize(("processes", "places"), [("per-worker", ["one", "two"]), (2, ["one, two"] * 2)])
def test_handler_that_has_not_started_has_empty_places(
    processes: int | Literal["per-worker"], places: list[str]
) -> None:
    handler = TaskHandler([Worker("one", print), Worker("two", print)], processes=processes)
    assert not handler.is_healthy()
    assert handler.get_worker_process_status() == [
        {"worker": place, "pid": None, "alive": False, "exitcode": None, "restart_count": 0}
        for place in places
    ]


def test_worker_may_use_what_is_defined_behind_the_handler(server: Server, tmp_path: Path) -> None:
    code = """
@worker_task("late")
def late() -> str:
    return helper()

handler = TaskHandler(processes=1)

def helper() -> str:
    return "helped"

handler.start_processes()
handler.join_processes()
"""
    process = Process(script(tmp_path, code), tmp_path, server.url)
    try:
        workflow_id = server.start("late")
        until(lambda: statuses(server, [workflow_id]) == {"COMPLETED"})
        assert server.task(workflow_id)["outputData"] == {"result": "helped"}
        process.send(signal.SIGTERM)
        assert process.end() == 0
    finally:
        process.close()
