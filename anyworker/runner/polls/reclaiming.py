"""Take in hand the tasks that the server gave to polls whose answers were lost."""

import logging
from collections.abc import Callable, Iterable
from typing import Literal, Protocol, TypeAlias

import anyio
from anyio.abc import TaskGroup

from anyworker.conductor.models import Task
from anyworker.errors import ConductorError, UnexpectedAnswerError
from anyworker.events import Publisher, TaskReclaimed
from anyworker.events.kinds import identity_of
from anyworker.logs import fields_of
from anyworker.policy.reclaims import Losses, look_pause
from anyworker.runner.polls.polling import Identity
from anyworker.runner.polls.searching import Search, SearchClient
from anyworker.runner.prospects import may_have_worked

logger = logging.getLogger(__name__)

LAST_SECONDS = 2.5
"""How long a search may take once the worker drains."""


Take = Callable[[Task, float, TaskGroup], bool]
"""Takes a task in hand, as the server has it, and returns whether it is run; else it is handed back.

It is told since when the task's lease runs, at the earliest, in loop time, and where to start what follows.
"""


Reclaimed: TypeAlias = Literal["run", "handed_back", "left"]
"""What became of a task that was found."""


class Owner(Protocol):
    """Whom the server had given a task to."""

    @property
    def task_type(self) -> str: ...
    @property
    def worker_id(self) -> str: ...


class Ledger(Protocol):
    """What is known of tasks."""

    def knows(self, task_id: str) -> bool:
        """Return whether a task is in hand, or has been and is not to be run here once more."""
        ...

    async def stores(self, task_id: str) -> bool:
        """Return whether the outbox holds the task's result."""
        ...


