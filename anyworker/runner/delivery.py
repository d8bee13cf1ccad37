"""Bring results to the server: again if that can help, replaced if not, never dropped silently."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

import anyio

from anyworker.conductor.models import Task, TaskResult
from anyworker.errors import ConductorError, DeliveryCancelled, NotFoundError, ResultNotTaken
from anyworker.events import Publisher, TaskUpdateFailure
from anyworker.logs import fields_of_result
from anyworker.policy.backoff import update_delay
from anyworker.policy.replay import Standing, ending, standing
from anyworker.policy.streaks import Streak
from anyworker.runner.needs import Heartbeats, ResultClient
from anyworker.runner.outbox.outbox import Outbox
from anyworker.runner.outbox.storage import StoredResult, stored_result
from anyworker.runner.parcel import Parcel
from anyworker.runner.prospects import asked_pause, can_help, is_rejected, may_have_worked
from anyworker.runner.surplus_logs import send_surplus

logger = logging.getLogger(__name__)

T = TypeVar("T")

LAST_PAUSE = 1.0
"""Seconds before the last attempt where the first one fails in the end: a server may be back at once."""


class Delivery:
    """Deliver the results of one worker.

    Args:
        client: Where to.
        task_type: For events and logs.
        worker_id: Who polled the tasks.
        publisher: Hears of results that could not be delivered.
        outbox: Takes them over.
        delays: Seconds between attempts; one attempt more than delays is made.
        random: Draws jitter in [0, 1).
    """

    def __init__(
        self,
        client: ResultClient,
        *,
        task_type: str,
        worker_id: str,
        publisher: Publisher,
        outbox: Outbox,
        delays: Sequence[float],
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._task_type = task_type
        self._worker_id = worker_id
        self._publisher = publisher
        self._outbox = outbox
        self._delays = tuple(delays)
        self._random = random
        self._hurry = anyio.Event()
        self.failures = Streak()
        """Attempts in a row."""
        self.attempts = self.failed_attempts = 0
        """How often a result was sent from here, and how often that failed."""
        self.undelivered = 0
        """Results that nobody will send any more: those of the tasks `given_up`."""
        self.given_up: set[str] = set()

    def hurry(self) -> None:
        """Make one last attempt for whatever waits for its next, and no more than two from now on."""
        self._hurry.set()

    def attempt(self, parcel: Parcel) -> Awaitable[object]:
        """Send a result.

        Raises:
            ConductorError: The server has not taken it; `persist` knows what to do.
        """
        self.attempts += 1
        sent = self._client.send_result(parcel.body, is_terminal=parcel.is_terminal)
        return self._watched(sent) if self.failures.count and not parcel.is_replacement else sent

    def attempt_v2(self, parcel: Parcel) -> Awaitable[Task | None]:
        """Send a result that ends a task, and return the next one if there is one.

        Raises:
            ConductorError: The server may have taken it, or not.
        """
        self.attempts += 1
        sent = self._client.send_result_v2(parcel.body)
        return self._watched(sent) if self.failures.count else sent

    async def _watched(self, sent: Awaitable[T]) -> T:
        """Wait until a result is accepted, which ends a streak of failures."""
        answer = await sent
        if count := self.failures.ended():
            logger.info("Results of %s are accepted again after %d failed attempts", self._task_type, count)
        return answer

    async def store_ahead(self, parcel: Parcel) -> None:
        """Store a result before it is sent, if the outbox is to do so."""
        if self._outbox.writes_ahead:
            parcel.ahead_key = await self._outbox.store_ahead(self._stored(parcel, 0, None))

    def settled(self, parcel: Parcel, *, is_taken: bool) -> None:
        """Forget what was stored ahead, if the server has taken it."""
        if is_taken and parcel.ahead_key:
            self._outbox.forget(parcel.ahead_key)

    async def deliver(self, parcel: Parcel, heartbeats: Heartbeats) -> bool:
        """Send a result until the server or the outbox has taken it: `attempt`, then `persist`."""
        try:
            await self.attempt(parcel)
        except ConductorError as error:
            return await self.persist(parcel, error, heartbeats)
        return True

    async def persist(self, parcel: Parcel, error: ConductorError, heartbeats: Heartbeats) -> bool:
        """Go on after a first attempt that failed, until the server or the outbox has taken the result.

        The lease is kept meanwhile, but no heartbeat is sent beside an attempt.

        One that all attempts could not deliver is published by `TaskUpdateFailure`. Where the outbox does
        not take it either, an ERROR log names it.

        Returns:
            Whether the server has it.
        """
        attempts = 1
        is_doubtful = False
        while True:
            heartbeats.release()
            self._tell(parcel, error)
            if is_rejected(error) and not parcel.is_replacement:
                parcel = parcel.replaced(f"the server rejected the result: {error}")
            elif await self._may_send_again(parcel, error, attempts):
                is_doubtful = is_doubtful or (not parcel.is_terminal and may_have_worked(error))
            else:
                await self._part_with(parcel, error, attempts)
                return False
            attempts += 1
            try:
                if is_doubtful and await self._has_moved_on(parcel):
                    return True
                await heartbeats.hold()
                await self.attempt(parcel)
            except ConductorError as failure:
                error = failure
            except ResultNotTaken as refusal:
                await self._part_with(parcel, refusal, attempts)
                return False
            else:
                return True

    async def stores(self, task_id: str) -> bool:
        """Return whether the outbox holds the result of a task."""
        return await self._outbox.holds(task_id)

    def surface(self, result: TaskResult, parcel: Parcel | None) -> None:
        """Publish a result whose delivery was cancelled, and leave it to an outbox that outlives the process.

        Args:
            result: The result.
            parcel: The same ready for the wire, where that has been done.
        """
        cause = DeliveryCancelled()
        self._publish(result, cause, 1)
        is_kept = (
            parcel is not None
            and self._outbox.is_persistent
            and (bool(parcel.ahead_key) or self._outbox.hold(self._stored(parcel, 1, cause)))
        )
        if not is_kept:
            self._give_up(result, cause, 1, None if parcel is None else parcel.attempt)

    async def _part_with(self, parcel: Parcel, error: ConductorError | ResultNotTaken, attempts: int) -> None:
        """Leave a result to the outbox, or give it up where that does not take it."""
        self._publish(parcel.result, error, attempts)
        stored = self._stored(parcel, attempts, error)
        if not (isinstance(error, ConductorError) and can_help(error)):
            is_kept = await self._outbox.refuse(stored, str(error))
        else:
            # In the end, after its last attempt, nothing is gained by another one a moment later.
            is_in_time = self._outbox.is_persistent or not self._hurry.is_set()
            is_kept = is_in_time and await self._outbox.keep(stored, error)
        if not is_kept:
            self._give_up(parcel.result, error, attempts, parcel.attempt)

    def _stored(self, parcel: Parcel, attempts: int, cause: Exception | None) -> StoredResult:
        return stored_result(
            parcel,
            task_type=self._task_type,
            worker_id=self._worker_id,
            stored_at=self._outbox.now(),
            attempts=attempts,
            cause=cause,
            lose=self._lose,
        )

    def _lose(self, stored: StoredResult, cause: Exception) -> None:
        """Surface a result that the outbox could not deliver either."""
        result = stored.result
        self._publish(result, cause, stored.attempts)
        self._give_up(result, cause, stored.attempts, stored.task_attempt)

    async def _has_moved_on(self, parcel: Parcel) -> bool:
        """Return whether an IN_PROGRESS whose answer was lost did its work.

        A second one for a task that somebody has polled since would give it to two workers.

        Raises:
            ResultNotTaken: The task has ended meanwhile.
        """
        try:
            task = await self._client.get_task(parcel.result.task_id)
        except NotFoundError as error:
            found, reason = Standing.ENDED, str(error)
        else:
            found = standing(
                task, status="IN_PROGRESS", worker_id=self._worker_id, poll_count=parcel.wire_poll_count
            )
            reason = ending(task)
        if found is not Standing.ENDED or parcel.is_hand_back:
            return found is not Standing.OPEN
        raise ResultNotTaken(reason)

    async def _may_send_again(self, parcel: Parcel, error: ConductorError, attempts: int) -> bool:
        if attempts > len(self._delays) or not can_help(error):
            return False
        delay = update_delay(self._delays[attempts - 1], self._random(), asked_pause(error))
        if not self._hurry.is_set():
            with anyio.move_on_after(delay):
                await self._hurry.wait()
            return True
        if attempts == 1:
            await anyio.sleep(min(delay, LAST_PAUSE))
        return attempts == 1

    def _tell(self, parcel: Parcel, error: ConductorError) -> None:
        """Count a failure; log the first of a streak."""
        self.failed_attempts += 1
        if self.failures.failed((type(error), error.status)):
            logger.warning(
                "Results of %s are not accepted, the first of task %s: %s",
                self._task_type,
                parcel.result.task_id,
                error,
                extra=fields_of_result(parcel.result, self._task_type, parcel.attempt),
            )

    async def send_surplus_logs(self, parcel: Parcel) -> None:
        """Send the lines that the result itself has no room for; what fails is named and left."""
        await send_surplus(self._client, parcel, self._task_type)

    def _give_up(self, result: TaskResult, cause: Exception, attempts: int, task_attempt: int | None) -> None:
        self.undelivered += 1
        self.given_up.add(result.task_id)
        logger.error(
            "Result of task %s (workflow %s, type %s, status %s) could not be delivered, attempts: %d: %s",
            *(result.task_id, result.workflow_instance_id, self._task_type, result.status, attempts, cause),
            extra=fields_of_result(result, self._task_type, task_attempt),
        )

    def _publish(self, result: TaskResult, cause: Exception, attempts: int) -> None:
        if self._publisher.hears(TaskUpdateFailure):
            self._publisher.publish(
                TaskUpdateFailure(
                    task_type=self._task_type,
                    task_id=result.task_id,
                    worker_id=self._worker_id,
                    workflow_instance_id=result.workflow_instance_id,
                    cause=cause,
                    retry_count=attempts,
                    task_result=result,
                )
            )
