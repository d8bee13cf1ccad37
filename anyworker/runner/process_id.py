"""Names of processes that no other one bears, on this machine or another, and whether they still live."""

import contextlib
import os
import secrets
import socket
from pathlib import Path


def process_worker_id() -> str:
    """Return an id that no other process polls under: host, pid and a random part."""
    return f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"


def own_life(name: str) -> str:
    """Return what tells this process from every other one that had or will have its pid.

    Args:
        name: As `process_worker_id` names it.

    Returns:
        The boot of the machine, the namespace of pids and the time of the start; empty where the system
        does not tell, or the name is another one's.
    """
    if _place(name)[1] != str(os.getpid()):
        return ""
    with contextlib.suppress(OSError):
        return f"{_realm()} {_start(os.getpid())}"
    return ""


def is_dead(name: str, life: str = "") -> bool:
    """Return whether a process is certain to have ended; where it is another machine's nobody knows.

    Args:
        name: As `process_worker_id` names it.
        life: What `own_life` returned in it, if that is known.
    """
    host, pid = _place(name)
    if not pid.isdecimal():
        return False
    if life:
        realm, _, start = life.rpartition(" ")
        with contextlib.suppress(OSError):
            # Another container may have the same host name, and its pids mean nothing here.
            return realm == _realm() and start != _start(int(pid))
    if host != socket.gethostname():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False


def _place(name: str) -> tuple[str, str]:
    """Return the host and the pid that a name has."""
    host, _, pid = name.rpartition("-")[0].rpartition("-")
    return host, pid


def _realm() -> str:
    """Return where pids mean what they mean here: the boot and the namespace."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return f"{boot} {Path('/proc/self/ns/pid').readlink()}"


def _start(pid: int) -> str:
    """Return when a process was started, in ticks since the boot; empty where none lives."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
    # The name of the program stands in parentheses, and may have some itself.
    fields = text.rpartition(")")[2].split()
    return "" if fields[0] in {"Z", "X"} else fields[19]
