"""Give back the tasks of a process that died, for somebody else to have them at once."""

import contextlib
import logging
import os
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import anyio
import attrs

from anyworker.conductor.client import ConductorClient
from anyworker.conductor.models import Task
from anyworker.configuration import Configuration
from anyworker.context import now_ms
from anyworker.errors import ConductorError, ConfigurationError, OutboxError
from anyworker.events import Publisher, TaskHandedBack
from anyworker.events.kinds import identity_of
from anyworker.fleet.status import WorkerStatus
from anyworker.logs import fields_of
from anyworker.policy.again import poll_limit, why_not_again
from anyworker.policy.outcome import Draft, HandedBack, to_result
from anyworker.runner.outbox.hands import burying
from anyworker.runner.outbox.listing import existing, stored_tasks
from anyworker.runner.outbox.presence import Member, Word, directory_of
from anyworker.runner.polls.reclaiming import Reclaimed, tell_reclaimed
from anyworker.runner.polls.searching import Search
from anyworker.runner.threads import RunSync

logger = logging.getLogger(__name__)

PAUSES = (0.1, 0.9, 1.0, 1.5, 2.0)
"""Seconds before each search: a server may hold polls of the dead process for five, and give them tasks."""
FAILURE_PAUSES = (2.0, 4.0, 8.0, 16.0, *[30.0] * 120)
"""Seconds before each further search, as long as they fail: for an hour."""
LAST_SECONDS = 4.0
"""How long all of it may take once the fleet ends."""
SEARCHES_AT_ONCE = 8
CLOCK_MARGIN = 0.01
"""Seconds by which the server's times, in whole milliseconds, may err."""


@attrs.define(eq=False)
class Estate:
    """What one worker of a dead process has left behind."""

    worker: Member
    process: str
    """What messages call the process."""
    died: float
    """Loop time."""
    search: Search
    settled: set[tuple[str, int]] = attrs.field(factory=set)
    """Tasks that were seen to, by id and pollCount."""


def members_of(workers: Iterable[WorkerStatus]) -> tuple[Member, ...]:
    """Return the workers of a process whose id no other process may have, for others to know them by."""
    return tuple(
        Member(worker.task_type, worker.worker_id, worker.domain, worker.restartable)
        for worker in workers
        if worker.is_unique
    )


