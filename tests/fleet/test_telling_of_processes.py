"""What the listeners in a parent hear of its processes and of the stages of their end."""

import attrs
import pytest
from salvage_scene import scene

from anyworker import ChildExited, ChildReplaced, ChildStarted, LoopBlocked, ShutdownStageEntered
from anyworker.events import Publisher, TaskRunnerEvent
from anyworker.fleet.processes.post import Upkeep
from anyworker.fleet.processes.reporting import ProcessReporter
from anyworker.fleet.processes.supervisor import Supervisor


@attrs.define
class Gone:
    """A process that has ended."""

    pid: int = 7
    status: int | None = 0
    ending: str = "ended"
    served: float = 0.0
    silence: float = 0.0
    is_retiring: bool = False
    was_dismissed: bool = False


class Heard:
    """A listener that keeps what only a parent tells."""

    def __init__(self) -> None:
        self.events: list[TaskRunnerEvent] = []
        self.on_child_started = self.on_child_exited = self.on_child_replaced = self.events.append
        self.on_loop_blocked = self.on_shutdown_stage_entered = self.events.append


def reporter(heard: Heard, *task_types: str) -> ProcessReporter:
    return ProcessReporter(Publisher([heard]), "process 1 of 2", task_types)


def test_process_killed_for_its_silence_had_a_blocked_event_loop() -> None:
    heard = Heard()
    reporter(heard, "work").exited(Gone(status=-9, ending="fell silent", served=60.0, silence=2.5), 0.5)
    blocked, ended = heard.events
    assert isinstance(blocked, LoopBlocked)
    assert (blocked.duration_ms, blocked.pid, blocked.task_type, blocked.task_id) == (2500, 7, "work", None)
    assert isinstance(ended, ChildExited)
    assert (ended.exit_status, ended.reason, ended.is_expected) == (-9, "fell silent", False)
    assert (ended.served_ms, ended.restart_in_ms) == (60_000, 500)


def test_process_that_died_otherwise_had_no_blocked_event_loop() -> None:
    heard = Heard()
    reporter(heard, "work").exited(Gone(status=-9), None)
    [ended] = heard.events
    assert isinstance(ended, ChildExited)
    assert ended.restart_in_ms is None


@pytest.mark.parametrize("gone", [Gone(is_retiring=True), Gone(was_dismissed=True)])
def test_end_that_was_asked_for_is_expected(gone: Gone) -> None:
    heard = Heard()
    reporter(heard, "work").exited(gone, None)
    [ended] = heard.events
    assert isinstance(ended, ChildExited)
    assert ended.is_expected


def test_process_of_several_workers_has_no_task_type_of_its_own() -> None:
    heard = Heard()
    telling = reporter(heard, "one", "two")
    telling.started(Gone(pid=8))
    telling.replaced(Gone(pid=8), (7, "500 tasks"), 0)
    started, replaced = heard.events
    assert isinstance(started, ChildStarted)
    assert (started.task_type, started.task_types, started.pid) == ("", ("one", "two"), 8)
    assert isinstance(replaced, ChildReplaced)
    assert (replaced.predecessor_pid, replaced.pid, replaced.reason) == (7, 8, "500 tasks")
    assert (replaced.restarts, replaced.process) == (0, "process 1 of 2")


@pytest.mark.virtual_time
@pytest.mark.parametrize("stops", [False, True])
async def test_parent_tells_the_stages_of_the_whole_fleet(stops: bool) -> None:
    heard = Heard()
    async with scene() as play:
        parent = Supervisor([], 5.0, Upkeep(), salvage=play.salvage, publisher=Publisher([heard]))
        parent.quiet()
        parent.quiet()
        _ = parent.stop() if stops else parent.drain()
        await parent.run()
    stages = [event.stage for event in heard.events if isinstance(event, ShutdownStageEntered)]
    assert stages == ["quiet", "draining", *(["cancelling"] if stops else []), "ended"]
