"""A file by which other programs on the machine find the process that runs workers."""

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from anyworker.errors import AnyworkerError, ConfigurationError


class NobodyThereError(AnyworkerError):
    """No process holds the file."""


@contextlib.contextmanager
def pid_file(path: Path) -> Iterator[None]:
    """Keep this process's id in a file for the block, locked, so that a file left behind misleads nobody.

    Raises:
        ConfigurationError: Another process holds it, or it cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        problem = f"--pid-file {path}: cannot be written: {error.strerror}; choose another place"
        raise ConfigurationError(problem) from error
    try:
        if not _has_locked(descriptor):
            other = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
            problem = f"--pid-file {path}: process {other} has it; end that one, or choose another file"
            raise ConfigurationError(problem)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"%d\n" % os.getpid(), 0)
        yield
        with contextlib.suppress(FileNotFoundError):
            path.unlink()
    finally:
        os.close(descriptor)


def holder(path: Path) -> int:
    """Return the id of the process that keeps a file.

    Raises:
        NobodyThereError: There is no file, or who wrote it has ended.
    """
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        message = f"{path} does not exist: start the workers with --pid-file {path}"
        raise NobodyThereError(message) from None
    try:
        if _has_locked(descriptor):
            message = f"{path} is held by nobody: the process that wrote it has ended"
            raise NobodyThereError(message)
        return int(os.pread(descriptor, 32, 0))
    finally:
        os.close(descriptor)


def _has_locked(descriptor: int) -> bool:
    """Return whether the lock could be had; it goes with the descriptor."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True
