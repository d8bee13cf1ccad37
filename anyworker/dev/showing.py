"""Texts for people: one line each, whatever the names and reasons of users hold."""

import datetime
from typing import Protocol

from anyworker.devserver.records.changes import Change

_JOINER = "\N{ZERO WIDTH JOINER}"


class View(Protocol):
    """Shows what happens. Everything is called from one thread."""

    def show_change(self, change: Change) -> None:
        """Show that a task or a workflow moved."""

    def show_line(self, line: bytes, *, is_error: bool) -> None:
        """Show what a process wrote."""

    def show_notice(self, text: str, *, is_error: bool) -> None:
        """Show what the command has to say."""

    def show_state(self, text: str) -> None:
        """Show how things stand, until they stand otherwise."""

    def refresh(self) -> float | None:
        """Bring the screen up to date; return the seconds after which that is worth doing again by itself."""

    def close(self) -> None:
        """Show the last of it, and leave the terminal as it was."""


def clean(text: str) -> str:
    """Return a text that moves no cursor and begins no line: what cannot be printed is escaped."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char == _JOINER else char.encode("unicode_escape").decode()
        for char in text
    )


def clock_time(at: int) -> str:
    """Return the time of day of epoch milliseconds, with milliseconds."""
    moment = datetime.datetime.fromtimestamp(at / 1000, datetime.UTC).astimezone()
    return f"{moment:%H:%M:%S}.{at % 1000:03d}"


def duration(seconds: float | None) -> str:
    """Return a duration as people say it, nothing for None."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{seconds * 1000:.0f}ms"
    if seconds < 60:
        return f"{seconds:.2f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"


def short_id(workflow_id: str) -> str:
    """Return enough of an id to tell it from its neighbours."""
    return workflow_id[:8]
