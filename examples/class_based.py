"""A class as a worker: one instance of it serves all tasks and keeps what they share.

    anyworker dev examples/class_based.py --start send_mail --input '{"to": "ada@example.com"}' --once

The function is given the whole task, so nothing is converted.
"""

from anyworker import Task, worker_task


@worker_task("send_mail", thread_count=5)
class Mailer:
    """Send mails, and number them."""

    def __init__(self) -> None:
        self._sent = 0

    async def execute(self, task: Task) -> dict[str, object]:
        """Send the mail that a task asks for."""
        self._sent += 1
        return {"to": task.input_data["to"], "number": self._sent}
