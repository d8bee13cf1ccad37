"""A result made ready for the wire, once, whatever it holds."""

import attrs

from anyworker.conductor.models import TaskResult
from anyworker.errors import SerializationError
from anyworker.policy.outcome import REASON_LIMIT, describe
from anyworker.values.payload import OUTPUT_LIMIT, encode_result

LOGS_PER_UPDATE = 10
"""Lines of an update that the server keeps."""


@attrs.define(eq=False)
class Parcel:
    """A result on its way; not frozen for the sake of its speed, yet nobody's to change."""

    result: TaskResult
    body: bytes
    """The result as JSON."""
    wire_poll_count: int
    """The server's pollCount of the poll that brought the task."""
    surplus_logs: tuple[str, ...] = ()
    """Log lines beyond what an update carries."""
    refusal: SerializationError | None = None
    """Why the result was replaced by a failure, None where it was not."""
    is_replacement: bool = False
    """Whether it is a failure that stands for a result which could not be sent."""

    @property
    def is_terminal(self) -> bool:
        """Whether it ends the task, so that the server ignores a second one."""
        return self.result.status != "IN_PROGRESS"

    def replaced(self, reason: str) -> "Parcel":
        """Return a failure in place of this result, with its log."""
        failed = _failed(self.result, reason)
        return attrs.evolve(self, result=failed, body=encode_result(failed), is_replacement=True)


def pack(result: TaskResult, wire_poll_count: int, *, output_limit: int | None = OUTPUT_LIMIT) -> Parcel:
    """Encode a result; one that JSON or the server cannot hold becomes a failure that names the bad value.

    Args:
        result: What the server is told.
        wire_poll_count: The server's pollCount of the poll that brought the task.
        output_limit: The most bytes of its output, None for any number.
    """
    surplus: tuple[str, ...] = ()
    if len(result.logs) > LOGS_PER_UPDATE:
        surplus = tuple(line.log for line in result.logs[LOGS_PER_UPDATE:] if line.log)
        result.logs = result.logs[:LOGS_PER_UPDATE]
    try:
        return Parcel(result, encode_result(result, output_limit=output_limit), wire_poll_count, surplus)
    except Exception as raised:  # noqa: BLE001 - a value of the user's may run code of the user's
        error = (
            raised if isinstance(raised, SerializationError) else SerializationError("$", describe(raised))
        )
        failed = _failed(result, f"the output cannot be sent: {error}")
        return Parcel(
            failed, encode_result(failed), wire_poll_count, surplus, refusal=error, is_replacement=True
        )


def _failed(result: TaskResult, reason: str) -> TaskResult:
    return TaskResult(
        task_id=result.task_id,
        workflow_instance_id=result.workflow_instance_id,
        worker_id=result.worker_id,
        status="FAILED",
        reason_for_incompletion=reason[:REASON_LIMIT],
        logs=result.logs,
    )
