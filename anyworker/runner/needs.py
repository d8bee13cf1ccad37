"""What delivery needs of others."""

from collections.abc import Awaitable
from typing import Protocol

from anyworker.conductor.models import Task


class ResultClient(Protocol):
    """What delivery needs of the client."""

    def send_result(self, body: bytes, *, is_terminal: bool) -> Awaitable[object]:
        """Send an encoded result."""
        ...

    def send_result_v2(self, body: bytes) -> Awaitable[Task | None]:
        """Send an encoded result that ends a task, and take the next one if there is one."""
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
