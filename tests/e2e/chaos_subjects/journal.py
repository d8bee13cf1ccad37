"""What functions do, line by line in a file that has every line also when their process is killed."""

import contextlib
import os
import time
from collections.abc import Iterator


class Journal:
    """Append to a file that several processes append to.

    A line is a word, a task's id, the process's id and the nanoseconds of the system's monotonic clock,
    which all processes share.
    """

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    @contextlib.contextmanager
    def execution(self, task_id: str) -> Iterator[None]:
        """Note that a task's function begins, and that it comes to its end or is stopped."""
        self._write("begin", task_id)
        try:
            yield
        except BaseException:
            self._write("stop", task_id)
            raise
        self._write("end", task_id)

    def _write(self, word: str, task_id: str) -> None:
        line = f"{word} {task_id} {os.getpid()} {time.monotonic_ns()}\n"
        os.write(self._file, line.encode())
