"""See to what processes had in hand that died with nobody left who knew of them."""

import logging
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Protocol

import anyio

from anyworker.configuration import Configuration
from anyworker.events import Publisher
from anyworker.fleet.estates.salvage import Salvage, members_of
from anyworker.fleet.status import WorkerStatus
from anyworker.runner.outbox.presence import Member, Will, Word, left
from anyworker.runner.threads import RunSync

logger = logging.getLogger(__name__)

LOOK_SECONDS = 5.0
"""How long the dead may wait to be found."""
_LAST_SECONDS = 2.0


class Poller(Protocol):
    """Who polls."""

    @property
    def has_lost_polls(self) -> bool:
        """Whether the server may have given it tasks that it never heard of."""
        ...


class Predecessors:
    """Leave word of this process beside the outbox, and see to those that died and have left some.

    Args:
        outbox: The outbox's file.
        configuration: The server: what was left for another one is left to others.
        publisher: Hears of the tasks.
        run_sync: Runs what blocks.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        outbox: str | os.PathLike[str],
        configuration: Configuration,
        publisher: Publisher,
        *,
        run_sync: RunSync,
        draw: Callable[[], float],
    ) -> None:
        self._outbox = outbox
        self._server = configuration.server_api_url
        self._salvage = Salvage(configuration, publisher, outbox, draw=draw, run_sync=run_sync)
        self._run_sync = run_sync
        self._draw = draw
        self._illegible: set[str] = set()

    async def run(self, workers: Iterable[WorkerStatus], pollers: Collection[Poller] = ()) -> None:
        """Do so until cancelled, which is this process's good end.

        Args:
            workers: Of this process.
            pollers: The same; what polls of theirs have lost in the end is left to others as well.
        """
        word = await self._run_sync(partial(self._leave, members_of(workers)))
        try:
            async with anyio.create_task_group() as tasks:
                while True:
                    for found in await self._run_sync(self._dead):
                        name = f"process {found.path.name}"
                        tasks.start_soon(self._salvage.inherit, name, found.will.members, found)
                    await anyio.sleep(LOOK_SECONDS * (1.0 - 0.2 * self._draw()))
        finally:
            if word is not None and any(poller.has_lost_polls for poller in pollers):
                word.close()
            elif word is not None:
                with anyio.move_on_after(_LAST_SECONDS, shield=True):
                    await self._run_sync(word.forget)

    def _leave(self, members: Sequence[Member]) -> Word | None:
        if not members:
            return None
        try:
            return Word.leave(self._outbox, members[0].worker_id, Will(self._server, tuple(members)))
        except OSError as error:
            logger.warning(
                "No word of this process can be left beside the outbox %s (%s): if it is killed together "
                "with its parent, its tasks wait for their response timeout",
                *(self._outbox, error),
            )
            return None

    def _dead(self) -> list[Word]:
        found: list[Word] = []
        for path in left(self._outbox):
            try:
                word = Word.take(path)
            except BlockingIOError:
                continue  # it lives, or somebody else sees to it
            except (OSError, ValueError) as error:
                if path.name not in self._illegible:
                    self._illegible.add(path.name)
                    logger.warning("What a process has left in %s cannot be read: %s", path, error)
                continue
            if word is not None and word.will.server == self._server:
                found.append(word)
            elif word is not None:
                word.close()
        return found
