"""Send the lines of a task's log that its result has no room for."""

import logging
from typing import Protocol

from anyworker.errors import ConductorError
from anyworker.logs import fields_of_result
from anyworker.runner.parcel import Parcel

logger = logging.getLogger(__name__)

LOG_REQUESTS = 100
"""Most surplus log lines of a task that are sent one by one; what exceeds them goes as one entry."""


class LogClient(Protocol):
    """What it needs of the client."""

    async def add_log(self, task_id: str, text: str) -> None:
        """Append a line to a task's log."""
        ...


async def send_surplus(client: LogClient, parcel: Parcel, task_type: str) -> None:
    """Send a parcel's surplus lines; what fails is named and left.

    The server stamps these lines when they arrive, so they come after those of the update.
    """
    texts = list(parcel.surplus_logs)
    if len(texts) > LOG_REQUESTS:
        texts[LOG_REQUESTS - 1 :] = ["\n".join(texts[LOG_REQUESTS - 1 :])]
    for sent, text in enumerate(texts):
        try:
            await client.add_log(parcel.result.task_id, text)
        except ConductorError as error:
            logger.warning(
                "%d log lines of task %s were not stored: %s",
                len(parcel.surplus_logs) - sent,
                parcel.result.task_id,
                error,
                extra=fields_of_result(parcel.result, task_type, parcel.attempt),
            )
            return
