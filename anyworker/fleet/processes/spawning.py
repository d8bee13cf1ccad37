"""Start a Python process at the other end of a socket, and be one."""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

_HELD_BACK = {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2}
"""What reaches a child as well, from a terminal or as one of a group, and would kill it as it starts."""


def spawn(
    module: str,
    arguments: Sequence[str] = (),
    *,
    flags: Sequence[str] = (),
    descriptors: Sequence[int] = (),
    **options: Any,
) -> "tuple[subprocess.Popen[bytes], socket.socket]":
    """Start a process that runs a module; return it, and our end of the socket to it.

    Its first argument is the descriptor of its end. Until it calls :func:`let_signals_through`, what stops
    a program is held back from it.

    Args:
        module: Run as by ``python -m``, the working directory not being on its path.
        arguments: Behind the socket's descriptor.
        flags: Of the interpreter, beside those of this one.
        descriptors: What else it inherits.
        **options: Of ``Popen``.
    """
    ours, theirs = socket.socketpair()
    command = [
        sys.executable,
        *subprocess._args_from_interpreter_flags(),  # type: ignore[attr-defined]  # noqa: SLF001 - multiprocessing's own way, too
        *flags,
        "-P",
        "-m",
        module,
        str(theirs.fileno()),
        *arguments,
    ]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD_BACK)
    try:
        process = subprocess.Popen(  # noqa: S603 - our own command
            command, pass_fds=[theirs.fileno(), *descriptors], **options
        )
    except BaseException:
        ours.close()
        raise
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
        theirs.close()
    return process, ours


def given_socket(descriptor: str) -> socket.socket:
    """Return this process's end of the socket; what this process starts does not inherit it."""
    wire = socket.socket(fileno=int(descriptor))
    wire.set_inheritable(False)
    return wire


def let_signals_through() -> None:
    """Take the signals that were held back, now that something handles them."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD_BACK)