class Reclaimer:
    """Look after the lost polls of one worker.

    Nothing is searched for where other processes may poll under the same worker id.

    Args:
        client: The server.
        identity: Whose polls.
        ledger: Knows which tasks are not lost.
        publisher: Hears of tasks that were found.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        client: SearchClient,
        identity: Identity,
        ledger: Ledger,
        publisher: Publisher,
        draw: Callable[[], float],
    ) -> None:
        self._identity = identity
        self._ledger = ledger
        self._publisher = publisher
        self._draw = draw
        self._search = Search(client, identity.task_type, identity.domain, identity.worker_id)
        self._losses = Losses(draw)
        self._changed = anyio.Event()
        self._scope: anyio.CancelScope | None = None
        """Around `run`, while it goes on."""
        self._is_out = False
        """Whether somebody is in `run`."""
        self._arrived: dict[str, int] = {}
        """Tasks that polls have brought meanwhile, with the count of the poll: a later one may be lost."""
        self._taken_back: dict[str, int] = {}
        """Polls that are known from a search, by task: the answers may arrive after all."""
        self.has_given_up = False
        """Whether what lost polls may have taken was not found, nor by a later search."""

    def lost(self, sent: float, wait: float, error: ConductorError) -> bool:
        """Note that a poll failed; return whether somebody must call `run`.

        Args:
            sent: When it was sent, in loop time.
            wait: Seconds that the server might wait for a task to give to it.
            error: What came in place of an answer.
        """
        is_lost = may_have_worked(error) or isinstance(error, UnexpectedAnswerError)
        if not (is_lost and self._identity.is_unique and self._search.is_possible):
            return False
        self._losses.lost(sent, wait, anyio.current_time())
        self._changed.set()
        was_out, self._is_out = self._is_out, True
        return not was_out

    def answered(self, tasks: Iterable[Task]) -> None:
        """Note that a poll was answered, and what it has brought."""
        if self._is_out:
            self._arrived.update({task.task_id: task.poll_count for task in tasks})
            self._losses.answered(anyio.current_time())
            self._changed.set()

    def has_taken_back(self, task: Task) -> bool:
        """Return whether a poll brings what a search has found before."""
        return self._taken_back.get(task.task_id) == task.poll_count

    def hasten(self) -> None:
        """Search without waiting for an answered poll: none will be sent any more."""
        self._losses.last(anyio.current_time())
        self._limit()
        self._changed.set()

    async def run(self, take: Take, children: TaskGroup) -> None:
        """Search until nothing is lost.

        Args:
            take: Takes in hand what is found.
            children: What it is told.
        """
        try:
            with anyio.CancelScope() as self._scope:
                while self._losses.is_pending:
                    await self._wait()
                    await self._look(lambda task, since: take(task, since, children))
            if self._scope.cancelled_caught:
                self.has_given_up = True
                logger.warning(
                    "What lost polls of %s may have taken was not found in time; such tasks come back after "
                    "their response timeout, or when another process that shares an outbox's file finds them",
                    self._identity.task_type,
                )
        finally:
            self._is_out, self._scope = False, None
            self._arrived.clear()

    def _limit(self) -> None:
        """Let a search that is under way, and is the last, take no longer than it may."""
        if self._scope is not None and self._losses.is_last and not self._losses.is_pending:
            self._scope.deadline = anyio.current_time() + LAST_SECONDS

    async def _wait(self) -> None:
        while anyio.current_time() < self._losses.due:
            with anyio.CancelScope(deadline=self._losses.due):
                await self._changed.wait()
            self._changed = anyio.Event()

    async def _look(self, take: Callable[[Task, float], bool]) -> None:
        since = self._losses.begin()
        self._limit()
        looks = 0
        while True:
            looks += 1
            failure: ConductorError | None = None
            try:
                if await self._found(take, since) or not self._search.is_possible:
                    self.has_given_up = False
                    return
            except ConductorError as error:
                failure = error
            pause = look_pause(looks, self._draw(), has_failed=failure is not None)
            is_late = anyio.current_time() + (pause or 0.0) > self._losses.is_known_at
            if pause is None or (failure is None and is_late):
                break
            await anyio.sleep(pause)
        self.has_given_up = failure is not None and not self._losses.failed(since, anyio.current_time())
        if self.has_given_up:
            text = "What lost polls of %s may have taken could not be searched for: %s"
            logger.warning(text, self._identity.task_type, failure)

    async def _found(self, take: Callable[[Task, float], bool], since: float) -> int:
        """Take in hand what is found; return how many tasks that were."""
        found = 0
        for task_id in await self._search.candidates():
            if self._ledger.knows(task_id) or await self._ledger.stores(task_id):
                continue
            task = await self._search.confirmed(task_id)
            # A poll may have brought it, and its result gone, while the server was asked.
            if task is not None and not self._has_come(task):
                found += 1
                self._take_back(task, take, since)
        return found

    def _has_come(self, task: Task) -> bool:
        arrived = self._arrived.get(task.task_id)
        return self._ledger.knows(task.task_id) or (arrived is not None and task.poll_count <= arrived)

    def _take_back(self, task: Task, take: Callable[[Task, float], bool], since: float) -> None:
        now = anyio.current_time()
        # How much of its lease has gone is known no better; the first extension comes at once.
        runs = take(task, max(since, now - task.response_timeout_seconds / 2))
        self._taken_back[task.task_id] = task.poll_count
        waited = now - since
        logger.warning(
            "Task %s (type %s), lost with the answer to a poll, was found after %.2f s: %s",
            task.task_id,
            self._identity.task_type,
            waited,
            "it runs now" if runs else "it is handed back",
            extra=fields_of(task),
        )
        tell_reclaimed(self._publisher, task, self._identity, "run" if runs else "handed_back", waited)


def tell_reclaimed(publisher: Publisher, task: Task, owner: Owner, outcome: Reclaimed, waited: float) -> None:
    """Publish that a task was found that the server had given to ``owner``, after so many seconds."""
    if publisher.hears(TaskReclaimed):
        publisher.publish(
            TaskReclaimed(
                **identity_of(task, owner.task_type, owner.worker_id),
                outcome=outcome,
                waited_ms=waited * 1000,
            )
        )
