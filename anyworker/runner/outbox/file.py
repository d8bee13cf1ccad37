"""Results in a SQLite file, which outlives the process and may be shared by several.

What it looks like is described in `anyworker.runner.outbox.format`.
"""

import contextlib
import os
import sqlite3
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from anyworker.errors import OutboxError
from anyworker.runner.outbox.format import (
    LEASE_SECONDS,
    UnknownFormat,
    identity_of,
    make_private,
    prepare,
    transaction,
)
from anyworker.runner.outbox.hands import Change, bury, bury_strangers
from anyworker.runner.outbox.storage import StoredResult
from anyworker.runner.process_id import is_dead, own_life

T = TypeVar("T")

_BUSY_SECONDS = 10.0
_DAY = 86_400.0
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
        self.owner = owner
        self._life = ""
        self._identity: tuple[int, int] | None = None
        self._is_durable = True
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def open(self) -> None:
        """Open the file, make it where it is missing."""
        with self._lock, self._understood():
            if self._connection is not None:
                self._check_identity()
                return
            self._life = own_life(self.owner)
            self._identity = make_private(self.path)
            # A name such as ":memory:" means something else to SQLite than to the system.
            connection = sqlite3.connect(
                self.path.absolute(), timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.row_factory = sqlite3.Row
            try:
                connection.execute("PRAGMA journal_mode = WAL")
                _set_durable(connection, True)
                self._is_durable = True
                prepare(connection)
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
            with contextlib.closing(connection), transaction(connection):
                connection.execute(
                    "UPDATE results SET state = 'waiting' WHERE state = 'ahead' AND owner = ?",
                    (self.owner,),
                )
                connection.execute("DELETE FROM hands WHERE owner = ?", (self.owner,))
                connection.execute("DELETE FROM owners WHERE owner = ?", (self.owner,))
                connection.execute("DELETE FROM lease WHERE holder = ?", (self.owner,))

    def apply(
        self, changes: Sequence[Callable[[sqlite3.Connection], object]], *, is_durable: bool = True
    ) -> None:
        """Make changes, as `adding` and its like return them, in one transaction: all of them or none.

        Args:
            changes: The changes.
            is_durable: Whether they are to survive the machine; otherwise only any end of the process.
        """
        with self._open() as connection:
            if is_durable is not self._is_durable:
                _set_durable(connection, is_durable)
                self._is_durable = is_durable
            with transaction(connection):
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
                    self.owner,
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

    def appear(self, now: float) -> None:
        """Tell that this process is there."""
        with self._open() as connection, transaction(connection):
            self._appear(connection, now)

    def _appear(self, connection: sqlite3.Connection, now: float) -> None:
        row = (self.owner, now, self._life)
        connection.execute("INSERT OR REPLACE INTO owners (owner, seen, life) VALUES (?, ?, ?)", row)

    def beat(self, now: float) -> bool:
        """Tell that this process is there, and return whether it is the one that replays.

        Processes of this machine that have ended are known to be gone at once, others after their lease.
        """
        with self._open() as connection:
            self._check_identity()
            return self._beat(connection, now)

    def _beat(self, connection: sqlite3.Connection, now: float) -> bool:
        with transaction(connection):
            owners = connection.execute("SELECT owner, life FROM owners").fetchall()
            _remove(connection, [owner for owner, life in owners if is_dead(owner, life)])
            self._appear(connection, now)
            connection.execute(
                "INSERT INTO lease VALUES (1, :us, :end)"
                " ON CONFLICT (one) DO UPDATE SET holder = :us, until = :end"
                " WHERE holder = :us OR until < :now OR until > :end",
                {"us": self.owner, "end": now + LEASE_SECONDS, "now": now},
            )
            [holder] = connection.execute("SELECT holder FROM lease").fetchone()
            if holder != self.owner:
                return False
            silent = "SELECT owner FROM owners WHERE seen < ?"
            _remove(connection, [owner for (owner,) in connection.execute(silent, (now - LEASE_SECONDS,))])
            bury_strangers(connection, now)
            connection.execute(
                "UPDATE results SET state = 'waiting'"
                " WHERE state = 'ahead' AND owner NOT IN (SELECT owner FROM owners)"
            )
            return True

    def _check_identity(self) -> None:
        if identity_of(self.path) != self._identity:
            reason = "it was removed or replaced while in use; another one is begun by the next start"
            raise UnknownFormat(reason)

    def left_behind(self, *, with_others: bool) -> list[StoredResult]:
        """Return what waits in a file that was removed while in use, which nobody else will find.

        Args:
            with_others: Whether also what other processes have stored there.
        """
        with self._open() as connection:
            if identity_of(self.path) == self._identity:
                return []
            rows = connection.execute(
                f"SELECT {_FIELDS} FROM results"  # noqa: S608 - a constant
                " WHERE state = 'waiting' AND server = ? AND (? OR owner = ?) ORDER BY id",
                (self.server, with_others, self.owner),
            )
            return list(map(_stored, rows))

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
        except UnknownFormat as error:
            raise OutboxError(self.path, str(error)) from None


def holding(task_id: str) -> Callable[[sqlite3.Connection], bool]:
    """Return the question whether there is a result of a task."""
    text = "SELECT EXISTS (SELECT 1 FROM results WHERE task_id = ?)"
    return lambda connection: bool(connection.execute(text, (task_id,)).fetchone()[0])


def together(changes: Sequence[Change]) -> Change:
    """Return several changes as one."""

    def make_all(connection: sqlite3.Connection) -> None:
        for change in changes:
            change(connection)

    return make_all


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


def expiring(now: float, days: float) -> Callable[[sqlite3.Connection], object]:
    """Return the change that forgets refused results, and deaths, after so many days."""
    latest = (now - days * _DAY,)

    def expire(connection: sqlite3.Connection) -> None:
        connection.execute("DELETE FROM results WHERE state = 'refused' AND stored_at < ?", latest)
        connection.execute("DELETE FROM deaths WHERE died < ?", latest)

    return expire


def _remove(connection: sqlite3.Connection, owners: Iterable[str]) -> None:
    """Take out processes that are gone."""
    for owner in owners:
        bury(connection, owner)
        connection.execute("DELETE FROM owners WHERE owner = ?", (owner,))
        connection.execute("DELETE FROM lease WHERE holder = ?", (owner,))


def _set_durable(connection: sqlite3.Connection, is_durable: bool) -> None:
    connection.execute(f"PRAGMA synchronous = {'FULL' if is_durable else 'NORMAL'}")


def _stored(row: sqlite3.Row) -> StoredResult:
    values = dict(row)
    return StoredResult(key=values.pop("id"), **values)
