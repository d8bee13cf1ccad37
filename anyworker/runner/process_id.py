"""Names of processes that no other one bears, on this machine or another."""

import os
import secrets
import socket


def process_worker_id() -> str:
    """Return an id that no other process polls under: host, pid and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def is_dead(name: str) -> bool:
    """Return whether a process is certain to have ended; where it is another machine's nobody knows."""
    host, _, rest = name.rpartition("-")[0].rpartition("-")
    if host != socket.gethostname() or not rest.isdecimal():
        return False
    try:
        os.kill(int(rest), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
