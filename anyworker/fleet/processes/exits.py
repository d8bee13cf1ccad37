"""How a process ended, in words."""

import contextlib
import signal

from anyworker.fleet.conventions import EXIT_ABANDONED, EXIT_COULD_NOT_START

_MEANINGS = {
    0: ": a function, or a thread of it, ended the process",
    1: ", often an error that nothing caught",
    EXIT_COULD_NOT_START: ": it could not start",
    EXIT_ABANDONED: ": a result or a task was abandoned",
    -signal.SIGKILL: ", often out of memory",
    -signal.SIGSEGV: ", a crash in code that is not Python",
    -signal.SIGBUS: ", a crash in code that is not Python",
    -signal.SIGILL: ", code for another processor",
    -signal.SIGFPE: ", a crash in code that is not Python",
    -signal.SIGABRT: ", an assertion in code that is not Python",
    -signal.SIGTERM: ", told to end before it was ready to drain",
}


def describe_status(status: int) -> str:
    """Say how a process ended, as the predicate of a sentence.

    Args:
        status: The exit status, -n where signal n killed it.
    """
    meaning = _MEANINGS.get(status, "")
    if status >= 0:
        return f"ended with exit status {status}{meaning}"
    name = ""
    with contextlib.suppress(ValueError):
        name = f" ({signal.Signals(-status).name})"
    return f"was killed by signal {-status}{meaning}{name}"
