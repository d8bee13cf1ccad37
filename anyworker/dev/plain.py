"""Show what happens line by line, for files, pipes and terminals that can do no more."""

import contextlib
from typing import IO

from anyworker.dev.board import Board, Row
from anyworker.dev.showing import clean, clock_time, duration, short_id
from anyworker.devserver.records.changes import Change


class PlainView:
    """Writes one line for each change.

    Args:
        out: Where changes and the output of workers go.
        err: Where errors go, and what workers write to standard error.
    """

    def __init__(self, out: IO[bytes], err: IO[bytes]) -> None:
        self._out = out
        self._err = err
        self._board = Board()

    def show_change(self, change: Change) -> None:
        """Write a line."""
        self._write(f"{plain_line(self._board.apply(change))}\n".encode(errors="replace"))

    def show_line(self, line: bytes, *, is_error: bool) -> None:
        """Hand on what a process wrote, byte by byte."""
        self._write(line, is_error=is_error)

    def show_notice(self, text: str, *, is_error: bool) -> None:
        """Write a text as it is."""
        self._write(f"{text}\n".encode(errors="replace"), is_error=is_error)

    def show_state(self, text: str) -> None:
        """Show nothing: what led to it has a line of its own."""

    def refresh(self) -> float | None:
        """Let what was written arrive."""
        for stream in (self._out, self._err):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        return None

    def close(self) -> None:
        """Let what was written arrive."""
        self.refresh()

    def _write(self, text: bytes, *, is_error: bool = False) -> None:
        # A reader that has gone, as in a pipe to head, is no reason to stop.
        with contextlib.suppress(OSError, ValueError):
            (self._err if is_error else self._out).write(text)


def plain_line(row: Row) -> str:
    """Return a change as a line: time, workflow, task, status, then what there is to say."""
    name = f"{clean(row.workflow)}/{short_id(row.workflow_id)}"
    parts = [clock_time(row.at), name, clean(row.task or "workflow"), row.status]
    if row.worker_id and not row.is_waiting:
        parts.append(clean(row.worker_id))
    if not row.is_moving and (time := duration(row.seconds())):
        parts.append(time)
    if row.reason:
        parts.append(clean(row.reason))
    return "  ".join(parts)
