"""Bring results to the server: again if that can help, replaced if not, never dropped silently."""

import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import anyio

from anyworker.conductor.models import Task, TaskResult, TaskStatus
from anyworker.errors import (
    AnyworkerError,
    AuthorizationError,
    ConductorError,
    DeliveryCancelled,
    NotFoundError,
    ResponseError,
    TransportError,
    UnexpectedAnswerError,
)
from anyworker.events import Publisher, TaskUpdateFailure
from anyworker.policy.backoff import update_delay
from anyworker.runner.parcel import Parcel

logger = logging.getLogger(__name__)

LOG_REQUESTS = 100
"""Most surplus log lines of a task that are sent one by one; what exceeds them goes as one entry."""


class ResultClient(Protocol):
    """What delivery needs of the client."""

    def send_result(self, body: bytes, *, is_terminal: bool) -> Awaitable[object]:
        """Send an encoded result."""
        ...

    async def add_log(self, task_id: str, text: str) -> None:
        """Append a line to a task's log."""
        ...

    async def get_task(self, task_id: str) -> Task:
        """Return the task as the server has it."""
        ...


class Heartbeats(Protocol):
    """What keeps the lease of a task whose result waits for its next attempt."""

    async def hold(self) -> None:
        """Send none until `release`; return when the one under way has its answer."""
        ...

    def release(self) -> None:
        """Go on with them."""
        ...


class Delivery:
    """Deliver the results of one worker.

    Args:
        client: Where to.
        task_type: For events and logs.
        worker_id: Who polled the tasks.
        publisher: Hears of results that could not be delivered.
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
        delays: Sequence[float],
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._task_type = task_type
        self._worker_id = worker_id
        self._publisher = publisher
        self._delays = tuple(delays)
        self._random = random
        self._hurry = anyio.Event()
        self.undelivered = 0
        """Results that were given up."""

    def hurry(self) -> None:
        """Make one last attempt for whatever waits for its next, and give up what fails from now on."""
        self._hurry.set()

    def attempt(self, parcel: Parcel) -> Awaitable[object]:
        """Send a result.

        Raises:
            ConductorError: The server has not taken it; `persist` knows what to do.
        """
        return self._client.send_result(parcel.body, is_terminal=parcel.is_terminal)

    async def deliver(self, parcel: Parcel, heartbeats: Heartbeats) -> None:
        """Send a result until the server has taken it or nothing can help: `attempt`, then `persist`."""
        try:
            await self.attempt(parcel)
        except ConductorError as error:
            await self.persist(parcel, error, heartbeats)

    async def persist(self, parcel: Parcel, error: ConductorError, heartbeats: Heartbeats) -> None:
        """Go on after a first attempt that failed, until the server has taken the result or nothing can help.

        The lease is kept meanwhile, but no heartbeat is sent beside an attempt.

        A result that is given up is published by `TaskUpdateFailure` and named in an ERROR log.
        """
        attempts = 1
        is_doubtful = False
        while True:
            heartbeats.release()
            if _is_rejected(error) and not parcel.is_replacement:
                parcel = parcel.replaced(f"the server rejected the result: {error}")
            elif await self._may_send_again(parcel, error, attempts):
                is_doubtful = is_doubtful or (not parcel.is_terminal and _may_have_worked(error))
            else:
                self._give_up(parcel.result, error, attempts)
                return
            attempts += 1
            await heartbeats.hold()
            try:
                if not (is_doubtful and await self._has_moved_on(parcel)):
                    await self.attempt(parcel)
            except ConductorError as failure:
                error = failure
            else:
                logger.info("Result of task %s accepted at attempt %d", parcel.result.task_id, attempts)
                return

    def surface(self, result: TaskResult) -> None:
        """Publish a result whose delivery was cancelled."""
        self._give_up(result, DeliveryCancelled(), 1)

    async def _has_moved_on(self, parcel: Parcel) -> bool:
        """Return whether an IN_PROGRESS whose answer was lost did its work.

        A second one for a task that somebody has polled since would give it to two workers.
        """
        try:
            task = await self._client.get_task(parcel.result.task_id)
        except NotFoundError:
            return True
        return not (
            task.status == TaskStatus.IN_PROGRESS
            and task.worker_id == self._worker_id
            and task.poll_count == parcel.wire_poll_count
        )

    async def _may_send_again(self, parcel: Parcel, error: ConductorError, attempts: int) -> bool:
        if attempts > len(self._delays) or self._hurry.is_set() or not _can_help(error):
            return False
        retry_after = error.retry_after if isinstance(error, ResponseError) else None
        delay = update_delay(self._delays[attempts - 1], self._random(), retry_after)
        logger.warning(
            "Result of task %s not accepted at attempt %d, the next in %.1f s: %s",
            parcel.result.task_id,
            attempts,
            delay,
            error,
        )
        with anyio.move_on_after(delay):
            await self._hurry.wait()
        return True

    async def send_surplus_logs(self, parcel: Parcel) -> None:
        """Send the lines that the result itself has no room for; what fails is named and left."""
        # The server stamps these lines when they arrive, so they come after those of the update.
        texts = list(parcel.surplus_logs)
        if len(texts) > LOG_REQUESTS:
            texts[LOG_REQUESTS - 1 :] = ["\n".join(texts[LOG_REQUESTS - 1 :])]
        for sent, text in enumerate(texts):
            try:
                await self._client.add_log(parcel.result.task_id, text)
            except ConductorError as error:
                logger.warning(
                    "%d log lines of task %s were not stored: %s",
                    len(parcel.surplus_logs) - sent,
                    parcel.result.task_id,
                    error,
                )
                return

    def _give_up(self, result: TaskResult, cause: AnyworkerError, attempts: int) -> None:
        self.undelivered += 1
        logger.error(
            "Result of task %s (workflow %s, type %s, status %s) could not be delivered, attempts: %d: %s",
            result.task_id,
            result.workflow_instance_id,
            self._task_type,
            result.status,
            attempts,
            cause,
        )
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


def _is_rejected(error: ConductorError) -> bool:
    """Whether the server understood the request and will never take this result for its content."""
    is_client_error = error.status is not None and 400 <= error.status < 500
    return is_client_error and error.status != 404 and not _can_help(error)


def _can_help(error: ConductorError) -> bool:
    """Whether sending again can succeed: also after a refused token, or an answer from some other server."""
    return error.is_retryable or isinstance(error, AuthorizationError | UnexpectedAnswerError)


def _may_have_worked(error: ConductorError) -> bool:
    if isinstance(error, TransportError):
        return error.may_have_arrived
    # The server answers 500 also for what fails after it has stored the update.
    return error.status is None or error.status >= 500
