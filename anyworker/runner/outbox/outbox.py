"""Results that could not be delivered: kept, and sent again in the background until they are taken."""

import sqlite3
from collections.abc import Callable, Sequence

import anyio
import attrs

from anyworker.context import now_ms
from anyworker.errors import ConductorError, OutboxError, ResultNotTaken
from anyworker.events import Publisher
from anyworker.outbox_settings import OutboxSettings
from anyworker.policy.replay import BATCH, Replays, Standing, ending, standing
from anyworker.runner.outbox.archive import Archive
from anyworker.runner.outbox.file import OutboxFile, failing, refusing, removing, together
from anyworker.runner.outbox.journal import Journal
from anyworker.runner.outbox.replay_client import ReplayClient
from anyworker.runner.outbox.reporting import OutboxReporter
from anyworker.runner.outbox.storage import MemoryStorage, StoredResult
from anyworker.runner.prospects import asked_pause, can_help
from anyworker.runner.threads import RunSync

Draw = Callable[[], float]
SPILLED_AT_ONCE = 8**3
LAST_SECONDS = 5.0
"""How long the last attempts at the end of the process may take."""


class Outbox:
    """Keep results and send them again: one for all workers of a process.

    Args:
        client: Where to.
        publisher: Hears what happens to them.
        settings: How it is kept.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self, client: ReplayClient, publisher: Publisher, settings: OutboxSettings, *, draw: Draw
    ) -> None:
        self._client = client
        self._reporter = OutboxReporter(publisher)
        self._memory = MemoryStorage(settings.max_results, settings.max_bytes)
        self._archive: Archive | None = None
        self._settings = settings
        self.path = None if settings.path is None else str(settings.path)
        """Its file, None where it is in memory only."""
        self.journal: Journal | None = None
        """Keeps which functions have begun, None where there is no file for it."""
        self._replays = Replays(draw)
        self._changed = anyio.Event()
        self._epoch = now_ms() / 1000 - anyio.current_time()

    async def open(self, *, server: str, owner: str, run_sync: RunSync) -> None:
        """Open the file, if there is to be one; where that fails the outbox is in memory, and says so.

        Args:
            server: The API's URL.
            owner: This process.
            run_sync: Runs what blocks.
        """
        path = self._settings.path
        if path is not None:
            self._archive = Archive(
                OutboxFile(path, server=server, owner=owner),
                run_sync,
                clock=self.now,
                retention_days=self._settings.retention_days,
                report=self._reporter.trouble,
                rescue=self.hold,
            )
            if self._settings.max_deaths:
                self.journal = Journal(self._archive, self._settings.max_deaths)
            await self._archive.open()

    @property
    def waiting(self) -> int:
        """Results that wait in memory to be sent again."""
        return len(self._memory)

    @property
    def is_persistent(self) -> bool:
        """Whether it survives the process."""
        return self._archive is not None and self._archive.trouble is None

    @property
    def writes_ahead(self) -> bool:
        """Whether results are stored before they are sent."""
        return self._settings.write_ahead and self.is_persistent

    @property
    def trouble(self) -> str | None:
        """What keeps it from its file, None if nothing does."""
        error = None if self._archive is None else self._archive.trouble
        return None if error is None else str(error)

    def now(self) -> float:
        """Return the wall clock in epoch seconds, as the loop's clock goes on."""
        return self._epoch + anyio.current_time()

    async def store_ahead(self, stored: StoredResult) -> int:
        """Store a result that is about to be sent; return its key, 0 if it could not be stored."""
        if self._archive is None or not await self._archive.commit(
            self._archive.file.adding(stored, is_ahead=True)
        ):
            return 0
        return stored.key

    def forget(self, key: int) -> None:
        """Forget a result that was stored ahead: the server has taken it."""
        if self._archive is not None:
            self._archive.later(removing([key]))

    async def holds(self, task_id: str) -> bool:
        """Return whether the result of a task is here."""
        in_file = self._archive is not None and await self._archive.holds(task_id)
        return in_file or self._memory.holds(task_id)

    async def keep(self, stored: StoredResult, cause: Exception) -> bool:
        """Take a result over; return False where there is no room.

        Args:
            stored: The result.
            cause: Why the last attempt failed.
        """
        is_persistent = self._archive is not None and await self._archive.commit(
            self._archive.file.adding(stored)
        )
        if not (is_persistent or self.hold(stored)):
            return False
        self._reporter.stored(stored, cause, is_persistent=is_persistent)
        self._replays.stored(anyio.current_time())
        self.wake()
        return True

    def hold(self, stored: StoredResult) -> bool:
        """Take a result into memory at once, whence it goes into the file in the end, if there is one."""
        if self._memory.add(stored):
            return True
        self._reporter.full(stored, len(self._memory), self._memory.bytes)
        return False

    async def refuse(self, stored: StoredResult, reason: str) -> bool:
        """Say that the server will never take a result; return whether it is kept beyond the process."""
        is_persistent = False
        if self._archive is not None:
            add = self._archive.file.adding(stored)

            def add_refused(connection: sqlite3.Connection) -> None:
                add(connection)
                refusing(stored.key, reason)(connection)

            is_persistent = await self._archive.commit(add_refused)
        self._reporter.refused(stored, reason, is_persistent=is_persistent)
        return is_persistent

    def wake(self) -> None:
        """Look whether there is something to send."""
        self._changed.set()

    async def run(self) -> None:
        """Send again what is due, until cancelled."""
        async with anyio.create_task_group() as tasks:
            if self._archive is not None:
                tasks.start_soon(self._archive.keep_up, self.wake)
            while True:
                await self._spill()
                now = anyio.current_time()
                if due := await self._due(now):
                    await self._send_all(due)
                else:
                    await self._wait(self._replays.wake_at(now))

    async def _due(self, now: float) -> list[StoredResult]:
        most, put_off = self._replays.batch(now), self._replays.put_off(now)
        due = [] if self._archive is None or not most else await self._archive.oldest(most, put_off)
        return [*due, *self._memory.oldest(most - len(due), put_off)]

    async def replay(self) -> bool:
        """Send each result in the file once, until an attempt shows that the server is away.

        Returns:
            Whether that is for this process to do: False where another one replays.

        Raises:
            OutboxError: There is no file that can be used.
        """
        if self._archive is None:
            raise OutboxError("in memory", "it has no file")
        if self._archive.trouble is not None:
            raise self._archive.trouble
        tried: set[int] = set()
        while True:
            await self._archive.beat()
            if not self._archive.is_replayer:
                return False
            due = await self._archive.oldest(BATCH, tried)
            if not due or self._replays.failures:
                return True
            tried.update(stored.key for stored in due)
            await self._send_all(due)

    async def finish(self) -> None:
        """Make one last attempt for each result in memory, in limited time; store or surface what is left.

        Once an attempt shows that the server is away, the rest is not tried.
        """
        with anyio.move_on_after(LAST_SECONDS, shield=True):
            self._replays = Replays(lambda: 0.0)
            tried: set[int] = set()
            while not self._replays.failures and (due := self._memory.oldest(BATCH, tried)):
                tried.update(stored.key for stored in due)
                await self._send_all(due)
        with anyio.move_on_after(LAST_SECONDS, shield=True):
            if self._archive is not None:
                await self._archive.mend()
                await self._spill()
                await self._archive.close()
        for stored in self._memory.oldest(len(self._memory)):
            self._memory.remove([stored.key])
            _lose(stored, stored.cause or ResultNotTaken(stored.error))

    async def _spill(self) -> None:
        """Move what is in memory into the file, or what of it has room there."""
        if (archive := self._archive) is None or archive.trouble is not None:
            return
        most = SPILLED_AT_ONCE
        while most and (some := self._memory.oldest(most)):
            change = together([archive.file.adding(attrs.evolve(stored, key=0)) for stored in some])
            if await archive.fits(change, is_last=most == 1):
                self._memory.remove(stored.key for stored in some)
            else:
                most //= 8

    async def _send_all(self, due: Sequence[StoredResult]) -> None:
        async with anyio.create_task_group() as attempts:
            for stored in due:
                attempts.start_soon(self._send, stored)

    async def _send(self, stored: StoredResult) -> None:
        """Send a result once, and let it go where the server has taken it or never will."""
        is_known = False
        try:
            task = await self._client.get_task(stored.task_id)
            is_known = True
            found = standing(
                task, status=stored.status, worker_id=stored.worker_id, poll_count=stored.poll_count
            )
            if found is Standing.ENDED:
                await self._refused(stored, ending(task))
                return
            if found is Standing.OPEN:
                await self._client.send_result(stored.body, is_terminal=stored.is_terminal)
        except ConductorError as error:
            if can_help(error):
                await self._failed(stored, error, is_server=not is_known and error.status != 500)
            else:
                await self._refused(stored, str(error))
        else:
            await self._delivered(stored)

    async def _failed(self, stored: StoredResult, error: ConductorError, *, is_server: bool) -> None:
        stored.cause = error
        if stored.key < 0:
            self._memory.failed(stored.key, str(error))
        elif self._archive is not None:
            self._archive.later(failing(stored.key, str(error)))
        now = anyio.current_time()
        self._replays.failed(stored.key, now, is_server=is_server, retry_after=asked_pause(error))

    async def _delivered(self, stored: StoredResult) -> None:
        self._replays.settled(stored.key)
        if stored.key < 0:
            self._memory.remove([stored.key])
        elif self._archive is not None:
            await self._archive.commit(removing([stored.key]))
        self._reporter.replayed(stored, self.now() - stored.stored_at)

    async def _refused(self, stored: StoredResult, reason: str) -> None:
        self._replays.settled(stored.key)
        if stored.key > 0:
            if self._archive is not None:
                await self._archive.commit(refusing(stored.key, reason))
            self._reporter.refused(stored, reason, is_persistent=True)
            return
        self._memory.remove([stored.key])
        if not await self.refuse(attrs.evolve(stored, key=0), reason):
            _lose(stored, ResultNotTaken(reason))

    async def _wait(self, until: float) -> None:
        with anyio.CancelScope(deadline=until):
            await self._changed.wait()
        self._changed = anyio.Event()


def _lose(stored: StoredResult, cause: Exception) -> None:
    if stored.lose is not None:
        stored.lose(stored, cause)
