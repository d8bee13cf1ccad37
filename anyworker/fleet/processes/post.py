"""One place of a fleet, and the processes that hold it one after another."""

import logging
import math
import signal
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import anyio
import anyio.abc
import attrs
import msgspec

from anyworker.events import Publisher
from anyworker.fleet.conventions import EXIT_ABANDONED
from anyworker.fleet.estates.salvage import Salvage
from anyworker.fleet.processes.orders import Begin, Drain
from anyworker.fleet.processes.process import ChildProcess
from anyworker.fleet.processes.reporting import ProcessReporter
from anyworker.fleet.status import ProcessStatus
from anyworker.observe.ledger import News
from anyworker.policy.restarts import Restarts, RestartSettings

logger = logging.getLogger(__name__)


@attrs.frozen
class Assignment:
    """What the process of a place is for."""

    name: str
    """What messages call it."""
    task_types: tuple[str, ...]
    """Of its workers."""
    begin: Begin


@attrs.frozen
class Upkeep:
    """When a process is replaced."""

    restarts: RestartSettings = attrs.field(factory=RestartSettings)
    has_restarts: bool = True
    """Whether a process that died is replaced at all."""
    watchdog: float | None = None
    """Seconds without a beat after which a process is replaced."""
    max_tasks_per_process: int | None = None
    max_rss_mb: float | None = None
    beat_seconds: float = 1.0
    """Seconds between two signs of life of a process, in which it says how it is; fewer for the watchdog."""

    @property
    def beat_interval(self) -> float:
        """Seconds between two signs of life in fact."""
        return self.beat_seconds if self.watchdog is None else min(self.beat_seconds, self.watchdog / 4)


