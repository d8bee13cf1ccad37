"""Word that processes leave beside the outbox's file, for others to see to what they had in hand if they die.

A directory, the file's name with ``-processes`` behind it, has one file of JSON for each process, named after
it: for which server it works, and under which worker ids for which task types. The process holds a lock on it
(``flock``) for as long as it lives, however it ends, so that who gets the lock knows that it is dead, and
that nobody else sees to it. The file goes when its process ends well, or when all has been seen to.
"""

import contextlib
import fcntl
import os
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec

_SUFFIX = "-processes"
_UNFINISHED = ".new"
_MODE = 0o600


class Member(msgspec.Struct, frozen=True):
    """A worker of a process, under an id that no other process has."""

    task_type: str
    worker_id: str
    domain: str | None = None
    restartable: bool | None = None
    """As the worker's option has it."""


class Will(msgspec.Struct, frozen=True):
    """What a process leaves word of."""

    server: str
    """The API's URL."""
    members: tuple[Member, ...]


_held: "weakref.WeakSet[Word]" = weakref.WeakSet()
"""The words of this process that may hold a lock."""


class Word:
    """A process's file, which this process has the lock of until it closes it.

    Args:
        path: The file.
        descriptor: Open, and locked.
        will: What it says.
    """

    def __init__(self, path: Path, descriptor: int, will: Will) -> None:
        self.path = path
        self.will = will
        self._descriptor = descriptor
        _held.add(self)

    @classmethod
    def leave(cls, outbox: str | os.PathLike[str], name: str, will: Will) -> Self:
        """Leave word of this process.

        Args:
            outbox: The outbox's file.
            name: Of the process, which no other one bears.
            will: What of.

        Raises:
            OSError: There is no place for it.
        """
        directory = directory_of(outbox)
        directory.mkdir(mode=0o700, exist_ok=True)
        unfinished = directory / (name + _UNFINISHED)
        descriptor = os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL, _MODE)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.write(descriptor, msgspec.json.encode(will))
            # Nobody sees it before it is locked and whole.
            unfinished.rename(directory / name)
        except BaseException:
            os.close(descriptor)
            raise
        return cls(directory / name, descriptor, will)

    @classmethod
    def take(cls, path: Path) -> Self | None:
        """Return the word of a dead process, None if it is gone.

        Raises:
            BlockingIOError: The process lives, or somebody else sees to it.
            OSError: It cannot be read.
            ValueError: It says something else.
        """
        try:
            descriptor = os.open(path, os.O_RDWR)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Who had the lock before may have seen to all, and taken the file away.
            if os.fstat(descriptor).st_nlink:
                return cls(path, descriptor, msgspec.json.decode(os.read(descriptor, 2**24), type=Will))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return None

    def forget(self) -> None:
        """Take the file away: there is nothing left to see to."""
        with contextlib.suppress(OSError):
            self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Leave the file to whoever takes it."""
        _held.discard(self)
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)


def directory_of(outbox: str | os.PathLike[str]) -> Path:
    """Return where processes that share an outbox leave word."""
    return Path(f"{os.fspath(outbox)}{_SUFFIX}")


def left(outbox: str | os.PathLike[str]) -> Iterator[Path]:
    """Yield the files of all processes, living and dead."""
    directory = directory_of(outbox)
    if directory.is_dir():
        yield from (path for path in sorted(directory.iterdir()) if path.suffix != _UNFINISHED)


def _close_in_fork() -> None:
    """Keep what this process forks from holding locks beyond its end."""
    for word in tuple(_held):
        word.close()


os.register_at_fork(after_in_child=_close_in_fork)
