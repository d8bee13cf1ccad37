"""The command's side of the workers' process."""

import os
import subprocess
import threading
from typing import IO, Protocol, Self

import anyio
import anyio.to_thread

from anyworker.dev.messages import REPORTS, Report
from anyworker.fleet.processes.link import Link, Message
from anyworker.fleet.processes.spawning import spawn

_LONGEST_PIECE = 65536
_LAST_WORDS_SECONDS = 1.0
"""How long an ended process's output is waited for: something it started may hold the pipe."""


class Output(Protocol):
    """Takes what a process writes."""

    def __call__(self, line: bytes, *, is_error: bool) -> None:
        """Take a line, with its end, written to standard output or standard error."""


class WorkerProcess:
    """A process with workers that is told what to do, and whose output comes line by line."""

    def __init__(self, process: "subprocess.Popen[bytes]", link: Link[Report], output: Output) -> None:
        self._process = process
        self._link = link
        self._pumps = [
            threading.Thread(target=_pump, args=(stream, output), kwargs={"is_error": is_error}, daemon=True)
            for stream, is_error in ((process.stdout, False), (process.stderr, True))
        ]
        for pump in self._pumps:
            pump.start()

    @classmethod
    def begin(cls, backend: str, level: str, output: Output) -> Self:
        """Start the process; it waits to be told what to import.

        Args:
            backend: The event loop: ``asyncio``, ``uvloop`` or ``trio``.
            level: The log level.
            output: Called from threads.
        """
        process, wire = spawn(
            "anyworker.dev.child",
            [backend, level],
            flags=["-u"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        return cls(process, Link(wire, REPORTS), output)

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    def say(self, message: Message) -> None:
        """Tell the process something; one that has ended does not hear it."""
        self._link.say(message)

    async def listen(self) -> Report | None:
        """Wait for what the process says next; None when it says no more."""
        return await self._link.listen()

    async def ended(self) -> int:
        """Wait for the end of the process and of its output; return the exit status, -n for signal n."""
        status = await anyio.to_thread.run_sync(self._process.wait, abandon_on_cancel=True)
        await anyio.to_thread.run_sync(self._hear_last_words)
        return status

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()

    async def kill_after(self, seconds: float) -> None:
        """End the process, unless it ends by itself in time."""
        await anyio.sleep(seconds)
        self.kill()

    def close(self) -> None:
        """Leave no process behind, whatever happened."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._hear_last_words()
        self._link.close()

    def _hear_last_words(self) -> None:
        for pump in self._pumps:
            pump.join(_LAST_WORDS_SECONDS)


def _pump(stream: IO[bytes], output: Output, *, is_error: bool) -> None:
    """Hand on what a process writes, by whole lines as far as they are not too long."""
    rest = b""
    with stream:
        while chunk := os.read(stream.fileno(), _LONGEST_PIECE):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                output(line + b"\n", is_error=is_error)
            if len(rest) >= _LONGEST_PIECE:
                output(rest + b"\n", is_error=is_error)
                rest = b""
    if rest:
        output(rest + b"\n", is_error=is_error)