class Post:
    """Keep a process running in one place.

    Args:
        assignment: What for.
        upkeep: When it is replaced.
        draw: Draws jitter in [0, 1).
        failed: Called with the problems of a process that cannot start, or with none when the place is
            given up.
        counted: Called with what a process says that it has counted.
        salvage: Gives back what a process had that died.
        publisher: Hears of the processes.
    """

    def __init__(
        self,
        assignment: Assignment,
        upkeep: Upkeep,
        draw: Callable[[], float],
        *,
        failed: Callable[[Sequence[str]], object],
        counted: Callable[[News], object],
        salvage: Salvage,
        publisher: Publisher,
    ) -> None:
        self._assignment = assignment
        self._upkeep = upkeep
        self._draw = draw
        self._failed = failed
        self._counted = counted
        self._salvage = salvage
        self._reporter = ProcessReporter(publisher, assignment.name, assignment.task_types)
        self._restarts = Restarts(upkeep.restarts)
        self._restart_count = 0
        self._last_status: int | None = None
        self._worn = ""
        """Why the process that there is is to be replaced."""
        self._begin_at = -math.inf
        """When the next process may begin, in loop time."""
        self._changed = anyio.Event()
        self._current: ChildProcess | None = None
        self._successor: ChildProcess | None = None
        self._predecessor: tuple[int, str] | None = None
        """Who died and is to be replaced: its id, and how it ended."""
        self._is_dissolved = False
        self.children: list[ChildProcess] = []
        """All processes of the place that have not ended: one as a rule, two while one takes over."""
        self.is_quiet = False
        """Whether a process that begins is not to poll yet."""
        self.begun = anyio.Event()
        """Set when the first process has been started."""
        self.is_given_up = False
        """Whether the place stays empty, its processes having died too often."""
        self._died_at: float | None = None
        """Epoch seconds of the last death that no serving process has followed."""
        self.failures = 0
        """Processes that ended badly although they were told to end, and 1 if the place is given up."""

    def status(self) -> ProcessStatus:
        """Return how the place is doing."""
        child = self._current
        return ProcessStatus(
            name=self._assignment.name,
            task_types=", ".join(self._assignment.task_types),
            pid=child.pid if child else None,
            is_alive=child is not None and not child.has_ended,
            is_serving=child is not None and child.is_serving and not child.has_ended,
            exit_status=self._last_status,
            is_given_up=self.is_given_up,
            restarts=self._restart_count,
            down_since=self._down_since_now(child),
            rss_mb=child.beat.rss_mb if child else 0.0,
        )

    def _down_since_now(self, child: ChildProcess | None) -> float | None:
        if child is not None and child.is_serving and not child.has_ended:
            return None
        return self._died_at

    def dissolve(self) -> None:
        """Begin no more processes; those that there are have been told to end."""
        self._is_dissolved = True
        for child in self.children:
            child.is_retiring = True
        self._changed.set()

    async def keep(self) -> None:
        """Keep a process running until the place is dissolved and empty, or given up."""
        async with anyio.create_task_group() as tasks:
            while not self._is_over():
                self._fill(tasks)
                with anyio.CancelScope(deadline=self._next_look()):
                    await self._changed.wait()
                self._changed = anyio.Event()
                self._bury(tasks)

    def _is_over(self) -> bool:
        return not self.children and (self._is_dissolved or self.is_given_up)

    def _next_look(self) -> float:
        is_waiting = self._current is None and not self._is_dissolved and not self.is_given_up
        return self._begin_at if is_waiting else math.inf

    def _fill(self, tasks: anyio.abc.TaskGroup) -> None:
        """Begin the process that is missing, or hand the place over to the one that waits for it."""
        if self._is_dissolved or self.is_given_up:
            return
        current, successor = self._current, self._successor
        if current is not None and successor is not None and successor.is_serving:
            current.is_retiring = True
            current.say(Drain())
            self._current, self._successor = successor, None
            self._reporter.replaced(successor, (current.pid, self._worn), self._restart_count)
        elif current is None and successor is not None:
            self._current, self._successor = successor, None
            self._take_over(successor)
        elif anyio.current_time() < self._begin_at:
            return
        elif current is None:
            self._current = self._begin(tasks)
            self._take_over(self._current)
        elif successor is None and (reason := self._why_worn(current)) is not None:
            logger.info("%s (pid %d) is replaced: %s", self._assignment.name, current.pid, reason)
            self._worn = reason
            self._successor = self._begin(tasks)

    def _take_over(self, child: ChildProcess | None) -> None:
        """Tell that a process has the place of one that died."""
        if child is not None and self._predecessor is not None:
            self._reporter.replaced(child, self._predecessor, self._restart_count)
            self._predecessor = None

    def _begin(self, tasks: anyio.abc.TaskGroup) -> ChildProcess | None:
        self.begun.set()
        try:
            child = ChildProcess.start(self._assignment.name, self._look, self._counted)
        except OSError as error:  # no more processes, memory or descriptors
            self._follow(f"{self._assignment.name} cannot be started ({error})", self._delay(0.0))
            return None
        self.children.append(child)
        logger.info("%s is started (pid %d)", self._assignment.name, child.pid)
        self._reporter.started(child)
        begin = msgspec.structs.replace(self._assignment.begin, is_quiet=self.is_quiet)
        tasks.start_soon(child.follow, begin, self._upkeep.watchdog)
        return child

    def _look(self) -> None:
        self._changed.set()

    def _why_worn(self, child: ChildProcess) -> str | None:
        """Return why a process is to be replaced although it is well."""
        finished = sum(worker.finished for worker in child.beat.workers)
        tasks, rss_mb = self._upkeep.max_tasks_per_process, self._upkeep.max_rss_mb
        if tasks is not None and finished >= tasks:
            return f"{finished} tasks, max_tasks_per_process={tasks}"
        # One that has done nothing yet would be followed by one that takes as much.
        if rss_mb is not None and finished and child.beat.rss_mb > rss_mb:
            return f"it takes {child.beat.rss_mb:.0f} MB, max_rss_mb={rss_mb:g}"
        return None

    def _bury(self, tasks: anyio.abc.TaskGroup) -> None:
        for child in [child for child in self.children if child.has_ended]:
            self.children.remove(child)
            self._last_status = child.status
            if child is self._current:
                self._current = None
            if child is self._successor:
                self._successor = None
            tasks.start_soon(self._settle_estate, child)
            self._take_in_end(child)

    async def _settle_estate(self, child: ChildProcess) -> None:
        """See to what a process had in hand when it ended."""
        assert child.status is not None  # noqa: S101 - it has ended
        # The deaths of its tasks are known before anybody has them again.
        if child.status != 0 or not child.is_retiring:
            await self._salvage.bury(child.pid, child.ending)
        # One that ended by itself has said what becomes of the tasks that it did not hand over.
        if child.status not in {0, EXIT_ABANDONED}:
            await self._salvage.give_back(child.name, child.beat.workers)

    def _take_in_end(self, child: ChildProcess) -> None:
        assert child.status is not None  # noqa: S101 - it has ended
        if child.problems:
            self._is_dissolved = True
            self._reporter.exited(child, None)
            self._failed(child.problems)
        elif child.is_retiring:
            self._reporter.exited(child, None)
            if child.status != 0 and not child.was_dismissed:
                self.failures += 1
                logger.error("%s (pid %d) %s", child.name, child.pid, child.ending)
        else:
            self._take_in_death(child, child.status)

    def _take_in_death(self, child: ChildProcess, status: int) -> None:
        if self._died_at is None or child.is_serving:
            self._died_at = datetime.now(UTC).timestamp()
        how = child.ending
        delay = self._delay(child.served, was_killed=status == -signal.SIGKILL and not child.silence)
        self._predecessor = (child.pid, how)
        self._reporter.exited(child, delay)
        self._follow(f"{child.name} (pid {child.pid}) {how}", delay)

    def _delay(self, served: float, *, was_killed: bool = False) -> float | None:
        """Return the seconds until the next process begins, None if none does."""
        if not self._upkeep.has_restarts:
            return None
        return self._restarts.died(served, self._draw(), was_killed=was_killed)

    def _follow(self, how: str, delay: float | None) -> None:
        if delay is None:
            self.is_given_up = True
            self.failures += 1
            in_a_row = max(0, self._restarts.attempts - 1)
            logger.error("%s; not restarted after %d restarts in a row", how, in_a_row)
            self._failed([])
            return
        self._restart_count += 1
        self._begin_at = anyio.current_time() + delay
        logger.error("%s; restarting in %.2f s (restart %d)", how, delay, self._restart_count)
