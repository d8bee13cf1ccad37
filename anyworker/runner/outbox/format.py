"""The format of an outbox's file, a SQLite database.

Version 2. ``PRAGMA application_id`` is 0x616E7977, ``PRAGMA user_version`` the version; a file of an older
version is brought up to this one when it is opened. Times are epoch seconds.

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

``owners`` has the processes that use the file, when each was last seen, and what tells its life from another
one with its pid (`anyworker.runner.process_id.own_life`); what one that is gone stored ahead waits from then
on. ``lease`` has the one process that replays, and until when.

``hands``, since version 2, has the tasks whose functions have begun, by workflow and reference name, which
all attempts of a task share. A process takes its own out as they end; those of one that is gone become
``deaths``, which count against a task until its function comes to an end.
"""

import contextlib
import os
import sqlite3
import stat
from collections.abc import Iterator
from pathlib import Path

APPLICATION_ID = 0x616E7977
LEASE_SECONDS = 15.0
"""After so long without a sign a process counts as gone."""
_STEPS = (
    """
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
""",
    """
ALTER TABLE owners ADD COLUMN life TEXT NOT NULL DEFAULT '';
CREATE TABLE hands (
    workflow_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    server TEXT NOT NULL,
    owner TEXT NOT NULL,
    task_id TEXT NOT NULL,
    begun REAL NOT NULL,
    PRIMARY KEY (workflow_id, reference, server, owner)
) WITHOUT ROWID;
CREATE TABLE deaths (
    workflow_id TEXT NOT NULL,
    reference TEXT NOT NULL,
    server TEXT NOT NULL,
    owner TEXT NOT NULL,
    task_id TEXT NOT NULL,
    begun REAL NOT NULL,
    died REAL NOT NULL,
    how TEXT NOT NULL,
    PRIMARY KEY (workflow_id, reference, server, owner)
) WITHOUT ROWID;
""",
)
"""From each version to the next, the first from an empty database."""
VERSION = len(_STEPS)
_MODE = 0o600
"""The file holds customers' data."""


class UnknownFormat(Exception):
    """The file is not one of this version's."""


def make_private(path: Path) -> tuple[int, int] | None:
    """Make a file where it is missing, and let nobody else read it, nor what SQLite has beside it.

    Returns:
        What tells the file from another one with its name.

    Raises:
        UnknownFormat: It is something else than a file, and is left as it is.
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NONBLOCK | os.O_CLOEXEC, _MODE)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnknownFormat("it is no regular file")
        os.fchmod(descriptor, _MODE)
    finally:
        os.close(descriptor)
    # New ones get the mode of the file itself; those that a crash has left keep theirs.
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            Path(f"{path}{suffix}").chmod(_MODE)
    return identity_of(path)


def identity_of(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one with its name, None where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def prepare(connection: sqlite3.Connection) -> None:
    """Make a file that was opened one of this version.

    Raises:
        UnknownFormat: That cannot be done.
        sqlite3.Error: The file is damaged, or cannot be written.
    """
    with transaction(connection):
        [version] = connection.execute("PRAGMA user_version").fetchone()
        [application] = connection.execute("PRAGMA application_id").fetchone()
        [tables] = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if tables and application != APPLICATION_ID:
            raise UnknownFormat("it is a database of something else")
        if version > VERSION:
            reason = f"its format is version {version}, of a newer anyworker than this one"
            raise UnknownFormat(reason)
        for step in _STEPS[version if tables else 0 :]:
            for statement in filter(str.strip, step.split(";")):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
    [found] = connection.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        reason = f"it is damaged: {found}"
        raise UnknownFormat(reason)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Make all changes of the block, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise
