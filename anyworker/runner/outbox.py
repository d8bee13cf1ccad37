"""Results that could not be delivered: kept, and sent again in the background until they are taken."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio

from anyworker.conductor.models import Task
from anyworker.context import now_ms
from anyworker.errors import ConductorError, ResultNotTaken
from anyworker.events import Publisher, ResultRefused, ResultReplayed, ResultStored
from anyworker.policy.replay import BATCH, Replays, Standing, standing
from anyworker.runner.prospects import asked_pause, can_help
from anyworker.runner.storage import MemoryStorage, StoredResult

logger = logging.getLogger(__name__)

LAST_SECONDS = 5.0
"""How long the last attempts at the end of the process may take."""


class ReplayClient(Protocol):
    """What an outbox needs of the client."""

    def send_result(self, body: bytes, *, is_terminal: bool) -> Awaitable[object]:
        """Send an encoded result."""
        ...

    async def get_task(self, task_id: str) -> Task:
        """Return the task as the server has it."""
        ...


class Outbox:
    """Keep results and send them again: one for all workers of a process.

    Args:
        client: Where to.
        publisher: Hears what happens to them.
        storage: Where they are kept.
        draw: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        client: ReplayClient,
        publisher: Publisher,
        storage: MemoryStorage,
        *,
        draw: Callable[[], float],
    ) -> None:
        self._client = client
        self._publisher = publisher
        self._storage = storage
        self._replays = Replays(draw)
        self._changed = anyio.Event()
        self._epoch = now_ms() / 1000 - anyio.current_time()

    @property
    def waiting(self) -> int:
        """Results that wait to be sent again."""
        return len(self._storage)

    def now(self) -> float:
        """Return the wall clock in epoch seconds, as the loop's clock goes on."""
        return self._epoch + anyio.current_time()

    async def keep(self, stored: StoredResult, cause: Exception) -> bool:
        """Take a result over; return False where there is no room.

        Args:
            stored: The result.
            cause: Why the last attempt failed.
        """
        if not self._storage.add(stored):
            logger.error(
                "The outbox is full: %d results, %d bytes; that of task %s (%d bytes) is not taken",
                len(self._storage),
                self._storage.bytes,
                stored.task_id,
                len(stored.body),
                extra=_fields(stored),
            )
            return False
        text = "Result of task %s is in the outbox, where it waits for the server: %s"
        logger.warning(text, stored.task_id, cause, extra=_fields(stored))
        if self._publisher.hears(ResultStored):
            self._publisher.publish(
                ResultStored(
                    task_type=stored.task_type,
                    task_id=stored.task_id,
                    worker_id=stored.worker_id,
                    workflow_instance_id=stored.workflow_id,
                    cause=cause,
                    is_persistent=False,
                )
            )
        self._replays.stored(anyio.current_time())
        self._changed.set()
        return True

    def refuse(self, stored: StoredResult, reason: str) -> None:
        """Say that the server will never take a result."""
        logger.warning(
            "Result of task %s (workflow %s, type %s, status %s) is refused: %s",
            stored.task_id,
            stored.workflow_id,
            stored.task_type,
            stored.status,
            reason,
            extra=_fields(stored),
        )
        if self._publisher.hears(ResultRefused):
            self._publisher.publish(
                ResultRefused(
                    task_type=stored.task_type,
                    task_id=stored.task_id,
                    worker_id=stored.worker_id,
                    workflow_instance_id=stored.workflow_id,
                    reason=reason,
                    task_result=stored.result,
                    is_persistent=False,
                )
            )

    async def run(self) -> None:
        """Send again what is due, until cancelled."""
        while True:
            now = anyio.current_time()
            most = self._replays.batch(now)
            due = self._storage.oldest(most, self._replays.put_off(now)) if most else []
            if due:
                await self._send_all(due)
            else:
                await self._wait(self._replays.wake_at(now))

    async def finish(self) -> None:
        """Make one last attempt for each result, in limited time, and surface what is left.

        Once an attempt shows that the server is away, the rest is not tried.
        """
        with anyio.move_on_after(LAST_SECONDS, shield=True):
            tried: set[int] = set()
            self._replays = Replays(lambda: 0.0)
            while not self._replays.failures and (due := self._storage.oldest(BATCH, tried)):
                tried.update(stored.key for stored in due)
                await self._send_all(due)
        for stored in self._storage.oldest(len(self._storage)):
            self._storage.remove([stored.key])
            _lose(stored, stored.cause or ResultNotTaken(stored.error))

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
                self._refused(stored, _ending(task))
                return
            if found is Standing.OPEN:
                await self._client.send_result(stored.body, is_terminal=stored.is_terminal)
            self._delivered(stored)
        except ConductorError as error:
            if can_help(error):
                self._failed(stored, error, is_server=not is_known and error.status != 500)
            else:
                self._refused(stored, str(error))

    def _failed(self, stored: StoredResult, error: ConductorError, *, is_server: bool) -> None:
        stored.cause = error
        self._storage.failed(stored.key, str(error))
        now = anyio.current_time()
        self._replays.failed(stored.key, now, is_server=is_server, retry_after=asked_pause(error))

    def _delivered(self, stored: StoredResult) -> None:
        self._storage.remove([stored.key])
        self._replays.settled(stored.key)
        text = "Result of task %s, from the outbox, is with the server, after %d failed attempts"
        logger.info(text, stored.task_id, stored.attempts, extra=_fields(stored))
        if self._publisher.hears(ResultReplayed):
            self._publisher.publish(
                ResultReplayed(
                    task_type=stored.task_type,
                    task_id=stored.task_id,
                    worker_id=stored.worker_id,
                    workflow_instance_id=stored.workflow_id,
                    waited_ms=(self.now() - stored.stored_at) * 1000,
                )
            )

    def _refused(self, stored: StoredResult, reason: str) -> None:
        self._storage.remove([stored.key])
        self._replays.settled(stored.key)
        self.refuse(stored, reason)
        _lose(stored, ResultNotTaken(reason))

    async def _wait(self, until: float) -> None:
        with anyio.CancelScope(deadline=until):
            await self._changed.wait()
        self._changed = anyio.Event()


def _lose(stored: StoredResult, cause: Exception) -> None:
    if stored.lose is not None:
        stored.lose(stored, cause)


def _ending(task: Task) -> str:
    reason = f": {task.reason_for_incompletion}" if task.reason_for_incompletion else ""
    return f"the task has ended as {task.status}{reason}"


def _fields(stored: StoredResult) -> dict[str, object]:
    return {"task_id": stored.task_id, "workflow_id": stored.workflow_id, "task_type": stored.task_type}
