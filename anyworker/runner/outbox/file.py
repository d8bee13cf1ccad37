"""Results in a SQLite file, which outlives the process and may be shared by several.

The format, version 1. ``PRAGMA application_id`` is 0x616E7977, ``PRAGMA user_version`` the version. Times are
epoch seconds.

``results``, one row for each result, the oldest with the smallest ``id``:

============  ==========================================================================================
state         ``ahead``: its process makes the first attempts. ``waiting``: to be sent again.
              ``refused``: the server will never take it, ``error`` says why.
owner         The process that stored it.
server        The API's URL: a process sends only what is meant for its own server.
status        The result's. ``IN_PROGRESS`` does not end the task.
poll_count    The server's pollCount of the poll that brought the task.
attempts      How often it was sent in vain.
body          The result as JSON, as it is sent.
============  ==========================================================================================

``owners`` has the processes that use the file and when each was last seen; what one that is gone stored
ahead waits from then on. ``lease`` has the one process that replays, and until when.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from anyworker.errors import OutboxError
from anyworker.runner.outbox.storage import StoredResult
from anyworker.runner.process_id import is_dead

T = TypeVar("T")

APPLICATION_ID = 0x616E7977
VERSION = 1
LEASE_SECONDS = 15.0
"""After so long without a sign a process counts as gone."""
_BUSY_SECONDS = 10.0
_DAY = 86_400.0
_MODE = 0o600
"""The file holds customers' data."""
_TABLES = """
CREATE TABLE results (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    state TEXT NOT NULL CHECK (state IN ('ahead', 'waiting', 'refused')),
    owner TEXT NOT NULL,
    server TEXT NOT NULL,
    task_type TEXT NOT NULL,
    task_id TEXT NOT NULL,
    workflow_id TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    status TEXT NOT NULL,
    poll_count INTEGER NOT NULL,
    stored_at REAL NOT NULL,
    attempts INTEGER NOT NULL,
    error TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX results_by_state ON results (state, id);
CREATE TABLE owners (owner TEXT PRIMARY KEY, seen REAL NOT NULL);
CREATE TABLE lease (one INTEGER PRIMARY KEY CHECK (one = 1), holder TEXT NOT NULL, until REAL NOT NULL);
"""
_FIELDS = (
    "id, task_type, task_id, workflow_id, worker_id, status, poll_count, stored_at, attempts, error, body"
)