class Salvage:
    """Look after the tasks of processes that died.

    Whether a function had begun is not known, so that a task is given back only if it may run again. But what
    a poll of the process took after its death nothing has begun.

    Args:
        configuration: The server.
        publisher: Hears of the tasks.
        outbox: The file of the processes' outbox, None if there is none.
        draw: Draws jitter in [0, 1).
        run_sync: Runs what blocks.
    """

    def __init__(
        self,
        configuration: Configuration,
        publisher: Publisher,
        outbox: str | os.PathLike[str] | None,
        *,
        draw: Callable[[], float],
        run_sync: RunSync,
    ) -> None:
        self._configuration = configuration
        self._publisher = publisher
        self._outbox = outbox
        self._draw = draw
        self._run_sync = run_sync
        self._is_last = False
        self._scopes: set[anyio.CancelScope] = set()

    def hasten(self) -> None:
        """Take no longer than a fleet that ends can wait."""
        self._is_last = True
        for scope in self._scopes:
            scope.deadline = min(scope.deadline, anyio.current_time() + LAST_SECONDS)

    async def bury(self, pid: int, how: str) -> None:
        """Tell the journal in the outbox's file how a process has ended; what that had in hand is suspect.

        Args:
            pid: Its id.
            how: How it ended, as the predicate of a sentence.
        """
        path = self._outbox
        if path is None:
            return
        prefix, now = f"{socket.gethostname()}-{pid}-", datetime.now(UTC).timestamp()

        def tell() -> None:
            if not Path(path).is_file():
                return
            with existing(path) as file:
                file.apply([burying(prefix, now, how)], is_durable=False)

        try:
            await self._run_sync(tell)
        except OutboxError as error:
            logger.warning("The outbox cannot be told of a death: %s", error)

    async def give_back(self, process: str, workers: Sequence[WorkerStatus]) -> None:
        """Give back what a process had that is certainly dead, unless somebody else sees to it.

        Workers whose id other processes may have, too, are left out.

        Args:
            process: What messages call it.
            workers: What it said last of its workers.
        """
        members = members_of(workers)
        if not members:
            return
        word: Word | None = None
        if self._outbox is not None:
            path = directory_of(self._outbox) / members[0].worker_id
            try:
                word = await self._run_sync(partial(Word.take, path))
            except BlockingIOError:
                return
            except (OSError, ValueError) as error:
                logger.warning("What %s left word of cannot be read: %s", process, error)
        await self.inherit(process, members, word)

    async def inherit(self, process: str, members: Sequence[Member], word: Word | None) -> None:
        """Give back what workers of a dead process had.

        Args:
            process: What messages call it.
            members: The workers.
            word: What it has left, which is forgotten when all has been seen to.
        """
        died, limiter = anyio.current_time(), anyio.CapacityLimiter(SEARCHES_AT_ONCE)
        try:
            with self._limited():
                async with (
                    ConductorClient(self._configuration, publisher=self._publisher) as client,
                    anyio.create_task_group() as tasks,
                ):
                    for member in members:
                        search = Search(client, member.task_type, member.domain, member.worker_id)
                        tasks.start_soon(self._settle, client, Estate(member, process, died, search), limiter)
                if word is not None:
                    await self._run_sync(word.forget)
        except (ConfigurationError, OSError) as error:
            logger.warning("What %s had in hand cannot be given back: %s", process, error)
        finally:
            if word is not None:
                word.close()

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        with anyio.CancelScope() as scope:
            self._scopes.add(scope)
            if self._is_last:
                self.hasten()
            try:
                yield
            finally:
                self._scopes.discard(scope)

    async def _settle(self, client: ConductorClient, estate: Estate, limiter: anyio.CapacityLimiter) -> None:
        failure: ConductorError | None = None
        for number, pause in enumerate((*PAUSES, *FAILURE_PAUSES), 1):
            if (number > len(PAUSES) and failure is None) or not estate.search.is_possible:
                return
            await anyio.sleep(pause * (1.0 + 0.2 * self._draw()))
            failure = None
            try:
                async with limiter:
                    await self._look(client, estate)
            except ConductorError as error:
                failure = error
        if failure is not None:
            text = "What %s had of %s in hand could not be found: %s"
            logger.warning(text, estate.process, estate.worker.task_type, failure)

    async def _look(self, client: ConductorClient, estate: Estate) -> None:
        found = await estate.search.candidates()
        stored = await self._stored(found)
        for task_id in found:
            if task_id in stored:
                continue
            task = await self._confirmed(client, estate, task_id)
            if task is None or (task_id, task.poll_count) in estate.settled:
                continue
            why_not = why_not_again(task, estate.worker.restartable)
            if why_not is not None and await self._came_too_late(client, task, estate):
                why_not = None
            if why_not is None:
                draft = Draft.of(task, estate.worker.worker_id)
                await client.update_task(to_result(HandedBack("death"), draft, now_ms=now_ms))
            estate.settled.add((task_id, task.poll_count))
            self._tell(task, estate, why_not)

    async def _confirmed(self, client: ConductorClient, estate: Estate, task_id: str) -> Task | None:
        """Return a task that the process has; one with a poll timeout as of now, by the server's clock."""
        task = await estate.search.confirmed(task_id)
        if task is None or not poll_limit(task):
            return task
        await client.extend_lease(task)
        return await estate.search.confirmed(task_id)

    async def _came_too_late(self, client: ConductorClient, task: Task, estate: Estate) -> bool:
        """Return whether the server gave a task to the process when that was certainly dead.

        A heartbeat shows what the server's clock says now. The time of the first poll is not moved by the
        heartbeats of the dead; that of a later one may be.
        """
        if task.poll_count != 1:
            return False
        sent = anyio.current_time()
        await client.extend_lease(task)
        passed = (await client.get_task(task.task_id)).update_time - task.start_time
        return passed >= 0 and sent - passed / 1000 > estate.died + CLOCK_MARGIN

    async def _stored(self, task_ids: Sequence[str]) -> set[str]:
        """Return the tasks whose results the outbox's file has."""
        if self._outbox is None or not task_ids:
            return set()
        try:
            return await self._run_sync(partial(stored_tasks, self._outbox, task_ids))
        except OutboxError as error:
            logger.warning("Tasks are given back although their results may be stored: %s", error)
            return set()

    def _tell(self, task: Task, estate: Estate, why_not: str | None) -> None:
        """Tell that a task was given back, or why not."""
        waited = anyio.current_time() - estate.died
        logger.log(
            logging.WARNING if why_not is None else logging.ERROR,
            "Task %s (workflow %s, type %s) was in hand in %s when that died: %s",
            task.task_id,
            task.workflow_instance_id,
            estate.worker.task_type,
            estate.process,
            f"given back after {waited:.2f} s"
            if why_not is None
            else f"left to its response timeout ({task.response_timeout_seconds} s): {why_not}",
            extra=fields_of(task),
        )
        outcome: Reclaimed = "handed_back" if why_not is None else "left"
        tell_reclaimed(self._publisher, task, estate.worker, outcome, waited)
        if why_not is None and self._publisher.hears(TaskHandedBack):
            self._publisher.publish(
                TaskHandedBack(
                    **identity_of(task, estate.worker.task_type, estate.worker.worker_id),
                    reason="death",
                    was_running=None,
                )
            )
