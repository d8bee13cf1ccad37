"""A listener in the parent hears what becomes of the processes."""

import os
import signal
from pathlib import Path

import pytest
from fleet_rig import STARTED, children, fleet
from process_rig import Server

CODE = """
import os
import anyworker

class Teller(anyworker.TaskRunnerEventsListener):
    def tell(self, event, *words):
        os.write(1, (" ".join(["told", type(event).__name__, *map(str, words)]) + "\\n").encode())

    def on_child_started(self, event):
        self.tell(event, event.pid)

    def on_child_exited(self, event):
        self.tell(event, event.pid, event.exit_status, event.is_expected, event.restart_in_ms is not None)

    def on_child_replaced(self, event):
        self.tell(event, event.predecessor_pid, event.pid, event.restarts)

if __name__ == "__main__":
    anyworker.run(
        processes=2, import_modules=["workers"], backend=sys.argv[1], event_listeners=[Teller()]
    )
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_death_of_a_process_and_its_replacement_are_told(
    backend: str, server: Server, tmp_path: Path
) -> None:
    with fleet(server, tmp_path, CODE, backend) as process:
        before = children(process)
        os.kill(before[0], signal.SIGKILL)
        process.await_output(STARTED, 3)
        [successor] = set(children(process)) - set(before)
        process.send(signal.SIGTERM)
        assert process.end() == 0
    told = [line.split()[1:] for line in process.out.decode().splitlines() if line.startswith("told")]
    assert sorted(told[:2]) == sorted(["ChildStarted", str(pid)] for pid in before)
    assert told[2:5] == [
        ["ChildExited", str(before[0]), "-9", "False", "True"],
        ["ChildStarted", str(successor)],
        ["ChildReplaced", str(before[0]), str(successor), "1"],
    ]
    ends = [["ChildExited", str(pid), "0", "True", "False"] for pid in (before[1], successor)]
    assert sorted(told[5:]) == sorted(ends)
