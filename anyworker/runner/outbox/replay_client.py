"""What an outbox needs of the client."""

from collections.abc import Awaitable
from typing import Protocol

from anyworker.conductor.models import Task


class ReplayClient(Protocol):
    """What an outbox needs of the client."""

    def send_result(self, body: bytes, *, is_terminal: bool) -> Awaitable[object]:
        """Send an encoded result."""
        ...

    async def get_task(self, task_id: str) -> Task:
        """Return the task as the server has it."""
        ...
