"""Show what happens on a terminal: what has ended scrolls away above, what moves stays below."""

import contextlib
import datetime
import itertools
import socket
import time
from collections.abc import Iterator
from typing import IO

import attrs
from rich.cells import cell_len, set_cell_size
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from anyworker.dev.board import Board, Row
from anyworker.dev.showing import clean, clock_time, duration, short_id
from anyworker.devserver.records.changes import Change

_PAUSE_SECONDS = 0.1
"""Shortest time between two looks: more often is more than eyes can tell."""
_TICK_SECONDS = 0.25
"""How often durations move on while nothing else happens."""
_MOST_ROWS = 12
"""Tasks that are shown while they move."""
_STYLES = {
    "SCHEDULED": ("\N{DOTTED CIRCLE}", "dim"),
    "IN_PROGRESS": ("\N{BLACK CIRCLE}", "cyan"),
    "RUNNING": ("\N{BLACK CIRCLE}", "cyan"),
    "PAUSED": ("\N{WHITE CIRCLE}", "yellow"),
    "COMPLETED": ("\N{HEAVY CHECK MARK}", "green"),
    "COMPLETED_WITH_ERRORS": ("\N{HEAVY CHECK MARK}", "yellow"),
    "CANCELED": ("\N{WHITE CIRCLE}", "yellow"),
    "SKIPPED": ("\N{WHITE CIRCLE}", "dim"),
    "TERMINATED": ("\N{WHITE CIRCLE}", "yellow"),
}
_BAD = ("\N{HEAVY BALLOT X}", "red")
_SHOWN_STATUS = {"FAILED_WITH_TERMINAL_ERROR": "FAILED for good", "COMPLETED_WITH_ERRORS": "COMPLETED*"}
_STATUS_WIDTH = 17
_TIME_WIDTH = 12
_DURATION_WIDTH = 8
_INDENT = " " * (_TIME_WIDTH + 1)


