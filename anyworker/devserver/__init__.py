"""A Conductor server in memory: its task and workflow API, exact in what a worker can observe.

::

    server = DevServer()
    transport = server.transport()  # in process: any URL, for httpx or Configuration(transport=...)
    app = server.asgi()  # on a socket: uvicorn.run(app)
"""

import random

from anyworker.devserver.asgi import DevServerApp
from anyworker.devserver.engine import Engine
from anyworker.devserver.queues import Waiting
from anyworker.devserver.shell import Shell
from anyworker.devserver.transport import DevServerTransport

__all__ = ["DevServer", "DevServerApp", "DevServerTransport", "Waiting"]


class DevServer:
    """One server and its state; everything that :meth:`transport` and :meth:`asgi` return shares it.

    It belongs to one event loop at a time. Its time is the loop's: it follows a virtual clock.

    Args:
        waiting: How polls wait: ``fill`` holds tasks until all that were asked for are there or the time is
            over, like SQLite and PostgreSQL; ``first`` answers at the first, like Redis.
        epoch: Epoch seconds at the first request; the wall clock's by default.
        seed: Makes ids repeatable.
        max_finished: How many ended workflows are kept; the one that ended first is forgotten first.
    """

    def __init__(
        self,
        *,
        waiting: Waiting = "fill",
        epoch: float | None = None,
        seed: int | None = None,
        max_finished: int = 10_000,
    ) -> None:
        chance = random.Random(seed)  # noqa: S311  # ids, not secrets
        self.engine = Engine(waiting=waiting, chance=chance, max_finished=max_finished)
        self._shell = Shell(self.engine, epoch)

    def transport(self) -> DevServerTransport:
        """Return an httpx transport that answers in process."""
        return DevServerTransport(self._shell)

    def asgi(self) -> DevServerApp:
        """Return an ASGI application."""
        return DevServerApp(self._shell)
