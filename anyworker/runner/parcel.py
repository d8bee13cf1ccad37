"""A result made ready for the wire, once, whatever it holds."""

from collections.abc import Mapping
from typing import Any

import attrs
import msgspec

from anyworker.conductor.models import TaskResult
from anyworker.errors import ReportedFailure, SerializationError
from anyworker.policy.outcome import REASON_LIMIT, Failed, Sent, Terminal, describe
from anyworker.values.payload import OUTPUT_LIMIT, encode_result, storable_text

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
    ahead_key: int = 0
    """Its key in the outbox's file where it was stored before it is sent, else 0."""
    is_hand_back: bool = False
    """Whether it only gives the task back, so that nothing is lost where the task has ended."""
    attempt: int | None = None
    """The retry count of its task, for the log; None where nobody knows."""
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


def pack(
    result: TaskResult,
    wire_poll_count: int,
    *,
    output_limit: int | None = OUTPUT_LIMIT,
    kept: Mapping[str, Any] | None = None,
) -> Parcel:
    """Encode a result; one that JSON or the server cannot hold becomes a failure that names the bad value.

    A result that is a failure already stays the one it is.

    Args:
        result: What the server is told.
        wire_poll_count: The server's pollCount of the poll that brought the task.
        output_limit: The most bytes of its output, None for any number.
        kept: The part of the output that is sent if the whole cannot be.
    """
    surplus: tuple[str, ...] = ()
    if len(result.logs) > LOGS_PER_UPDATE:
        surplus = tuple(storable_text(line.log) for line in result.logs[LOGS_PER_UPDATE:] if line.log)
        result.logs = result.logs[:LOGS_PER_UPDATE]
    try:
        return Parcel(result, encode_result(result, output_limit=output_limit), wire_poll_count, surplus)
    except BaseException as raised:  # noqa: BLE001 - a value of the user's may run code of the user's
        error = (
            raised if isinstance(raised, SerializationError) else SerializationError("$", describe(raised))
        )
    reason = f"the output cannot be sent: {error}"
    if result.status in _FAILURES and result.reason_for_incompletion:
        surplus = (*surplus, reason)
        failed = msgspec.structs.replace(result, output_data={})
    else:
        failed = _failed(result, reason)
    return Parcel(
        failed,
        _with_output(failed, kept, output_limit) or encode_result(failed),
        wire_poll_count,
        surplus,
        refusal=error,
        is_replacement=True,
    )


_FAILURES = frozenset({"FAILED", "FAILED_WITH_TERMINAL_ERROR"})


def _with_output(failed: TaskResult, kept: Mapping[str, Any] | None, limit: int | None) -> bytes | None:
    """Encode a failure with an output, if that can be sent."""
    if not kept:
        return None
    failed.output_data = dict(kept)
    try:
        return encode_result(failed, output_limit=limit)
    except BaseException:  # noqa: BLE001 - as in `pack`
        failed.output_data = {}
        return None


def _failed(result: TaskResult, reason: str) -> TaskResult:
    return TaskResult(
        task_id=result.task_id,
        workflow_instance_id=result.workflow_instance_id,
        worker_id=result.worker_id,
        status="FAILED",
        reason_for_incompletion=reason[:REASON_LIMIT],
        logs=result.logs,
    )


def cause_of(outcome: Sent, parcel: Parcel) -> BaseException | None:
    """Return what a result that tells of a failure failed of, None where it tells of none."""
    if parcel.refusal is None and parcel.result.status == "COMPLETED":
        return None  # as nearly all are
    if isinstance(outcome, Failed | Terminal):
        return outcome.cause
    if parcel.refusal is not None:
        return parcel.refusal
    if parcel.result.status in {"FAILED", "FAILED_WITH_TERMINAL_ERROR"}:
        return ReportedFailure(parcel.result.reason_for_incompletion or "no reason given")
    return None
