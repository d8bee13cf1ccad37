"""How a process ended, in words."""

import signal

import pytest

from anyworker.fleet.processes.exits import describe_status


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "ended with exit status 0: a function, or a thread of it, ended the process"),
        (1, "ended with exit status 1, often an error that nothing caught"),
        (3, "ended with exit status 3: it could not start"),
        (4, "ended with exit status 4: a result or a task was abandoned"),
        (77, "ended with exit status 77"),
        (-9, "was killed by signal 9, often out of memory (SIGKILL)"),
        (-11, "was killed by signal 11, a crash in code that is not Python (SIGSEGV)"),
        (-signal.SIGUSR1, f"was killed by signal {int(signal.SIGUSR1)} (SIGUSR1)"),
        (-63, "was killed by signal 63"),
    ],
)
def test_exit_status_is_explained(status: int, words: str) -> None:
    assert describe_status(status) == words
