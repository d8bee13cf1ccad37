"""The file of an outbox as the event loop sees it: no call blocks, many changes share one commit."""

import contextlib
import logging
from collections.abc import Callable, Collection
from functools import partial
from typing import TypeVar

import anyio
import attrs

from anyworker.errors import OutboxError
from anyworker.runner.outbox.file import OutboxFile, expiring, holding
from anyworker.runner.outbox.format import LEASE_SECONDS
from anyworker.runner.outbox.hands import Change, gathered
from anyworker.runner.outbox.listing import strangers
from anyworker.runner.outbox.storage import StoredResult
from anyworker.runner.threads import RunSync

logger = logging.getLogger(__name__)

T = TypeVar("T")

BEAT_SECONDS = LEASE_SECONDS / 3
LINGER_SECONDS = 0.02
"""How long changes that nobody waits for are put off, to share a commit with others."""
REOPEN_SECONDS = 30.0
"""How long after a failure the file is tried again."""
EXPIRE_SECONDS = 3600.0
"""How often refused results that are too old are looked for."""
_CALL_SECONDS = 20.0
_STRANDED = "%d results in the outbox %s wait for another server, %s, and for a process that uses it"


@attrs.define(eq=False)
class _Pending:
    change: Change
    is_durable: bool = False
    is_done: bool = False


class Archive:
    """Use the file of an outbox for as long as that works.

    Args:
        file: The file.
        run_sync: Runs its calls, which block.
        clock: Tells epoch seconds.
        retention_days: How long refused results are kept.
        report: Hears of each new trouble, and by None of its end.
        rescue: Takes results that wait in a file which was removed while in use.
    """

    def __init__(
        self,
        file: OutboxFile,
        run_sync: RunSync,
        *,
        clock: Callable[[], float],
        retention_days: float,
        report: Callable[[OutboxError | None], None],
        rescue: Callable[[StoredResult], object],
    ) -> None:
        self.file = file
        self._run_sync = run_sync
        self.now = clock
        """Tells epoch seconds."""
        self._retention_days = retention_days
        self._report = report
        self._rescue = rescue
        self._pending: list[_Pending] = []
        self._turn = anyio.Lock()
        self._flush_soon = anyio.Event()
        self._reopen_at = 0.0
        self._expire_at = 0.0
        self.trouble: OutboxError | None = None
        """Why the file is not used at the moment."""
        self.is_replayer = False
        """Whether this process is the one that replays."""

    async def open(self) -> None:
        """Open the file; where that fails, it is tried again later."""
        try:
            await self._call(self.file.open)
            await self._call(partial(self.file.appear, self.now()))
            others = await self._call(partial(self.file.ask, partial(strangers, server=self.file.server)))
        except OutboxError as error:
            self._failed(error)
        else:
            for server, count in others.items():
                logger.warning(_STRANDED, count, self.file.path, server)
            if self.trouble is not None:
                self.trouble = None
                self._report(None)

    async def mend(self) -> None:
        """Try at once to use the file again, if it is not used."""
        if self.trouble is not None:
            await self.open()

    async def commit(self, change: Change, *, is_durable: bool = True) -> bool:
        """Make a change, together with all that are asked for meanwhile; return whether it is made.

        Args:
            change: The change.
            is_durable: Whether it is to be on the disk; otherwise it survives the process, not the machine.
        """
        if self.trouble is not None:
            return False
        pending = _Pending(change, is_durable)
        self._pending.append(pending)
        await self._flush()
        return pending.is_done

    async def fits(self, change: Change, *, is_last: bool) -> bool:
        """Make a change that may be too large; return whether it is made.

        Args:
            change: The change.
            is_last: Whether there will be no smaller one, so that a failure is a trouble.
        """
        try:
            await self._call(partial(self.file.apply, [change]))
        except OutboxError as error:
            if is_last:
                self._failed(error)
            return False
        return True

    def later(self, change: Change) -> None:
        """Make a change soon, which may be lost without harm."""
        if self.trouble is None:
            self._pending.append(_Pending(change))
            self._flush_soon.set()

    async def oldest(self, most: int, but_not: Collection[int]) -> list[StoredResult]:
        """Return the oldest results that wait, none where another process replays."""
        if not self.is_replayer:
            return []
        try:
            return await self._call(partial(self.file.oldest, most, but_not))
        except OutboxError as error:
            self._failed(error)
            return []

    async def holds(self, task_id: str) -> bool:
        """Return whether the result of a task is in the file, whoever put it there; False where it fails."""
        try:
            return await self._call(partial(self.file.ask, holding(task_id)))
        except OutboxError as error:
            self._failed(error)
            return False

    async def keep_up(self, wake: Callable[[], None]) -> None:
        """Tell other processes that this one is there, until cancelled.

        Args:
            wake: Called where there may be something to replay.
        """
        while True:
            was_away = self.trouble is not None
            await self.beat()
            if self.is_replayer or was_away:
                wake()
            with anyio.move_on_after(BEAT_SECONDS):
                while True:
                    await self._flush_soon.wait()
                    # Under load somebody will not wait for more to come.
                    await anyio.sleep(LINGER_SECONDS)
                    self._flush_soon = anyio.Event()
                    await self._flush()

    async def close(self) -> None:
        """Make the changes that are left, and leave the file to others."""
        await self._flush()
        self.is_replayer = False
        try:
            await self._call(self.file.close)
        except OutboxError as error:
            self._failed(error)

    async def beat(self) -> None:
        """Tell that this process is there, and learn whether it is the one that replays."""
        if self.trouble is not None and anyio.current_time() >= self._reopen_at:
            await self.open()
        if self.trouble is None:
            if self.now() >= self._expire_at:
                self._expire_at = self.now() + EXPIRE_SECONDS
                self.later(expiring(self.now(), self._retention_days))
            try:
                self.is_replayer = await self._call(partial(self.file.beat, self.now()))
            except OutboxError as error:
                was_replayer = self.is_replayer
                self._failed(error)
                await self._save(with_others=was_replayer)

    async def _save(self, *, with_others: bool) -> None:
        """Take out of a file that was removed what nobody else will find there."""
        with contextlib.suppress(OutboxError):
            for stored in await self._call(partial(self.file.left_behind, with_others=with_others)):
                self._rescue(stored)

    async def _flush(self) -> None:
        async with self._turn:
            batch, self._pending = self._pending, []
            if not batch:
                return
            try:
                changes = gathered(each.change for each in batch)
                is_durable = any(each.is_durable for each in batch)
                await self._call(partial(self.file.apply, changes, is_durable=is_durable))
            except OutboxError as error:
                self._failed(error)
            else:
                for each in batch:
                    each.is_done = True

    async def _call(self, function: Callable[[], T]) -> T:
        # Whoever is cancelled meanwhile leaves others behind that wait for the same commit.
        with anyio.move_on_after(_CALL_SECONDS, shield=True):
            return await self._run_sync(function)
        raise OutboxError(self.file.path, f"no answer within {_CALL_SECONDS:g} s")

    def _failed(self, error: OutboxError) -> None:
        is_news = self.trouble is None or self.trouble.reason != error.reason
        self.trouble = error
        self.is_replayer = False
        self._reopen_at = anyio.current_time() + REOPEN_SECONDS
        if is_news:
            self._report(error)
