"""Serve a dev server on a socket of this machine, beside whatever else the process does."""

import contextlib
import socket
import threading
from collections.abc import Iterator

import uvicorn

from anyworker.devserver import DevServer
from anyworker.devserver.shells.protocol import IDLE_SECONDS, DevServerProtocol
from anyworker.errors import ConfigurationError

HOST = "127.0.0.1"
STOP_SECONDS = 5.0
BACKLOG = 512


@contextlib.contextmanager
def serve_in_thread(port: int = 0, server: DevServer | None = None, *, admin: bool = False) -> Iterator[str]:
    """Serve from a thread for the length of the block; at its end waiting polls are answered at once.

    Args:
        port: 0 for a free one.
        server: By default a new one.
        admin: Whether there is the admin route.

    Yields:
        The API's base URL, ``http://127.0.0.1:PORT/api``.

    Raises:
        ConfigurationError: The port is in use, or there is none of that number.
    """
    server = server or DevServer()
    listener = _listener(port)
    shell = uvicorn.Server(config(server, admin=admin))
    thread = threading.Thread(
        target=shell.run, kwargs={"sockets": [listener]}, name="anyworker dev server", daemon=True
    )
    thread.start()
    try:
        # The socket listens already: a request that comes before the server is up waits for it.
        yield f"http://{HOST}:{listener.getsockname()[1]}/api"
    finally:
        shell.should_exit = True
        server.hurry()
        thread.join(STOP_SECONDS)
        server.relax()
        listener.close()


def config(server: DevServer, *, admin: bool = False) -> uvicorn.Config:
    """Return what makes uvicorn serve as the real server does, as far as it can.

    Args:
        server: What to serve.
        admin: Whether there is the admin route.
    """
    return uvicorn.Config(
        server.asgi(admin=admin),
        http=DevServerProtocol,
        ws="none",
        # What it logs goes where the log of the process goes.
        log_config=None,
        log_level="warning",
        server_header=False,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=1,
    )


def _listener(port: int) -> socket.socket:
    # Named, because asyncio sends small answers without delay only where it sees that this is TCP.
    listener = socket.socket(proto=socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
    except (OSError, OverflowError) as error:
        listener.close()
        reason = error.strerror if isinstance(error, OSError) else "a port is from 0 to 65535"
        problem = f"port {port}: {reason}; give another one, or 0 for a free one"
        raise ConfigurationError(problem) from None
    listener.listen(BACKLOG)
    return listener
