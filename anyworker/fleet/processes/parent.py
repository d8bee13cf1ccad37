"""See in a process of a fleet that its parent is gone, whatever the process is busy with."""

import contextlib
import os
import select
import socket
import threading

from anyworker.fleet.control.leaving import exit_now
from anyworker.fleet.conventions import EXIT_ABANDONED


class ParentWatch:
    """End the process some time after its parent; at once as long as it has nothing in hand.

    What the parent forked may hold the other end of the socket open; where the system can tell that the
    parent itself has ended, the socket is closed from here, for the event loop to see.

    Args:
        wire: The socket to the parent.
    """

    def __init__(self, wire: socket.socket) -> None:
        self.patience = 0.0
        """Seconds that the process may take to end by itself."""
        self._wire = wire
        self._watch = select.poll()
        # Reading is the loop's; an end is told whether asked for or not.
        self._watch.register(wire, 0)
        if hasattr(os, "pidfd_open"):
            with contextlib.suppress(OSError):
                self._watch.register(os.pidfd_open(os.getppid()), select.POLLIN)
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        self._watch.poll()
        with contextlib.suppress(OSError):
            self._wire.shutdown(socket.SHUT_RDWR)
        threading.Event().wait(self.patience)
        exit_now(EXIT_ABANDONED)
