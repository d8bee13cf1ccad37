"""What the command and the process of its workers say to each other: one line of JSON each, over a socket."""

import socket
from collections import deque
from typing import Any, TypeAlias

import anyio
import msgspec

_CHUNK = 65536


class Message(msgspec.Struct, frozen=True, tag=True):
    """What all messages share."""


class Import(Message, frozen=True):
    """To the workers, first: import these."""

    targets: list[str]


class Serve(Message, frozen=True):
    """To the workers, once they are known: begin."""

    url: str
    grace: float


class Drain(Message, frozen=True):
    """To the workers: poll no more; what still runs after the grace is cancelled."""

    grace: float | None = None
    """Seconds; None for what :class:`Serve` said."""


class Cancel(Message, frozen=True):
    """To the workers: cancel what runs."""


class Sources(msgspec.Struct, frozen=True):
    """Where code comes from."""

    files: frozenset[str] = frozenset()
    """Modules that belong to no package."""
    packages: frozenset[str] = frozenset()
    """Directories of packages."""

    def __or__(self, other: "Sources") -> "Sources":
        """Return all of both."""
        return Sources(self.files | other.files, self.packages | other.packages)


class Card(msgspec.Struct, frozen=True):
    """What a workflow for one worker needs to know about it."""

    task_type: str
    origin: str
    """Where the function stands, for people."""
    inputs: list[str] = []
    """Names of the input that it takes."""
    defaults: dict[str, Any] = {}
    """Values of those that may be left out."""
    example: dict[str, Any] = {}
    """An input to begin with."""
    task_def: dict[str, Any] | None = None
    """The task definition that its declaration brings."""
    domain: str | None = None
    registers: bool = False
    """Whether the worker registers its task definition itself."""


class Declared(Message, frozen=True):
    """From the workers: the code is imported, and this is what it declares."""

    workers: list[Card]
    sources: Sources


class Refused(Message, frozen=True):
    """From the workers: they cannot work, and their process ends."""

    problems: list[str]
    sources: Sources | None = None


class Serving(Message, frozen=True):
    """From the workers: they poll."""

    worker_ids: list[str]


class Draining(Message, frozen=True):
    """From the workers: they poll no more."""


Order: TypeAlias = Import | Serve | Drain | Cancel
Report: TypeAlias = Declared | Refused | Serving | Draining

_DECODER: msgspec.json.Decoder[Order | Report] = msgspec.json.Decoder(Order | Report)


class Link:
    """One end of the socket between the two processes."""

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self._rest = b""
        self._lines: deque[bytes] = deque()

    def say(self, message: Message) -> None:
        """Send a message; one that nobody is there to hear is lost."""
        try:
            self.wire.sendall(msgspec.json.encode(message) + b"\n")
        except OSError:
            return

    def hear(self) -> Order | Report | None:
        """Wait for the next message, blocking the thread; None when the other end is gone."""
        while not self._lines and self._receive():
            pass
        return self._next()

    async def listen(self) -> Order | Report | None:
        """Wait for the next message; None when the other end is gone."""
        while not self._lines:
            await anyio.wait_readable(self.wire)
            if not self._receive():
                break
        return self._next()

    def close(self) -> None:
        """Let the other end know that this one is gone."""
        self.wire.close()

    def _receive(self) -> bool:
        try:
            chunk = self.wire.recv(_CHUNK)
        except OSError:
            return False
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._lines.extend(lines)
        return bool(chunk)

    def _next(self) -> Order | Report | None:
        return _DECODER.decode(self._lines.popleft()) if self._lines else None
