"""What an operator asks the file of an outbox, and does to it."""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import msgspec

from anyworker.errors import OutboxError
from anyworker.runner.outbox.file import OutboxFile
from anyworker.runner.process_id import process_worker_id

_SUMMARY = (
    "id, state, task_type, task_id, workflow_id, status, attempts, stored_at, error, server,"
    " length(body) AS bytes"
)
_DAY = 86_400.0


@contextlib.contextmanager
def existing(path: str | os.PathLike[str]) -> Iterator[OutboxFile]:
    """Open a file that is there, for the block.

    Raises:
        OutboxError: It is not, or cannot be used.
    """
    if not Path(path).is_file():
        raise OutboxError(path, "there is no such file")
    # Nothing is sent by it, so it need not know for which server.
    file = OutboxFile(path, server="", owner=process_worker_id())
    file.open()
    try:
        yield file
    finally:
        file.close()


@contextlib.contextmanager
def reading(path: str | os.PathLike[str]) -> Iterator[sqlite3.Connection]:
    """Ask a file that is there, for the block, without waiting for who writes to it."""
    uri = f"{Path(path).absolute().as_uri()}?mode=ro"
    with contextlib.closing(sqlite3.connect(uri, uri=True, timeout=1.0)) as connection:
        yield connection


def waiting_in(path: str | os.PathLike[str]) -> int | None:
    """Return how many results wait in a file, for whatever server; None where it cannot tell."""
    try:
        with reading(path) as connection:
            [count] = connection.execute("SELECT count(*) FROM results WHERE state = 'waiting'").fetchone()
    except sqlite3.Error:
        return None
    return int(count)


def stored_tasks(path: str | os.PathLike[str], task_ids: Iterable[str]) -> set[str]:
    """Return those of the tasks whose results are in a file.

    Raises:
        OutboxError: There is no such file, or it cannot be read.
    """
    text = "SELECT EXISTS (SELECT 1 FROM results WHERE task_id = ?)"
    try:
        with reading(path) as connection:
            return {each for each in task_ids if connection.execute(text, (each,)).fetchone()[0]}
    except sqlite3.Error as error:
        raise OutboxError(path, str(error)) from error


def listing(connection: sqlite3.Connection, state: str | None = None) -> list[dict[str, Any]]:
    """Return all results but for their bodies, the oldest first."""
    rows = connection.execute(
        f"SELECT {_SUMMARY} FROM results WHERE :state IS NULL OR state = :state ORDER BY id",  # noqa: S608 - constants
        {"state": state},
    )
    return [dict(row) for row in rows]


def whole(connection: sqlite3.Connection, key: int) -> dict[str, Any] | None:
    """Return all of one result, its body decoded; None where there is none with the key."""
    row = connection.execute("SELECT * FROM results WHERE id = ?", (key,)).fetchone()
    if row is None:
        return None
    found = dict(row)
    return {**found, "body": msgspec.json.decode(found["body"])}


def strangers(connection: sqlite3.Connection, server: str) -> dict[str, int]:
    """Return how many results wait for other servers than one, by their URLs."""
    rows = connection.execute(
        "SELECT server, count(*) FROM results WHERE state != 'refused' AND server != ? GROUP BY server",
        (server,),
    )
    return {str(other): int(count) for other, count in rows}


def missing(connection: sqlite3.Connection, keys: Sequence[int]) -> list[int]:
    """Return the keys that no result has."""
    present = {key for (key,) in connection.execute("SELECT id FROM results")}
    return [key for key in keys if key not in present]


def reviving(keys: Sequence[int]) -> Callable[[sqlite3.Connection], object]:
    """Return the change by which refused results wait again."""
    rows = [(key,) for key in keys]
    return lambda connection: connection.executemany(
        "UPDATE results SET state = 'waiting' WHERE id = ? AND state = 'refused'", rows
    )


@attrs.frozen
class Purge:
    """Which results are to be deleted; what a living process is about to send never is."""

    keys: Sequence[int] = ()
    """These; none for all that are as follows."""
    states: Sequence[str] = ("refused",)
    before: float | None = None
    """Only what was stored before, in epoch seconds."""

    def __call__(self, connection: sqlite3.Connection) -> int:
        """Delete them and return how many there were."""
        rows = connection.execute(
            "SELECT id, state, stored_at FROM results WHERE state != 'ahead'"
        ).fetchall()
        doomed = [
            (key,)
            for key, state, stored_at in rows
            if (key in self.keys if self.keys else state in self.states)
            and (self.before is None or stored_at < self.before)
        ]
        connection.executemany("DELETE FROM results WHERE id = ?", doomed)
        return len(doomed)


def days_before(now: float, days: float) -> float:
    """Return the time so many days before another, in epoch seconds."""
    return now - days * _DAY
