"""What a real Conductor server keeps its data in: a file of SQLite, or a PostgreSQL or Redis of its own.

Each back end is a context manager that takes a directory and yields the server's settings for it. The two
database servers listen on a free port of 127.0.0.1, run as an ordinary user also under root, keep their data
in a temporary directory and end with the block. They are Debian's ``postgresql`` and ``redis-server``, found
on PATH or where Debian puts PostgreSQL's programs.
"""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from pathlib import Path

from bound_process import (
    BrokenServerError,
    UnavailableError,
    User,
    free_port,
    launching,
    process,
    unprivileged_user,
)

Settings = Mapping[str, str]
Backend = Callable[[Path], AbstractContextManager[Settings]]

PATIENCE = 30.0
"""Seconds until a database is ready; about one on an idle machine."""
READY_LINE = 7
"""Where postmaster.pid says how far the start has come, counted from 0."""

POSTGRES_PROGRAMS = "usr/lib/postgresql/*/bin"
POSTGRES_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "dynamic_shared_memory_type": "mmap",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}


@contextlib.contextmanager
def sqlite(directory: Path) -> Iterator[Settings]:
    """Keep everything in one file of the server's own."""
    yield {
        "spring.datasource.url": f"jdbc:sqlite:{directory}/c.db?busy_timeout=15000&journal_mode=WAL",
        "spring.datasource.driver-class-name": "org.sqlite.JDBC",
        "conductor.db.type": "sqlite",
        "conductor.queue.type": "sqlite",
        "conductor.indexing.type": "sqlite",
    }


@contextlib.contextmanager
def postgres(_: Path) -> Iterator[Settings]:
    """Run a PostgreSQL.

    Raises:
        UnavailableError: There is none on this machine.
        BrokenServerError: It did not start.
    """
    program = find_program("postgres", POSTGRES_PROGRAMS, package="postgresql")
    user, port = unprivileged_user("postgres", "nobody"), free_port()
    with place(user) as directory:
        data = directory / "data"
        create_cluster(program.resolve().with_name("initdb"), data, user)
        settings = [word for key, value in POSTGRES_SETTINGS.items() for word in ("-c", f"{key}={value}")]
        command = [str(program), "-D", str(data), "-p", str(port), *settings]
        # SIGQUIT is its immediate shutdown; SIGKILL would leave shared memory behind.
        with process(
            command,
            directory / "postgres.log",
            is_ready=lambda: is_postgres_ready(data),
            patience=PATIENCE,
            user=user,
            end=signal.SIGQUIT,
        ):
            yield {
                "spring.datasource.url": f"jdbc:postgresql://127.0.0.1:{port}/postgres",
                "spring.datasource.driver-class-name": "org.postgresql.Driver",
                "spring.datasource.username": "conductor",
                "conductor.db.type": "postgres",
                "conductor.queue.type": "postgres",
                "conductor.indexing.type": "postgres",
                "conductor.elasticsearch.version": "0",
            }


def create_cluster(initdb: Path, data: Path, user: User) -> None:
    """Make the files of an empty database whose only user may come without a password."""
    options = ["-U", "conductor", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
    done = subprocess.run(
        launching([str(initdb), "-D", str(data), *options], user),
        cwd=data.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BrokenServerError(
            f"initdb ended with status {done.returncode}:\n{(done.stdout + done.stderr)[-1000:]}"
        )


def is_postgres_ready(data: Path) -> bool:
    """Return whether PostgreSQL's own file says that it takes connections."""
    with contextlib.suppress(OSError, IndexError):
        return (data / "postmaster.pid").read_text().splitlines()[READY_LINE].strip() == "ready"
    return False


@contextlib.contextmanager
def redis(_: Path) -> Iterator[Settings]:
    """Run a Redis; with it the server has no index: searches find nothing, and logs are dropped.

    Raises:
        UnavailableError: There is none on this machine.
        BrokenServerError: It did not start.
    """
    program = find_program("redis-server", package="redis-server")
    user, port = unprivileged_user("redis", "nobody"), free_port()
    with place(user) as directory:
        arguments = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(directory), "--save", ""]
        with process(
            [str(program), *arguments],
            directory / "redis.log",
            is_ready=lambda: is_redis_ready(port),
            patience=PATIENCE,
            user=user,
        ):
            yield {
                "conductor.db.type": "redis_standalone",
                "conductor.queue.type": "redis_standalone",
                "conductor.redis.hosts": f"127.0.0.1:{port}:us-east-1c",
                "conductor.indexing.enabled": "false",
                "conductor.indexing.type": "none",
                # It would open the SQLite file that the server is shipped with.
                "spring.autoconfigure.exclude": (
                    "org.springframework.boot.autoconfigure.jdbc.DataSourceAutoConfiguration"
                ),
            }


def is_redis_ready(port: int) -> bool:
    """Return whether Redis answers."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
        connection.sendall(b"PING\r\n")
        return connection.recv(16).startswith(b"+PONG")
    return False


BACKENDS: Mapping[str, Backend] = {"sqlite": sqlite, "postgres": postgres, "redis": redis}


def find_program(name: str, pattern: str = "", *, package: str) -> Path:
    """Return a program on PATH, or the one in the newest of the directories that fit the pattern.

    Raises:
        UnavailableError: There is none.
    """
    if on_path := shutil.which(name):
        return Path(on_path)
    found = [path / name for path in Path("/").glob(pattern)] if pattern else []
    newest = max(
        (path for path in found if path.is_file()),
        key=lambda path: [int(number) for number in re.findall(r"\d+", str(path))],
        default=None,
    )
    if newest is None:
        raise UnavailableError(f"no {name}; Debian's package {package} has it")
    return newest


@contextlib.contextmanager
def place(user: User) -> Iterator[Path]:
    """Make a directory that belongs to the user, and take it away after.

    Raises:
        UnavailableError: The directory for temporary files is closed to the user.
    """
    with tempfile.TemporaryDirectory(prefix="conductor-database-", ignore_cleanup_errors=True) as name:
        directory = Path(name)
        os.chown(directory, *user)
        is_other = user[0] != os.getuid()
        if is_other and not all(path.stat().st_mode & 0o001 for path in directory.parents):
            raise UnavailableError(f"{directory.parent} is closed to the user whom a database would run as")
        yield directory
