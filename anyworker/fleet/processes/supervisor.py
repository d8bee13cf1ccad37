"""The parent of a fleet of processes: starts them, replaces those that end, ends them in stages."""

import contextlib
import logging
import os
import signal
from collections.abc import Awaitable, Callable, Sequence
from random import random
from typing import TYPE_CHECKING

import anyio
import attrs

from anyworker.errors import ConfigurationError
from anyworker.events import Publisher
from anyworker.fleet.estates.salvage import Salvage
from anyworker.fleet.fleet import CANCEL_SECONDS, Ended
from anyworker.fleet.processes.orders import Cancel, Drain, Quiet, Resume
from anyworker.fleet.processes.post import Assignment, Post, Upkeep
from anyworker.fleet.processes.process import ChildProcess
from anyworker.fleet.reporting import tell_stage
from anyworker.fleet.status import FleetStage, FleetStatus, OutboxStatus

if TYPE_CHECKING:
    from anyworker.observe.metrics import Metrics

logger = logging.getLogger(__name__)

_LAST_SECONDS = 3.0
"""How long beyond its own limits a child may take to end."""


@attrs.frozen
class SupervisorStatus(FleetStatus):
    """A fleet of processes at a moment."""

    failures: int = 0
    """Processes that ended badly while the fleet ended, and places that were given up."""

    @property
    def is_everything_handed_over(self) -> bool:
        """Whether every process said so."""
        return not self.failures


class Supervisor:
    """Run a fleet of processes until told to stop.

    Args:
        assignments: One for each process.
        grace: Seconds that tasks in hand may take to finish once the fleet drains, in all processes together.
        upkeep: When a process is replaced.
        salvage: Gives back what a process had that died.
        publisher: Hears of the processes and of the stages.
        metrics: Takes and shows what the processes count.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        assignments: Sequence[Assignment],
        grace: float,
        upkeep: Upkeep,
        *,
        salvage: Salvage,
        publisher: Publisher,
        metrics: "Metrics | None" = None,
        draw: Callable[[], float] = random,
    ) -> None:
        counted = metrics.take if metrics is not None else _ignore
        self._posts = [
            Post(
                assignment,
                upkeep,
                draw,
                failed=self._has_failed,
                counted=counted,
                salvage=salvage,
                publisher=publisher,
            )
            for assignment in assignments
        ]
        self._salvage = salvage
        self._publisher = publisher
        self._metrics = metrics
        if metrics is not None:
            metrics.show(self.status)
        self._grace = grace
        self._stage = FleetStage.RUNNING
        self._drain = anyio.Event()
        self._cancel = anyio.Event()
        self._ended = anyio.Event()
        self._has_cut_short = False
        self.problems: list[str] = []
        """Why a process could not start, and the fleet was stopped for that."""

    def status(self) -> SupervisorStatus:
        """Return the stage, and what each process said last."""
        return SupervisorStatus(
            stage=self._stage,
            workers=tuple(worker for child in self._children for worker in child.beat.workers),
            processes=tuple(post.status() for post in self._posts),
            was_cut_short=self._has_cut_short,
            outbox=_together([child.beat.outbox for child in self._children]),
            failures=sum(post.failures for post in self._posts),
        )

    def quiet(self) -> None:
        """Stop polling; what is in hand goes on, and the fleet stays until it is resumed or drained."""
        if self._stage is FleetStage.RUNNING:
            self._stage = FleetStage.QUIET
            logger.info("Quiet: no process polls any more")
            for post in self._posts:
                post.is_quiet = True
            self._say(Quiet())
            tell_stage(self._publisher, "quiet", self._in_hand)

    def resume(self) -> None:
        """Poll again after `quiet`."""
        if self._stage is FleetStage.QUIET:
            self._stage = FleetStage.RUNNING
            logger.info("Resumed: all processes poll again")
            for post in self._posts:
                post.is_quiet = False
            self._say(Resume())

    def drain(self) -> Awaitable[None]:
        """Let all processes stop polling, finish what runs within the grace, deliver and end.

        Returns:
            Something that can be awaited, until the fleet has ended.
        """
        if self._stage in {FleetStage.RUNNING, FleetStage.QUIET}:
            self._stage = FleetStage.DRAINING
            logger.info("Draining %d processes", len(self._children))
            for post in self._posts:
                post.dissolve()
            self._say(Drain())
            self._salvage.hasten()
            self._drain.set()
            tell_stage(self._publisher, "draining", self._in_hand)
        return Ended(self.wait)

    def stop(self) -> Awaitable[None]:
        """Drain without the grace: cancel what runs; what may run again is handed back.

        Returns:
            Something that can be awaited, until the fleet has ended.
        """
        self.drain()
        if self._stage is FleetStage.DRAINING:
            self._stage = FleetStage.CANCELLING
            self._say(Cancel())
            for child in self._children:
                child.dismiss()
                self._has_cut_short |= child.was_dismissed
            self._cancel.set()
            tell_stage(self._publisher, "cancelling", self._in_hand)
        return Ended(self.wait)

    def kill(self) -> None:
        """End all processes at once; takes no lock, so that a signal's handler may call it."""
        for child in self._children:
            if not child.has_ended:
                os.kill(child.pid, signal.SIGKILL)

    async def begun(self) -> None:
        """Wait until every place has had a process."""
        for post in self._posts:
            await post.begun.wait()

    async def wait(self) -> None:
        """Wait until the fleet has ended."""
        await self._ended.wait()

    async def run(self) -> None:
        """Run the fleet until it has drained. A cancellation kills it: use `drain` or `stop`."""
        try:
            async with self._exposed(), anyio.create_task_group() as watch:
                watch.start_soon(self._enforce_grace)
                if self._metrics is not None:
                    watch.start_soon(self._metrics.beat)
                async with anyio.create_task_group() as posts:
                    for post in self._posts:
                        posts.start_soon(post.keep)
                watch.cancel_scope.cancel()
        except ConfigurationError as error:  # the metrics' port, say
            self.problems += error.problems
        finally:
            self._stage = FleetStage.ENDED
            tell_stage(self._publisher, "ended", self._in_hand)
            self._ended.set()

    def _exposed(self) -> contextlib.AbstractAsyncContextManager[None]:
        return self._metrics.exposed() if self._metrics is not None else contextlib.nullcontext()

    @property
    def _children(self) -> list[ChildProcess]:
        return [child for post in self._posts for child in post.children]

    @property
    def _in_hand(self) -> int:
        return sum(worker.in_hand for child in self._children for worker in child.beat.workers)

    def _say(self, order: Quiet | Resume | Drain | Cancel) -> None:
        for child in self._children:
            child.say(order)

    def _has_failed(self, problems: Sequence[str]) -> None:
        """Stop the fleet where a process cannot start, or where no place is kept any more."""
        self.problems += [problem for problem in problems if problem not in self.problems]
        if problems or all(post.is_given_up for post in self._posts):
            self.drain()

    async def _enforce_grace(self) -> None:
        await self._drain.wait()
        with anyio.move_on_after(self._grace):
            await self._cancel.wait()
        self.stop()
        await anyio.sleep(CANCEL_SECONDS + _LAST_SECONDS)
        tell_stage(self._publisher, "abandoning", self._in_hand)
        for child in self._children:
            logger.error(
                "Abandoning %s (pid %d), which does not end. It is killed. Its stacks:\n%s",
                *(child.name, child.pid, await child.stacks()),
            )
            child.kill()


def _together(outboxes: Sequence[OutboxStatus]) -> OutboxStatus:
    return OutboxStatus(
        path=next((each.path for each in outboxes if each.path), None),
        trouble=next((each.trouble for each in outboxes if each.trouble), None),
        in_memory=sum(each.in_memory for each in outboxes),
    )


def _ignore(_: object) -> None:
    """Nobody counts."""