class OutboxFile:
    """The file of an outbox. Its calls block; they may come from any thread.

    Args:
        path: Where it is.
        server: The API's URL.
        owner: This process, as `anyworker.runner.process_id` names it.

    Every method raises `OutboxError` where the file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str], *, server: str, owner: str) -> None:
        self.path = Path(path)
        self.server = server
        self._owner = owner
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, make it where it is missing."""
        with self._lock, self._understood():
            if self._connection is not None:
                return
            # SQLite gives its side files the mode of this one.
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT, _MODE))
            self.path.chmod(_MODE)
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.execute("PRAGMA synchronous = FULL")
                _prepare(connection)
            except BaseException:
                connection.close()
                raise
            self._connection = connection

    def close(self) -> None:
        """Leave the file: what was stored ahead waits, and somebody else may replay."""
        with self._lock, self._understood():
            connection, self._connection = self._connection, None
            if connection is None:
                return
            with contextlib.closing(connection), _transaction(connection):
                connection.execute(
                    "UPDATE results SET state = 'waiting' WHERE state = 'ahead' AND owner = ?",
                    (self._owner,),
                )
                connection.execute("DELETE FROM owners WHERE owner = ?", (self._owner,))
                connection.execute("DELETE FROM lease WHERE holder = ?", (self._owner,))

    def apply(self, changes: Sequence[Callable[[sqlite3.Connection], object]]) -> None:
        """Make changes, as `adding` and its like return them, in one transaction: all of them or none."""
        with self._open() as connection, _transaction(connection):
            for change in changes:
                change(connection)

    def adding(self, stored: StoredResult, *, is_ahead: bool = False) -> Callable[[sqlite3.Connection], None]:
        """Return the change that stores a result and gives it its key; one that has its key is updated."""
        state = "ahead" if is_ahead else "waiting"

        def add(connection: sqlite3.Connection) -> None:
            values = (state, stored.status, stored.attempts, stored.error, stored.body)
            if stored.key:
                connection.execute(
                    "UPDATE results SET state = ?, status = ?, attempts = ?, error = ?, body = ?"
                    " WHERE id = ?",
                    (*values, stored.key),
                )
                return
            cursor = connection.execute(
                "INSERT INTO results (state, status, attempts, error, body, owner, server, task_type,"
                " task_id, workflow_id, worker_id, poll_count, stored_at) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)",
                (
                    *values,
                    self._owner,
                    self.server,
                    stored.task_type,
                    stored.task_id,
                    stored.workflow_id,
                    stored.worker_id,
                    stored.poll_count,
                    stored.stored_at,
                ),
            )
            stored.key = cursor.lastrowid or 0

        return add

    def oldest(self, most: int, but_not: Collection[int] = ()) -> list[StoredResult]:
        """Return the oldest results that wait for this server, but for those with certain keys."""
        with self._open() as connection:
            rows = connection.execute(
                f"SELECT {_FIELDS} FROM results WHERE state = 'waiting' AND server = ? ORDER BY id LIMIT ?",  # noqa: S608 - a constant
                (self.server, most + len(but_not)),
            )
            return [each for each in map(_stored, rows) if each.key not in but_not][:most]

    def beat(self, now: float) -> bool:
        """Tell that this process is there, and return whether it is the one that replays.

        Processes of this machine that have ended are known to be gone at once, others after their lease.
        """
        with self._open() as connection, _transaction(connection):
            dead = [(owner,) for (owner,) in connection.execute("SELECT owner FROM owners") if is_dead(owner)]
            connection.executemany("DELETE FROM owners WHERE owner = ?", dead)
            connection.executemany("DELETE FROM lease WHERE holder = ?", dead)
            connection.execute("INSERT OR REPLACE INTO owners VALUES (?, ?)", (self._owner, now))
            connection.execute(
                "INSERT INTO lease VALUES (1, ?1, ?2) ON CONFLICT (one) DO UPDATE SET holder = ?1, until = ?2"
                " WHERE holder = ?1 OR until < ?3 OR until > ?2",
                (self._owner, now + LEASE_SECONDS, now),
            )
            [holder] = connection.execute("SELECT holder FROM lease").fetchone()
            if holder != self._owner:
                return False
            connection.execute("DELETE FROM owners WHERE seen < ?", (now - LEASE_SECONDS,))
            connection.execute(
                "UPDATE results SET state = 'waiting'"
                " WHERE state = 'ahead' AND owner NOT IN (SELECT owner FROM owners)"
            )
            return True

    def ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Return the answer to a question, such as those of `anyworker.runner.outbox.listing`."""
        with self._open() as connection:
            return question(connection)

    @contextlib.contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        with self._lock, self._understood():
            if self._connection is None:
                raise OutboxError(self.path, "it is not open")
            yield self._connection

    @contextlib.contextmanager
    def _understood(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutboxError(self.path, f"it cannot be opened: {error.strerror}") from error
        except sqlite3.Error as error:
            raise OutboxError(self.path, str(error)) from error
        except _UnknownFormat as error:
            raise OutboxError(self.path, str(error)) from None


def holding(task_id: str) -> Callable[[sqlite3.Connection], bool]:
    """Return the question whether there is a result of a task."""
    text = "SELECT EXISTS (SELECT 1 FROM results WHERE task_id = ?)"
    return lambda connection: bool(connection.execute(text, (task_id,)).fetchone()[0])


def removing(keys: Iterable[int]) -> Callable[[sqlite3.Connection], object]:
    """Return the change that forgets results."""
    rows = [(key,) for key in keys]
    return lambda connection: connection.executemany("DELETE FROM results WHERE id = ?", rows)


def refusing(key: int, reason: str) -> Callable[[sqlite3.Connection], object]:
    """Return the change by which a result is kept, but sent no more."""
    return lambda connection: connection.execute(
        "UPDATE results SET state = 'refused', error = ? WHERE id = ?", (reason, key)
    )


def failing(key: int, error: str) -> Callable[[sqlite3.Connection], object]:
    """Return the change that counts an attempt in vain."""
    return lambda connection: connection.execute(
        "UPDATE results SET attempts = attempts + 1, error = ? WHERE id = ?", (error, key)
    )


def releasing(key: int) -> Callable[[sqlite3.Connection], object]:
    """Return the change by which a result that was stored ahead waits to be sent again."""
    return lambda connection: connection.execute(
        "UPDATE results SET state = 'waiting' WHERE id = ? AND state = 'ahead'", (key,)
    )


def expiring(now: float, days: float) -> Callable[[sqlite3.Connection], object]:
    """Return the change that forgets refused results after so many days."""
    return lambda connection: connection.execute(
        "DELETE FROM results WHERE state = 'refused' AND stored_at < ?", (now - days * _DAY,)
    )


class _UnknownFormat(Exception):
    """The file is not one of this version's."""


def _prepare(connection: sqlite3.Connection) -> None:
    with _transaction(connection):
        [version] = connection.execute("PRAGMA user_version").fetchone()
        [application] = connection.execute("PRAGMA application_id").fetchone()
        [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise _UnknownFormat("it is a database of something else")
        if version > VERSION:
            reason = f"its format is version {version}, of a newer anyworker than this one"
            raise _UnknownFormat(reason)
        if not tables:
            for statement in filter(str.strip, _TABLES.split(";")):
                connection.execute(statement)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {VERSION}")
    [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        reason = f"it is damaged: {found}"
        raise _UnknownFormat(reason)


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


def _stored(row: sqlite3.Row) -> StoredResult:
    values = dict(row)
    return StoredResult(key=values.pop("id"), **values)
