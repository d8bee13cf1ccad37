"""A listener in the parent hears what becomes of the processes, and how far the fleet is on its way out."""

import os
import signal
from pathlib import Path

import pytest
from fleet_rig import STARTED, children, fleet
from process_rig import Process, Server

CODE = """
import os
import anyworker

class Teller(anyworker.TaskRunnerEventsListener):
    def tell(self, event, *words):
        said = ["told", os.getpid(), type(event).__name__, *words]
        os.write(1, (" ".join(map(str, said)) + "\\n").encode())

    def on_child_started(self, event):
        self.tell(event, event.pid)

    def on_child_exited(self, event):
        self.tell(event, event.pid, event.exit_status, event.is_expected, event.restart_in_ms is not None)

    def on_child_replaced(self, event):
        self.tell(event, event.predecessor_pid, event.pid, event.restarts)

    def on_shutdown_stage_entered(self, event):
        self.tell(event, event.stage, event.in_hand)

if __name__ == "__main__":
    anyworker.run(
        processes=2,
        import_modules=["workers"],
        backend=sys.argv[1],
        event_listeners=[Teller()],
        max_tasks_per_process=int(sys.argv[2]),
    )
"""


def told(process: Process) -> list[list[str]]:
    """Return what the parent's listener heard."""
    lines = [line.split()[1:] for line in process.out.decode().splitlines() if line.startswith("told")]
    return [words for teller, *words in lines if teller == str(process.process.pid)]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_death_of_a_process_and_its_replacement_are_told(
    backend: str, server: Server, tmp_path: Path
) -> None:
    with fleet(server, tmp_path, CODE, backend, "100") as process:
        before = children(process)
        os.kill(before[0], signal.SIGKILL)
        process.await_output(STARTED, 3)
        [successor] = set(children(process)) - set(before)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    heard = told(process)
    assert sorted(heard[:2]) == sorted(["ChildStarted", str(pid)] for pid in before)
    assert heard[2:5] == [
        ["ChildExited", str(before[0]), "-9", "False", "True"],
        ["ChildStarted", str(successor)],
        ["ChildReplaced", str(before[0]), str(successor), "1"],
    ]
    ends = [["ChildExited", str(pid), "0", "True", "False"] for pid in (before[1], successor)]
    assert heard[5] == ["ShutdownStageEntered", "draining", "0"]
    assert sorted(heard[6:-1]) == sorted(ends)
    assert heard[-1] == ["ShutdownStageEntered", "ended", "0"]


def test_process_that_has_served_its_time_and_its_successor_are_told(server: Server, tmp_path: Path) -> None:
    with fleet(server, tmp_path, CODE, "asyncio", "1") as process:
        before = children(process)
        server.start("nap", seconds=0)
        process.await_output("ChildExited", 1)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    heard = told(process)
    [successor] = {words[1] for words in heard if words[0] == "ChildStarted"} - set(map(str, before))
    [worn] = {words[1] for words in heard[2:] if words[0] == "ChildReplaced"}
    assert int(worn) in before
    assert heard[2:5] == [
        ["ChildStarted", successor],
        ["ChildReplaced", worn, successor, "0"],
        ["ChildExited", worn, "0", "True", "False"],
    ]
