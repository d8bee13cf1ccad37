"""A socket between two processes that carries messages: one line of JSON each."""

import select
import socket
from collections import deque
from typing import Generic, TypeVar

import anyio
import msgspec

_CHUNK = 65536

Heard = TypeVar("Heard")


class Message(msgspec.Struct, frozen=True, tag=True):
    """What all messages share."""


class Link(Generic[Heard]):
    """One end of the socket.

    Args:
        wire: The socket.
        decoder: Reads what comes from the other end.
    """

    def __init__(self, wire: socket.socket, decoder: msgspec.json.Decoder[Heard]) -> None:
        self.wire = wire
        self._decoder = decoder
        self._rest = b""
        self._lines: deque[bytes] = deque()

    def say(self, message: Message) -> None:
        """Send a message; one that nobody is there to hear is lost."""
        try:
            self.wire.sendall(msgspec.json.encode(message) + b"\n")
        except OSError:
            return

    def mention(self, message: Message) -> None:
        """Send a short message, or none at all where the other end has long not listened."""
        if self.has_room():
            self.say(message)

    def has_room(self) -> bool:
        """Return whether the other end listens: a short message would not wait for it."""
        room = select.poll()
        room.register(self.wire, select.POLLOUT)
        return bool(room.poll(0))

    def hear(self) -> Heard | None:
        """Wait for the next message, blocking the thread; None when the other end is gone."""
        while not self._lines and self._receive():
            pass
        return self._next()

    def has_news(self) -> bool:
        """Return whether the next message, or the end, is there already."""
        news = select.poll()
        news.register(self.wire, select.POLLIN)
        return bool(self._lines or news.poll(0))

    async def listen(self) -> Heard | None:
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

    def _next(self) -> Heard | None:
        return self._decoder.decode(self._lines.popleft()) if self._lines else None
