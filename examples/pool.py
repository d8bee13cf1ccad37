"""What a process opens before its first poll and closes after its last result: a pool of connections.

    anyworker dev examples/pool.py --lifespan examples.pool:resources --start count_users --once

A parameter marked ``FromLifespan`` is filled from what the lifespan yields, by its name, and is no input.
"""

import contextlib
import queue
import sqlite3
from collections.abc import AsyncIterator, Iterator
from typing import Annotated

from anyworker import FromLifespan, worker_task


class Pool:
    """A few connections, handed out one at a time; any pool of your driver's will do."""

    def __init__(self, size: int) -> None:
        self._idle: queue.SimpleQueue[sqlite3.Connection] = queue.SimpleQueue()
        for _ in range(size):
            connection = sqlite3.connect(":memory:", check_same_thread=False)
            connection.execute("CREATE TABLE users (name TEXT)")
            connection.execute("INSERT INTO users VALUES ('Ada'), ('Grace')")
            self._idle.put(connection)

    @contextlib.contextmanager
    def connection(self) -> Iterator[sqlite3.Connection]:
        """Have a connection for the block."""
        connection = self._idle.get()
        try:
            yield connection
        finally:
            self._idle.put(connection)

    def close(self) -> None:
        """Close those that are idle, which are all once the last task has ended."""
        while not self._idle.empty():
            self._idle.get().close()


@contextlib.asynccontextmanager
async def resources() -> AsyncIterator[dict[str, object]]:
    """Open what the functions of a process share."""
    pool = Pool(size=4)
    try:
        yield {"pool": pool}
    finally:
        pool.close()


@worker_task("count_users", thread_count=4)
def count_users(pool: Annotated[Pool, FromLifespan]) -> int:
    """Return how many users there are."""
    with pool.connection() as connection:
        [count] = connection.execute("SELECT count(*) FROM users").fetchone()
    return int(count)