class ScreenView:
    """Keeps a live table at the bottom of a terminal.

    Args:
        stream: The terminal.
        err: Where workers' standard error and errors go instead, if that is not a terminal.
    """

    def __init__(self, stream: IO[str], err: IO[bytes] | None) -> None:
        self._err = err
        self._console = Console(file=stream, highlight=False, markup=False, emoji=False)
        self._live = Live(
            console=self._console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self._board = Board()
        self._tasks: dict[str, int] = {}
        """How many tasks each running workflow has had so far."""
        self._state = ""
        self._news: list[Row | Text] = []
        self._last_look = 0.0
        self._host = f"{socket.gethostname()}-"
        self._live.start()
        # Whatever ends the process, the terminal has its cursor.
        self._console.show_cursor(show=True)

    def show_change(self, change: Change) -> None:
        """Move a task on; what has ended goes up."""
        row = self._board.apply(change)
        if row.task is None:
            count = self._tasks.pop(row.workflow_id, 0)
            if row.is_moving:
                self._tasks[row.workflow_id] = count
            elif count != 1:  # what the only task has said already is not said twice
                self._news.append(row)
            return
        if row.is_waiting and row.at == row.began:
            self._tasks[row.workflow_id] = self._tasks.get(row.workflow_id, 0) + 1
        if not row.is_moving:
            self._news.append(row)

    def show_line(self, line: bytes, *, is_error: bool) -> None:
        """Show what a process wrote above the table; colours stay, movements of the cursor do not."""
        if is_error and self._err is not None:
            _write(self._err, line)
            return
        text = line.decode(errors="replace").rstrip("\r\n").rpartition("\r")[2]
        self._news.append(
            Text.from_ansi(text.expandtabs()) if "\x1b" in text else Text(clean(text.expandtabs()))
        )

    def show_notice(self, text: str, *, is_error: bool) -> None:
        """Show a text above the table."""
        if is_error and self._err is not None:
            _write(self._err, f"{text}\n".encode(errors="replace"))
            return
        lines = "\n".join(clean(line) for line in text.splitlines())
        self._news.append(Text(lines, style="red" if is_error else "bold"))

    def show_state(self, text: str) -> None:
        """Show how things stand in the last line."""
        self._state = text

    def refresh(self) -> float | None:
        """Draw, unless it has just been done."""
        now = time.monotonic()
        if now < self._last_look + _PAUSE_SECONDS:
            return self._last_look + _PAUSE_SECONDS - now
        self._last_look = now
        if self._news:
            news, self._news = self._news, []
            # Unwrapped, so that a command can be copied whole.
            self._console.print(*self._above(news), sep="\n", soft_wrap=True)
        self._live.update(self._below(), refresh=True)
        return _TICK_SECONDS if self._board.in_hand else None

    def close(self) -> None:
        """Show the last news; leave nothing below them."""
        self._last_look = 0.0
        self.refresh()
        self._live.stop()

    def _above(self, news: list[Row | Text]) -> Iterator[Text]:
        columns = _Columns.of(self._console.width)
        for item in news:
            if isinstance(item, Text):
                yield item
                continue
            yield self._line(item, columns, item.seconds())
            if item.reason and item.status != "COMPLETED":
                reason = Text(clean(item.reason), style=_style(item.status)[1])
                for line in reason.wrap(self._console, max(self._console.width - len(_INDENT), 20)):
                    yield Text(_INDENT).append_text(line)

    def _below(self) -> RenderableType:
        """Return the tasks that move, those in hand first, and a line that sums up."""
        columns = _Columns.of(self._console.width)
        now = round(datetime.datetime.now(datetime.UTC).timestamp() * 1000)
        room = max(1, min(_MOST_ROWS, self._console.height // 2 - 2))
        moving = itertools.chain(self._board.in_hand.values(), self._board.waiting.values())
        lines = [self._line(row, columns, row.seconds(now)) for row in itertools.islice(moving, room)]
        hidden = len(self._board.in_hand) + len(self._board.waiting) - len(lines)
        if hidden:
            lines.append(Text(f"{_INDENT}and {hidden} more", style="dim"))
        summary = Text(no_wrap=True, overflow="ellipsis")
        for text, style in self._summary():
            summary.append("  " if summary else "").append(text, style=style)
        return Group(*lines, summary)

    def _summary(self) -> Iterator[tuple[str, str]]:
        if self._state:
            yield clean(self._state), "reverse"
        board = self._board
        for count, text, style in (
            (len(board.workflows), "workflows run", "cyan"),
            (len(board.waiting), "tasks wait", ""),
            (len(board.in_hand), "in hand", "cyan"),
        ):
            if count:
                yield f"{count} {text}", style
        for status, count in board.ended.items():
            icon, style = _style(status)
            yield f"{icon} {count} {_shown(status)}", style

    def _line(self, row: Row, columns: "_Columns", seconds: float | None) -> Text:
        icon, style = _style(row.status)
        is_workflow = row.task is None
        line = Text(no_wrap=True, overflow="crop")
        line.append(clock_time(row.at), style="dim")
        line.append(f" {_with_id(row, columns.workflow)}")
        line.append(
            f" {_fit('workflow' if is_workflow else clean(row.task or ''), columns.task)}", style="bold"
        )
        line.append(f" {_fit(f'{icon} {_shown(row.status)}', _STATUS_WIDTH)}", style=style)
        line.append(f" {duration(seconds):>{_DURATION_WIDTH}}")
        if columns.worker and row.worker_id and not row.is_waiting:
            worker = clean(row.worker_id.removeprefix(self._host))
            line.append(f" {_fit(worker, columns.worker)}", style="dim")
        return line


@attrs.frozen
class _Columns:
    """How many cells of the terminal each part of a line has that may be short or long."""

    workflow: int
    task: int
    worker: int

    @classmethod
    def of(cls, width: int) -> "_Columns":
        """Share out a terminal's width; a narrow one shows no worker."""
        rest = width - _TIME_WIDTH - _STATUS_WIDTH - _DURATION_WIDTH - 5
        worker = 18 if rest >= 60 else 0
        rest = max(rest - worker - 1, 16)
        workflow = rest // 2
        return cls(min(workflow, 40), min(rest - workflow, 40), worker)


def _write(stream: IO[bytes], text: bytes) -> None:
    with contextlib.suppress(OSError, ValueError):
        stream.write(text)
        stream.flush()


def _style(status: str) -> tuple[str, str]:
    return _STYLES.get(status, _BAD)


def _shown(status: str) -> str:
    return _SHOWN_STATUS.get(status, status)


def _with_id(row: Row, width: int) -> str:
    """Return a workflow's name, cut where it must be, and the beginning of its id."""
    name, end = clean(row.workflow), f" {short_id(row.workflow_id)}"
    if cell_len(name) + len(end) > width:
        name = _fit(name, width - len(end))
    return _fit(name + end, width)


def _fit(text: str, width: int) -> str:
    """Return a text in exactly so many cells, of which some characters take two."""
    if cell_len(text) > width:
        return f"{set_cell_size(text, width - 1)}\N{HORIZONTAL ELLIPSIS}"
    return set_cell_size(text, width)
