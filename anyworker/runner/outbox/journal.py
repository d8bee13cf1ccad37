"""Tasks that kill their process: noticed by who had them in hand, and not run for ever."""

import logging
from functools import partial

import anyio

from anyworker.conductor.models import Task
from anyworker.logs import fields_of
from anyworker.policy.poison import reason
from anyworker.runner.outbox.archive import Archive
from anyworker.runner.outbox.hands import Begin, End, Hand, enter_all

logger = logging.getLogger(__name__)


class Journal:
    """Keep, in the file of an outbox, which functions have begun and not ended.

    An entry is there before the function begins, so that not even a crash in its first moment goes
    unnoticed; that costs each task a commit, shared by all that begin at the moment, without a sync to the
    disk: it survives SIGKILL, not the machine. Where the file cannot be used tasks are run all the same.

    Args:
        archive: The file.
        limit: How many deaths condemn a task.
    """

    def __init__(self, archive: Archive, limit: int) -> None:
        self._archive = archive
        self._limit = limit
        self._hands: dict[tuple[str, int], Hand] = {}
        self._trial = anyio.Semaphore(1)
        self._on_trial: Hand | None = None

    async def begin(self, task: Task) -> str | None:
        """Enter a task whose function is about to begin; one that is on its last attempt waits for its turn.

        Returns:
            Why its function must not begin, None where it may.
        """
        file = self._archive.file
        hand = Hand.of(task, server=file.server, owner=file.owner, now=self._archive.now(), limit=self._limit)
        self._hands[_key(task)] = hand
        await self._archive.commit(Begin(hand), is_durable=False)
        if hand.is_condemned:
            why = reason(hand.deaths)
            logger.error("Task %s is failed: %s", task.task_id, why, extra=fields_of(task))
            return why
        if hand.is_suspect:
            text = "Task %s was in hand at %d deaths of its process: it is run alone among its like"
            logger.warning(text, task.task_id, len(hand.deaths), extra=fields_of(task))
            await self._trial.acquire()
            self._on_trial = hand
            hand.now = self._archive.now()
            await self._archive.commit(partial(enter_all, hands=[hand]), is_durable=False)
        return None

    def end(self, task: Task, *, is_over: bool) -> None:
        """Take a task out, if it is entered.

        Args:
            task: The task.
            is_over: Whether its function came to an end by itself, so that earlier deaths do not count.
        """
        hand = self._hands.pop(_key(task), None)
        if hand is None:
            return
        self._archive.later(End(hand, is_over))
        if hand is self._on_trial:
            # The next one's entry is committed behind this one's end, or together with it.
            self._on_trial = None
            self._trial.release()


def _key(task: Task) -> tuple[str, int]:
    return task.task_id, task.poll_count
