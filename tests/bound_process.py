"""Servers of other makers as processes that end with the one that started them."""

import contextlib
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

# Run as `python -c` in front of the program: a signal at the parent's death survives exec, and forking with
# code of one's own (preexec_fn) is not safe where threads run. The user changes first, because that change
# would undo the signal. Where there is no prctl, only a killed parent leaks.
LAUNCHER = """
import ctypes, os, sys
signum, uid, gid, *command = sys.argv[1:]
if int(uid) != os.getuid():
    os.setgroups([])
    os.setgid(int(gid))
    os.setuid(int(uid))
prctl = getattr(ctypes.CDLL(None), "prctl", None)
if prctl is not None:
    PR_SET_PDEATHSIG = 1
    prctl(PR_SET_PDEATHSIG, int(signum))
os.execv(command[0], command)
"""

User = tuple[int, int]
"""Its id and its group's."""


class UnavailableError(Exception):
    """The server cannot be had on this machine; tests skip, visibly."""


class BrokenServerError(Exception):
    """The server was had and does not work; tests fail."""


def free_port() -> int:
    """Return a port of 127.0.0.1 that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def unprivileged_user(*names: str) -> User:
    """Return the user to run a database as: this process's own, or the first of these names if it is root.

    Raises:
        UnavailableError: No such user exists.
    """
    if os.geteuid() != 0:
        return os.getuid(), os.getgid()
    for name in names:
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise UnavailableError(f"no user {' or '.join(names)} to run a database as")


def launching(
    command: list[str], user: User | None = None, end: signal.Signals = signal.SIGKILL
) -> list[str]:
    """Return a command that runs another one as a user, and has the system end it with its parent."""
    uid, gid = user or (os.getuid(), os.getgid())
    return [sys.executable, "-I", "-c", LAUNCHER, str(int(end)), str(uid), str(gid), *command]


@contextlib.contextmanager
def process(
    command: list[str],
    log: Path,
    *,
    is_ready: Callable[[], bool],
    patience: float,
    user: User | None = None,
    end: signal.Signals = signal.SIGKILL,
) -> Iterator[None]:
    """Run a server for the length of the block, which begins when it is ready.

    Args:
        command: An absolute path and its arguments.
        log: Where its output goes; its directory is where it runs.
        is_ready: Asked again and again.
        patience: Seconds until it must be ready.
        user: By default the one of this process.
        end: The signal that ends it at once. Its data are worth nothing, and asked politely it takes seconds.

    Raises:
        BrokenServerError: It did not become ready; the message has the end of its log.
    """
    with log.open("wb") as output:
        started = subprocess.Popen(
            launching(command, user, end),
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _await(started, log, is_ready, patience)
        yield
    finally:
        started.send_signal(end)
        try:
            started.wait(patience)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()


def _await(
    started: subprocess.Popen[bytes], log: Path, is_ready: Callable[[], bool], patience: float
) -> None:
    deadline = time.monotonic() + patience
    while not is_ready():
        if started.poll() is not None or time.monotonic() > deadline:
            status = "did not answer in time" if started.returncode is None else "ended"
            tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise BrokenServerError(f"the server {status}:\n{tail}")
        with contextlib.suppress(subprocess.TimeoutExpired):
            started.wait(0.2)
