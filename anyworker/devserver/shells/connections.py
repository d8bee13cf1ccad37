"""What the dev server does to the connection that a request came over, under uvicorn."""

import os
import socket
import struct
import weakref
from typing import Protocol

MOST_RESPONSES = 100
"""Responses on one connection; the last of them closes it."""

_NO_LINGER = struct.pack("ii", 1, 0)
"""Closing sends a reset."""


class Transport(Protocol):
    """An event loop's end of a connection."""

    def close(self) -> None:
        """Close it when all is sent."""

    def abort(self) -> None:
        """Close it now."""

    def get_extra_info(self, name: str) -> object:
        """Return something about it."""


def transport_of(receive: object) -> Transport | None:
    """Return the transport under a request's ``receive``, None where the server is not uvicorn."""
    cycle = getattr(receive, "__self__", None)
    transport: Transport | None = getattr(cycle, "transport", None)
    return transport


def close(transport: Transport, *, reset: bool) -> None:
    """End a connection, and send nothing more."""
    if reset:
        fileno = getattr(transport.get_extra_info("socket"), "fileno", None)
        if fileno is not None:
            # By a second descriptor, because uvloop's stand-in for a socket takes no options.
            with socket.socket(fileno=os.dup(fileno())) as end:
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
    transport.abort()


class Connections:
    """Counts the responses of each connection."""

    def __init__(self) -> None:
        self._responses: weakref.WeakKeyDictionary[Transport, int] = weakref.WeakKeyDictionary()

    def is_last(self, transport: Transport) -> bool:
        """Count a response; tell whether its connection has had enough of them."""
        count = self._responses[transport] = self._responses.get(transport, 0) + 1
        return count >= MOST_RESPONSES
