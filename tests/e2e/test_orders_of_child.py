"""What a process of a fleet is told, and in which order."""

import socket
import subprocess
import sys

import anyio

from anyworker.fleet.processes.link import Link
from anyworker.fleet.processes.orders import ORDERS, REPORTS, Begin, Logs, Quiet
from anyworker.fleet.processes.process import ChildProcess

BEGIN = Begin("trio", [], {}, [], [], None, b"", Logs({}, None, filters=[]), 1.0)


def child_on(wire: socket.socket) -> ChildProcess:
    """Return a process that hears nothing itself; what it is told comes to the other end of the wire."""
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    return ChildProcess("it", process, Link(wire, REPORTS), -1, lambda: None, counted=lambda _: None)


async def test_what_is_said_to_a_process_comes_behind_what_it_is_to_run() -> None:
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    child = child_on(ours)
    with anyio.fail_after(20), theirs:
        async with anyio.create_task_group() as tasks:
            child.say(Quiet())
            tasks.start_soon(child.follow, BEGIN, None)
            link = Link(theirs, ORDERS)
            assert await link.listen() == BEGIN
            assert await link.listen() == Quiet()
            theirs.shutdown(socket.SHUT_RDWR)
    assert child.status == 0
